"""Which object in a bucket a name in a manifest refers to, and whether it may be read. Pure: no store is contacted.

The credentials for a bucket are the user's, but the manifest may be somebody else's. So a manifest may read from its
own folder in a bucket, from the buckets that the user has named by ``--out`` or ``RETOUCH_STORE``, and from others
only with ``--allow-outside``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection

from pipeline.errors import InvalidInput
from pipeline.store.access import is_bucket_url
from pipeline.store.bucket import split_url

_MEND = "move it inside, or pass --allow-outside"


def meant(
    name: str, root: str | None, buckets: Collection[str] = (), *, allow_outside: bool = False
) -> str | None:
    """The URL of the object that *name* refers to; ``None`` if it does not refer to one in a bucket.

    Args:
        name: from the manifest: a URL, or a path relative to *root*.
        root: the URL of the manifest's folder; ``None`` if that is not in a bucket.
        buckets: URLs of buckets in which everything may be read, such as ``s3://bucket``.
        allow_outside: every bucket may be read.

    Raises:
        InvalidInput: ``bad_url``, ``missing`` or ``outside``.
    """
    if is_bucket_url(name):
        url = name
    elif root is None or "://" in name:
        return None
    elif not name or name.startswith("/") or "\0" in name:
        raise InvalidInput(
            "outside", f"{name[:200]!r} is not an object in {root}: use its URL or a path inside it"
        )
    else:
        url = f"{root.rstrip('/')}/{name}"
    bucket, key = _plain(url)
    if not key:
        raise InvalidInput("bad_url", f"{bucket} is not an object: write {bucket}/folder/picture.png")
    whole = f"{bucket}/{key}"
    if not (allow_outside or bucket in buckets or (root and whole.startswith(root.rstrip("/") + "/"))):
        raise InvalidInput(
            "outside", f"{whole[:200]} is outside {root or 'the folder of the manifest'}: {_MEND}"
        )
    return whole


def bucket_of(*urls: str | None) -> tuple[str, ...]:
    """The buckets of those *urls* that are in one."""
    return tuple(split_url(url)[0] for url in urls if url and is_bucket_url(url))


def _plain(url: str) -> tuple[str, str]:
    bucket, key = split_url(url)
    if "@" in bucket.partition("://")[2] and not bucket.startswith("abfs"):
        raise InvalidInput(
            "bad_url", "a bucket's URL contains credentials: set them in the environment instead"
        )
    # Object stores do not resolve ".."; a path in a manifest may contain it, as in "s3://bucket/in/../../other".
    plain = posixpath.normpath(f"/{key}").lstrip("/") if key else ""
    return bucket, plain
