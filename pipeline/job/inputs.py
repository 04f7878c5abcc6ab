"""Where this machine finds a job's pictures: under its root, or uploaded into its folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
import posixpath
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from pipeline.edit import Edit
from pipeline.errors import InvalidInput
from pipeline.inputs import Inputs, gathered
from pipeline.job.folder import UPLOADED_INPUTS, JobFolder
from pipeline.job.spec import Spec
from pipeline.picture import LARGE, SentPicture
from pipeline.roots import Roots, is_url, locate_picture, root_map
from pipeline.store import is_bucket_url
from pipeline.store.bucket import split_url
from pipeline.urls.bucketpaths import bucket_of
from pipeline.urls.fetch import Fetcher

#: Pictures that are copied at a time.
_COPIES = 16


def roots_of(spec: Spec) -> Roots:
    """Where this machine looks for a job's pictures; ``RETOUCH_ROOT_MAP`` maps folders with other names here."""
    root = f"{spec.out}/{UPLOADED_INPUTS}" if spec.uploaded else spec.root
    return Roots(
        root=root if is_bucket_url(root) else Path(root),
        allow_outside=spec.allow_outside and not spec.uploaded,
        allow_private_urls=spec.allow_private_urls,
        buckets=bucket_of(spec.out),
        root_map=root_map(os.environ.get("RETOUCH_ROOT_MAP", "")),
    )


def inputs_of(spec: Spec, spool: Path, fetcher: Fetcher) -> Inputs:
    """Opens the pictures of the job's rows in this process; *spool* is for those that are fetched or converted."""
    roots = roots_of(spec)

    def opened(edit: Edit) -> AbstractAsyncContextManager[tuple[SentPicture, ...]]:
        return gathered(_as_uploaded(edit) if spec.uploaded else edit, roots, spool, fetcher)

    return opened


async def upload(folder: JobFolder, edits: Iterable[Edit], roots: Roots) -> None:
    """Copy the local pictures of *edits* into the job folder; the record of a row tells if one was not found."""
    copying, large = asyncio.Semaphore(_COPIES), asyncio.Lock()

    async def copy(name: str) -> None:
        with suppress(InvalidInput):
            path = await asyncio.to_thread(locate_picture, name, roots)
            size = (await asyncio.to_thread(path.stat)).st_size
            async with large if size > LARGE else nullcontext():
                data = await asyncio.to_thread(path.read_bytes)
                await folder.store.put_new(f"{UPLOADED_INPUTS}/{uploaded_name(name)}", data)

    async with asyncio.TaskGroup() as copies:
        for name in {name for edit in edits for name in edit.images if not is_url(name)}:
            await copying.acquire()
            copies.create_task(copy(name)).add_done_callback(lambda _: copying.release())


def uploaded_name(name: str) -> str:
    """The name of the picture *name* in the job folder, different for every path."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def bucket_inputs(roots: Roots, out: str) -> Callable[[str], str | None]:
    """Finds inputs for a report in the bucket of *out*, relative to that folder, as in the bucket's web view."""
    home, folder = split_url(out)

    def find(name: str) -> str | None:
        try:
            url = roots.object_of(name)
        except InvalidInput:
            return None
        bucket, key = split_url(url or "")
        return quote(posixpath.relpath(f"/{key}", f"/{folder}"), safe="/") if bucket == home else None

    return find


def _as_uploaded(edit: Edit) -> Edit:
    images = tuple(name if is_url(name) else uploaded_name(name) for name in edit.images)
    return msgspec.structs.replace(edit, images=images)
