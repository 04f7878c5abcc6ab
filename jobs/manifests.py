"""The manifest that a command was given, and where its pictures are."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.job_options import JobOptions
from pipeline.job.folder import SPOOLED_MANIFEST, JobFolder
from pipeline.manifest import Manifest, fetched, is_file_of_bucket, open_manifest, spool
from pipeline.roots import Roots, root_map
from pipeline.urls.bucketpaths import bucket_of

_SPOOL = "manifest.jsonl"


def manifest_of(asked: JobOptions, scratch: Path) -> Manifest:
    """The manifest that *asked* names; standard input and a file in a bucket are copied into *scratch* first.

    Raises:
        ManifestError: it cannot be read at all.
    """
    return open_manifest(
        asked.manifest,
        prompt=asked.prompt,
        limit=asked.limit,
        repeat=asked.repeat,
        spooled=_spooled(asked.manifest, scratch),
    )


def _spooled(manifest: str, scratch: Path) -> Path | None:
    """The local copy of a manifest that is not on this machine's disk."""
    if manifest == "-":
        return spool(sys.stdin.buffer, scratch / _SPOOL)
    return fetched(manifest, scratch) if is_file_of_bucket(manifest) else None


@contextmanager
def opened_manifest(asked: JobOptions) -> Iterator[Manifest]:
    """The manifest that *asked* names, for the length of a block; raises as :func:`manifest_of`."""
    with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
        yield manifest_of(asked, Path(scratch))


async def keep_spooled(scratch: Path, folder: JobFolder) -> None:
    """Keep standard input with the job, since it can be read only once."""
    if await folder.store.get(SPOOLED_MANIFEST, 1) is None:
        copy = scratch / "manifest.copy"
        await asyncio.to_thread(shutil.copyfile, scratch / _SPOOL, copy)
        await folder.store.put_file(SPOOLED_MANIFEST, copy, private=True)


def roots_below(root: Path | str, asked: JobOptions) -> Roots:
    """Where this machine looks for the pictures of a manifest whose paths are relative to *root*."""
    return Roots(
        root=root,
        allow_outside=asked.allow_outside,
        allow_private_urls=asked.allow_private_urls,
        buckets=bucket_of(asked.out or asked.store),
        root_map=root_map(os.environ.get("RETOUCH_ROOT_MAP", "")),
    )
