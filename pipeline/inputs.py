"""Where a row's pictures are: under the manifest's folder, or at a URL.

A path is resolved, links and all, before it is held against the root, so that neither ``..`` nor a link leads
out of it. Only regular files are opened.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec

from pipeline.addresses import check_url, shown
from pipeline.bucketpaths import bucket_of, meant
from pipeline.edit import Edit, Fault
from pipeline.errors import InvalidInput, RetouchError, UsageError
from pipeline.fetch import BucketRefused, Fetcher
from pipeline.picture import MAX_BYTES, SentPicture, admit, discard, open_refused, prepare
from pipeline.store.bucket import parted

#: Seconds for one download, its tries and waits included.
DOWNLOAD_SECONDS = 60.0

_HEAD = 64
_WINDOWS = re.compile(r"[A-Za-z]:/|//")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class RootUnseen(RetouchError):  # noqa: N818 - it names what is wrong with this machine
    """This machine cannot see the folder of the pictures: the job waits, its rows are not at fault."""


@dataclass(frozen=True, kw_only=True)
class Roots:
    """Where pictures may come from.

    Attributes:
        root: absolute folder that relative paths start from, as it is called where the job was made; or the URL of
            a folder in a bucket.
        allow_outside: paths may leave the root.
        allow_private_urls: URLs may lead to addresses that are not public.
        buckets: URLs of buckets that rows may name without *allow_outside*.
        root_map: pairs (from, to): how folders are called on this machine; the longest that fits wins.
    """

    root: Path | str
    allow_outside: bool = False
    allow_private_urls: bool = False
    buckets: tuple[str, ...] = ()
    root_map: tuple[tuple[str, str], ...] = ()

    @cached_property
    def here(self) -> str:
        """The root on this machine, without links.

        Raises:
            RootUnseen: it is no folder here.
        """
        mapped = self.mapped(str(self.root))
        if not os.path.isdir(mapped):  # noqa: PTH112 - strings all the way: this runs for each picture
            raise RootUnseen(
                f"This machine cannot see {mapped}, where the job's pictures are: mount it, map it with "
                "RETOUCH_ROOT_MAP=/there=/here, or submit again with --upload"
            )
        return os.path.realpath(mapped)

    def object_of(self, name: str) -> str | None:
        """The URL of the object in a bucket that *name* means, ``None`` when it means something else.

        Raises:
            InvalidInput: ``bad_url`` or ``outside``.
        """
        root = self.root if isinstance(self.root, str) else None
        return meant(name, root, self.buckets, allow_outside=self.allow_outside)

    def mapped(self, path: str) -> str:
        """The absolute *path* as it is called on this machine."""
        fitting = [
            pair for pair in self.root_map if path == pair[0] or path.startswith(pair[0].rstrip("/") + "/")
        ]
        if not fitting:
            return path
        there, here = max(fitting, key=lambda pair: len(pair[0]))
        return here.rstrip("/") + "/" + path[len(there) :].lstrip("/")

    def look(self) -> None:
        """See whether the root is still there.

        Raises:
            RootUnseen: it is not, so that a missing file says nothing about its row.
        """
        if not os.path.isdir(self.here):  # noqa: PTH112
            raise RootUnseen(
                f"{self.here}, where the job's pictures are, has gone from this machine: mount it again"
            )


def root_map(text: str) -> tuple[tuple[str, str], ...]:
    """The pairs of ``RETOUCH_ROOT_MAP``: ``/there=/here``, several separated by commas.

    Raises:
        UsageError: a pair is not two absolute paths.
    """
    pairs = [pair.partition("=") for pair in (piece.strip() for piece in text.split(",")) if pair]
    for there, _, here in pairs:
        if not (there.startswith("/") and here.startswith("/")):
            raise UsageError(f"RETOUCH_ROOT_MAP={text!r} is not /there=/here with absolute paths: mend it")
    return tuple((there, here) for there, _, here in pairs)


def is_url(name: str) -> bool:
    """Whether *name* is a URL of any scheme, rather than a path."""
    return bool(_SCHEME.match(name))


def locate(name: str, roots: Roots) -> Path:
    """The regular file that *name* means, without links.

    Raises:
        InvalidInput: ``missing``, ``outside``, ``unreadable`` or ``not_a_picture``.
        RootUnseen: the root is not there on this machine.
    """
    if isinstance(roots.root, str):
        raise InvalidInput("outside", f"{name[:200]} lies in a bucket, not on this machine")
    return Path(_find(name, roots)[0])


class Seen(NamedTuple):
    """What a :func:`glance` at a row's pictures shows: what is wrong, and the types of those that are there."""

    faults: tuple[Fault, ...]
    mime_types: tuple[str, ...]


