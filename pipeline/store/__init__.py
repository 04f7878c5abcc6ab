"""Where results go: one small storage layer over local disk and object stores.

A file is complete as soon as it is visible. :meth:`Store.put_new` creates and never replaces: the second writer
loses, which keeps a stalled worker from overwriting what another has settled. On a local disk, file and folder are
synced before a put returns; an object store answers only when it has the bytes.

Paths are relative to the store's root, with ``/``.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pipeline.store.access import is_bucket_url
from pipeline.store.disk import DiskStore
from pipeline.store.proof import prove, try_out
from pipeline.store.protocol import Bytes, Store

__all__ = ["Bytes", "DiskStore", "Store", "is_bucket_url", "open_store", "prove", "try_out"]


def open_store(location: str | Path) -> Store:
    """The store at *location*: a local path, or a URL such as ``s3://bucket/prefix``.

    Raises:
        StoreError: the URL's scheme is not one that we can write to.
    """
    text = str(location)
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme == "file":
        return DiskStore(Path(urlsplit(text).path))
    if not scheme:
        return DiskStore(Path(text))
    # Imported late; see lazy_obstore.py.
    from pipeline.store.objects import ObjectStore  # noqa: PLC0415

    return ObjectStore(text)
