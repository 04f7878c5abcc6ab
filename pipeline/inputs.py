"""A row's pictures: checked before money is spent, and prepared for sending."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from pipeline.edit import Edit, Fault
from pipeline.errors import InvalidInput
from pipeline.picture import HEAD, MAX_BYTES, SentPicture, admit, discard, prepare
from pipeline.roots import Roots, RootUnseen, find_picture, is_url, locate_picture, machine_at_fault, refusal
from pipeline.store.bucket import split_url
from pipeline.urls.addresses import check_url, shown
from pipeline.urls.bucketpaths import bucket_of
from pipeline.urls.fetch import BucketRefused, Fetcher

#: Seconds for one download, including its retries and waits.
DOWNLOAD_SECONDS = 60.0

#: Opens a row's input pictures and cleans up after them; raises ``InvalidInput``.
Inputs = Callable[[Edit], AbstractAsyncContextManager[tuple[SentPicture, ...]]]


class Glance(NamedTuple):
    """The result of a :func:`glance` at a row's pictures: faults, and types and sizes of the local ones."""

    faults: tuple[Fault, ...]
    mime_types: tuple[str, ...]
    sizes: tuple[int, ...]


def glance(edit: Edit, roots: Roots) -> Glance:
    """Check a row's pictures by size and first bytes alone. URLs are checked, but not fetched.

    Raises:
        RootUnseen: the root is not there on this machine.
    """
    faults, types, sizes = [], [], []
    for name in edit.images:
        try:
            if roots.object_of(name):
                continue
            if is_url(name):
                check_url(name, allow_private=roots.allow_private_urls)
                continue
            mime_type, size = _glance(name, roots)
            types.append(mime_type)
            sizes.append(size)
        except InvalidInput as fault:
            faults.append(fault_of(edit, fault))
    try:
        _check_total(sum(sizes), edit)
    except InvalidInput as fault:
        faults.append(fault_of(edit, fault))
    return Glance(tuple(faults), tuple(types), tuple(sizes))


def fault_of(edit: Edit, error: InvalidInput) -> Fault:
    """*error* as a fault of the row *edit*; without a column of its own, in the one that names the pictures."""
    column = error.column or ("image" if len(edit.images) == 1 else "images")
    return Fault(code=error.code, message=error.message, row=edit.row, line=edit.line, column=column)


async def gather(
    edit: Edit, roots: Roots, spool: Path, fetcher: Fetcher | None = None
) -> tuple[SentPicture, ...]:
    """The pictures of *edit*, ready to be sent, in order; pass them to :func:`discard` afterwards.

    The disk is accessed in threads only, once per picture. Downloads and conversions are put into *spool*.
    Rows should share a *fetcher*, which keeps its connections; without one, each URL gets its own.

    Raises:
        InvalidInput: the row can never be sent.
        RootUnseen: the root is not there on this machine.
        StoreError: *spool* refused a file.
    """
    pictures: list[SentPicture] = []
    try:
        for name in edit.images:
            remote = roots.object_of(name) or (name if is_url(name) else None)
            if remote:
                async with nullcontext(fetcher) if fetcher else Fetcher() as mine:
                    pictures.append(await _downloaded(remote, name, roots, spool, mine))
            else:
                pictures.append(await asyncio.to_thread(_local, name, roots, spool))
        _check_total(sum(picture.bytes for picture in pictures), edit)
    except BaseException:
        discard(pictures)
        raise
    return tuple(pictures)


@asynccontextmanager
async def gathered(
    edit: Edit, roots: Roots, spool: Path, fetcher: Fetcher | None = None
) -> AsyncIterator[tuple[SentPicture, ...]]:
    """:func:`gather`, and :func:`discard` at the end of the block."""
    pictures = await gather(edit, roots, spool, fetcher)
    try:
        yield pictures
    finally:
        discard(pictures)


async def _downloaded(url: str, name: str, roots: Roots, spool: Path, fetcher: Fetcher) -> SentPicture:
    path = await asyncio.to_thread(_spool_file, spool)
    keep = False
    try:
        await fetcher.download(
            url, path, allow_private=roots.allow_private_urls, max_bytes=MAX_BYTES, seconds=DOWNLOAD_SECONDS
        )
        label = shown(name) if is_url(name) else name
        picture = await asyncio.to_thread(prepare, path, spool, name=label)
        keep = picture.path == path
    except BucketRefused as error:
        # If the job's own bucket cannot be read from here, that is not the row's fault.
        if split_url(url)[0] in (*roots.buckets, *bucket_of(str(roots.root))):
            raise RootUnseen(str(error)) from error
        raise InvalidInput("unreachable", str(error)) from error
    finally:
        if not keep:
            with suppress(OSError):
                path.unlink()
    return msgspec.structs.replace(picture, temporary=True)


def _spool_file(spool: Path) -> Path:
    spool.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp("", "fetched-", spool)
    os.close(handle)
    return Path(name)


def _local(name: str, roots: Roots, spool: Path) -> SentPicture:
    path = locate_picture(name, roots)
    try:
        return prepare(path, spool, name=name)
    except InvalidInput as fault:
        if fault.code == "missing":
            roots.look()
        raise
    except OSError as error:
        raise machine_at_fault(error, roots) from error


def _glance(name: str, roots: Roots) -> tuple[str, int]:
    """Type and size in bytes of the local picture that *name* means."""
    path, status = find_picture(name, roots)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            head = os.read(file, HEAD)
        finally:
            os.close(file)
    except OSError as error:
        raise refusal(error, name, roots) from error
    return admit(head, status.st_size, name), status.st_size


def _check_total(size: int, edit: Edit) -> None:
    if size > MAX_BYTES and len(edit.images) > 1:
        limit = f"a row may send {MAX_BYTES / 1e6:.0f} MB"
        raise InvalidInput(
            "too_large", f"the row's pictures have {size / 1e6:.1f} MB, and {limit}: make them smaller"
        )