def glance(edit: Edit, roots: Roots) -> Seen:
    """What a row's pictures are, by their size and first bytes. URLs are only read, not fetched.

    Raises:
        RootUnseen: the root is not there on this machine.
    """
    faults, types, total = [], [], 0
    for name in edit.images:
        try:
            if roots.object_of(name):
                continue
            if is_url(name):
                check_url(name, allow_private=roots.allow_private_urls)
                continue
            mime_type, size = _glance(name, roots)
            types.append(mime_type)
            total += size
        except InvalidInput as fault:
            faults.append(_fault(edit, fault))
    try:
        _check_total(total, edit)
    except InvalidInput as fault:
        faults.append(_fault(edit, fault))
    return Seen(tuple(faults), tuple(types))


def column_of(edit: Edit) -> str:
    """The column that names the pictures of *edit*."""
    return "image" if len(edit.images) == 1 else "images"


async def gather(
    edit: Edit, roots: Roots, spool: Path, fetcher: Fetcher | None = None
) -> tuple[SentPicture, ...]:
    """The pictures of *edit*, ready to be sent, in order; give them to :func:`discard` afterwards.

    The disk is touched in threads only, once for each picture. What is downloaded or converted lies in *spool*.
    Rows should share one *fetcher*, which keeps its connections; without it, each URL gets one of its own.

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
        # Rows are not at fault when the job's own bucket cannot be read from here.
        if parted(url)[0] in (*roots.buckets, *bucket_of(str(roots.root))):
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
    path = locate(name, roots)
    try:
        return prepare(path, spool, name=name)
    except InvalidInput as fault:
        if fault.code == "missing":
            roots.look()
        raise
    except OSError as error:
        raise _machine(error, roots) from error


def _glance(name: str, roots: Roots) -> tuple[str, int]:
    """Type and size in bytes of the local picture that *name* means."""
    path, status = _find(name, roots)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            head = os.read(file, _HEAD)
        finally:
            os.close(file)
    except OSError as error:
        raise _refusal(error, name, roots) from error
    return admit(head, status.st_size, name), status.st_size


def _fault(edit: Edit, fault: InvalidInput) -> Fault:
    return Fault(code=fault.code, message=fault.message, row=edit.row, line=edit.line, column=column_of(edit))


def _check_total(size: int, edit: Edit) -> None:
    if size > MAX_BYTES and len(edit.images) > 1:
        limit = f"{MAX_BYTES / 1e6:.0f} MB fit into a request"
        raise InvalidInput(
            "too_large", f"the row's pictures have {size / 1e6:.1f} MB, and {limit}: make them smaller"
        )


def _find(name: str, roots: Roots) -> tuple[str, os.stat_result]:
    if not name or "\0" in name:
        raise InvalidInput("missing", f"{name!r} is no file's name: mend the path")
    if name[:5].lower() == "data:":
        raise InvalidInput(
            "unsupported", "pictures inside the manifest (data:) are not taken: put it into a file"
        )
    root = roots.here
    path = roots.mapped(name) if name.startswith("/") else name
    inside = path.removeprefix(root.rstrip("/") + "/")
    try:
        parts = [part for part in inside.split("/") if part not in ("", ".")]
        found = None if inside.startswith("/") or ".." in parts else _walked(root, parts)
        path, status = found or _resolved(path, name, roots)
    except (OSError, ValueError) as error:
        raise _refusal(error, name, roots) from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise InvalidInput("not_a_picture", f"{name} is {what}: name a picture file")
    return path, status


def _walked(root: str, parts: list[str]) -> tuple[str, os.stat_result] | None:
    """The file below *root* where no part of the way is a link, else ``None``: a third of the cost of resolving."""
    path, status = root.rstrip("/"), None
    for part in parts:
        path = f"{path}/{part}"
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return None
    return (path, status) if status else None


def _resolved(path: str, name: str, roots: Roots) -> tuple[str, os.stat_result]:
    root = roots.here
    real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118
    if not roots.allow_outside and real != root and not real.startswith(root.rstrip("/") + "/"):
        mend = "move it inside, or pass --allow-outside"
        raise InvalidInput("outside", f"{name[:200]} lies outside {root}: {mend}")
    return real, os.stat(real)  # noqa: PTH116


def _refusal(error: OSError | ValueError, name: str, roots: Roots) -> InvalidInput:
    """Why *name* cannot be had, once it is sure that the fault is the row's."""
    try:
        fault = open_refused(error, name)
    except OSError:
        raise _machine(error, roots) from error
    if fault.code == "missing":
        roots.look()
        if _WINDOWS.match(name):
            mend = "write it relative to the manifest, with the pictures beside that"
            return InvalidInput("missing", f"{name} is a path of Windows, which leads nowhere here: {mend}")
    return fault


def _machine(error: BaseException, roots: Roots) -> RootUnseen:
    why = getattr(error, "strerror", None) or str(error)
    return RootUnseen(
        f"This machine cannot read pictures under {roots.here} ({why}): mend that, and the job goes on"
    )
