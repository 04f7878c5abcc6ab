"""Where a job's pictures are for this machine: under its root, or uploaded into its folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import msgspec

from pipeline.edit import Edit
from pipeline.errors import InvalidInput
from pipeline.fetch import Fetcher
from pipeline.inputs import Roots, gathered, is_url, locate, root_map
from pipeline.job.folder import UPLOADED_INPUTS, JobFolder
from pipeline.job.spec import Spec
from pipeline.jobrun import Inputs
from pipeline.picture import SentPicture


def roots_of(spec: Spec) -> Roots:
    """Where this machine looks for the pictures of a job; ``RETOUCH_ROOT_MAP`` says what is called otherwise."""
    return Roots(
        root=Path(spec.out, UPLOADED_INPUTS) if spec.uploaded else Path(spec.root),
        allow_outside=spec.allow_outside and not spec.uploaded,
        allow_private_urls=spec.allow_private_urls,
        root_map=root_map(os.environ.get("RETOUCH_ROOT_MAP", "")),
    )


def inputs_of(spec: Spec, spool: Path, fetcher: Fetcher) -> Inputs:
    """How this process opens the pictures of the job's rows; what is fetched or converted lies in *spool*."""
    roots = roots_of(spec)

    def opened(edit: Edit) -> AbstractAsyncContextManager[tuple[SentPicture, ...]]:
        return gathered(_as_uploaded(edit) if spec.uploaded else edit, roots, spool, fetcher)

    return opened


async def upload(folder: JobFolder, edits: Iterable[Edit], roots: Roots) -> None:
    """Copy the local pictures of *edits* into the job folder; what cannot be found is left to the row's record."""
    for name in {name for edit in edits for name in edit.images if not is_url(name)}:
        with suppress(InvalidInput):
            data = await asyncio.to_thread(lambda path: path.read_bytes(), locate(name, roots))
            await folder.store.put_new(f"{UPLOADED_INPUTS}/{uploaded_name(name)}", data)


def uploaded_name(name: str) -> str:
    """What the picture *name* is called in the job folder: two paths never share a file."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def _as_uploaded(edit: Edit) -> Edit:
    images = tuple(name if is_url(name) else uploaded_name(name) for name in edit.images)
    return msgspec.structs.replace(edit, images=images)
