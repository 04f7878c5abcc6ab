"""Makes clients of an object store from its URL, with credentials and time limits; does not contact it yet."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.errors import StoreError
from pipeline.store import lazy_obstore as obstore
from pipeline.store.providers import AWS, MEMORY, PROVIDERS, Provider

#: An unavailable store is an error within a minute; callers that must not give up keep trying (keeper.py).
_RETRIES: dict[str, Any] = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=5), "base": 2},
}
_ONCE = _RETRIES | {"max_retries": 0}
#: Seconds for one request: a picture of 25 MB over a line of 2 Mbit/s.
_REQUEST, _CONNECT = 120.0, 5.0

#: Credentials that obstore finds by itself; it does not read profiles.
_FOUND_WITHOUT_PROFILE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)


class Clients(NamedTuple):
    """Two clients of one store: *once* never retries, so that its caller knows the result of each request."""

    patient: Any
    once: Any


def is_bucket_url(text: str) -> bool:
    """Whether *text* is the URL of something in an object store."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and scheme.lower() in PROVIDERS


def clients(url: str) -> Clients:
    """The clients of the store at *url*, with the credentials from the environment.

    Raises:
        StoreError: it cannot be used, or *url* contains what belongs in the environment.
    """
    provider = _provider(url)
    if provider is MEMORY:
        memory = obstore.store.MemoryStore()
        return Clients(memory, memory)
    options = {
        "timeout": timedelta(seconds=_REQUEST),
        "connect_timeout": timedelta(seconds=_CONNECT),
        # obstore only reads it by itself if no other client option is given.
        "allow_http": _is_on(os.environ.get(f"{provider.variables}_ALLOW_HTTP", "")),
    }
    shared = {"client_options": options, **(_profile(os.environ) if provider is AWS else {})}
    made = obstore.store.from_url
    try:
        return Clients(made(url, retry_config=_RETRIES, **shared), made(url, retry_config=_ONCE, **shared))
    except (obstore.exceptions.BaseError, ValueError) as error:
        raise StoreError(_unusable(url, error)) from None


def _provider(url: str) -> Provider:
    """The provider of the store at *url*.

    Raises:
        StoreError: it is none of ours, or *url* contains credentials, which would end up in logs and records.
    """
    parts = urlsplit(url)
    provider = PROVIDERS.get(parts.scheme)
    if provider is None:
        known = "a path, s3://, gs:// or az://"
        raise StoreError(f"{parts.scheme}://…: retouch cannot write to this kind of store: use {known}")
    if "@" in parts.netloc and parts.scheme not in ("abfs", "abfss"):
        raise StoreError(
            f"{parts.scheme}://…: the URL contains credentials: set them in {provider.variables}_… variables instead"
        )
    if parts.query or parts.fragment:
        plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
        raise StoreError(
            f"{plain}: the URL of a store cannot contain ? or #: set a token in {provider.variables}_… "
            "variables instead"
        )
    if not parts.netloc and provider is not MEMORY:
        raise StoreError(f"{url}: the bucket is missing: write {parts.scheme}://bucket/folder")
    return provider


def _profile(environment: Mapping[str, str]) -> dict[str, Any]:
    """Credentials from the profiles of the AWS command line (SSO, roles, processes), which only boto3 can read.

    Raises:
        StoreError: a profile is requested by name and cannot be read.
    """
    asked = environment.get("AWS_PROFILE")
    if not asked and (any(map(environment.get, _FOUND_WITHOUT_PROFILE)) or not _has_profiles(environment)):
        return {}
    if importlib.util.find_spec("boto3") is None:
        if asked:
            raise StoreError(
                f"AWS_PROFILE={asked}: profiles are read by boto3: install retouch[aws], or set AWS_ACCESS_KEY_ID"
            )
        return {}
    return _by_boto3(asked)


def _by_boto3(profile: str | None) -> dict[str, Any]:
    import boto3  # noqa: PLC0415 - an optional extra, and slow to import
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

    try:
        session = boto3.Session(profile_name=profile)
        if session.get_credentials() is None:
            return {}
        extra: dict[str, Any] = {"credential_provider": Boto3CredentialProvider(session)}
    except (BotoCoreError, ValueError) as error:
        raise StoreError(f"the AWS profile cannot be used ({error}): check AWS_PROFILE and ~/.aws") from None
    if session.region_name and not os.environ.get("AWS_REGION"):
        extra["region"] = session.region_name
    return extra


def _has_profiles(environment: Mapping[str, str]) -> bool:
    home = Path(environment.get("HOME", "/"), ".aws")
    credentials = environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials"
    config = environment.get("AWS_CONFIG_FILE") or home / "config"
    return Path(credentials).is_file() or Path(config).is_file()


def _is_on(value: str) -> bool:
    return value.strip().lower() in ("1", "true", "yes", "on")


def _unusable(url: str, error: BaseException) -> str:
    said = (str(error).splitlines() or [type(error).__name__])[0].strip()
    if "Account must be specified" in said:
        return f"{url}: the storage account is missing: set AZURE_STORAGE_ACCOUNT_NAME, and its key or token"
    return f"{url}: retouch cannot use this store ({said[:200]})"
