"""The object stores that retouch can write to, by the scheme of their URLs. A new one is an entry here."""

from __future__ import annotations

from typing import NamedTuple


class Provider(NamedTuple):
    """One kind of object store.

    Attributes:
        variables: what the names of its environment variables begin with.
        credentials: how a user gives its credentials, as part of a sentence.
        rights: what those credentials must allow.
    """

    variables: str
    credentials: str = ""
    rights: str = ""


AWS = Provider(
    variables="AWS",
    credentials="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (for profiles and SSO: install retouch[aws])",
    rights="s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket",
)
GOOGLE = Provider(
    variables="GOOGLE",
    credentials="GOOGLE_APPLICATION_CREDENTIALS, or log in with `gcloud auth application-default login`",
    rights="the role Storage Object User",
)
AZURE = Provider(
    variables="AZURE",
    credentials="AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
    rights="the role Storage Blob Data Contributor",
)
#: The store in memory, which needs no credentials.
MEMORY = Provider(variables="MEMORY")

#: By scheme. Other schemes of obstore (http, file) cannot create a key only if it does not exist yet.
PROVIDERS = {
    "s3": AWS,
    "s3a": AWS,
    "gs": GOOGLE,
    "az": AZURE,
    "azure": AZURE,
    "abfs": AZURE,
    "abfss": AZURE,
    "memory": MEMORY,
}
