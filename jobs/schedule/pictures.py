"""Incremental runs: which pictures of a folder are new or changed since the previous runs.

A picture that is done is not edited again until its bytes change, or the prompt, the model or another option does
(*how*; each combination of options has a memory of its own). A picture that was refused by policy or could not be
sent is not tried again either, since the result would be the same; one that failed or was never reached is.

Size and modification time are compared first, and the bytes only if these differ. What was settled is read from the
records of the previous run once it has ended; the memory can be rebuilt from the jobs' folders.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jobs.job_options import JobOptions
from jobs.manifests import roots_below
from jobs.schedule.book import ScheduleBook, pictures_path
from jobs.schedule.slots import Begun, Ended, Picked
from pipeline.errors import InvalidInput, StoreError
from pipeline.job.folder import SPOOLED_MANIFEST, JobFolder
from pipeline.job.spec import Spec
from pipeline.job.totals import over_shards
from pipeline.manifest import Chosen, open_pictures
from pipeline.record import InputPicture, Outcome
from pipeline.roots import Roots, locate_picture
from pipeline.store.bucket import Bucket, split_url

#: Outcomes that a further run would only repeat.
_FINAL = frozenset({Outcome.DONE, Outcome.BLOCKED, Outcome.INVALID})


class _Head(msgspec.Struct, frozen=True):
    """The first line of a memory: the last run that it includes."""

    folded: str | None = None


class _Seen(msgspec.Struct, frozen=True, array_like=True):
    """A picture as a run found it; *sha256* is ``None`` if it was not read, *settled*: not to be repeated."""

    image: str
    mark: str
    sha256: str | None
    settled: bool


class Memory(msgspec.Struct):
    """The results of a schedule's runs, by picture."""

    folded: str | None
    seen: dict[str, _Seen]


async def pick(book: ScheduleBook, name: str, asked: JobOptions, selection: Path) -> Picked:
    """Write the pictures that a run should edit to *selection*; how many there are.

    The run before must have ended.

    Raises:
        ManifestError: the folder cannot be read.
        StoreError: the memory cannot.
    """
    how = how_of(asked)
    memory = await _remembered(book, name, how)
    before = dict(memory.seen)
    picked = await asyncio.to_thread(_pick, memory, asked, selection)
    if memory.seen != before:
        await _remember(book, name, how, memory)
    return picked


def how_of(options: JobOptions | Spec) -> str:
    """A digest of the options that make one edit of a picture differ from another: twelve hexadecimal digits."""
    parts = [options.prompt, options.model, options.aspect_ratio, options.image_size, options.repeat]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:12]


def _pick(memory: Memory, asked: JobOptions, selection: Path) -> Picked:
    listing = open_pictures(asked.manifest, prompt=asked.prompt)
    roots = roots_below(listing.root, asked)
    counts = dict.fromkeys(Picked.__struct_fields__, 0)
    chosen = 0
    with selection.open("wb") as file:
        for picture in listing.marks():
            kind = _kind(picture, memory, roots)
            if kind != "unchanged" and asked.limit is not None and chosen >= asked.limit:
                kind = "left"
            counts[kind] += 1
            if kind not in ("unchanged", "left"):
                chosen += 1
                file.write(msgspec.json.encode(picture) + b"\n")
    return Picked(**counts)


def _kind(picture: Chosen, memory: Memory, roots: Roots) -> str:
    seen = memory.seen.get(picture.image)
    if seen is None:
        return "new"
    if seen.mark != picture.mark:
        if seen.sha256 is None or seen.sha256 != _sha256(picture.image, roots):
            return "changed"
        # Touched, copied or restored: the bytes are those that were edited.
        memory.seen[picture.image] = msgspec.structs.replace(seen, mark=picture.mark)
    return "unchanged" if seen.settled else "again"


def _sha256(image: str, roots: Roots) -> str | None:
    """The hash of a picture's bytes; ``None`` if they cannot be read, which its row will report."""
    try:
        url = roots.object_of(image)
        if url is None:
            return _hashed(locate_picture(image, roots))
        with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
            bucket, key = split_url(url)
            copy = Path(scratch, "picture")
            asyncio.run(Bucket(bucket).download(key, copy))
            return _hashed(copy)
    except (InvalidInput, StoreError, OSError):
        return None


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _remembered(book: ScheduleBook, name: str, how: str) -> Memory:
    """What is known about the pictures, for the options *how*."""
    last = await book.begun(name)
    if last is not None:
        await _learn(book, name, last)
    memory = await _stored(book, name, how)
    if memory is None:
        memory = Memory(None, {})
        for run in await _every_run(book, name):
            await _fold(memory, run, how)
        await _remember(book, name, how, memory)
    return memory


async def _learn(book: ScheduleBook, name: str, run: Begun) -> None:
    """Add the last run to the memory of its own options, which may have been changed since."""
    spec = await JobFolder.at(run.out).spec()
    memory = await _stored(book, name, how_of(spec)) if spec else None
    if spec is not None and memory is not None and memory.folded != run.job:
        await _fold(memory, run, how_of(spec))
        await _remember(book, name, how_of(spec), memory)


async def _stored(book: ScheduleBook, name: str, how: str) -> Memory | None:
    data = await book.store.get(pictures_path(name, how))
    return None if data is None else await asyncio.to_thread(_decoded, data)


async def _remember(book: ScheduleBook, name: str, how: str, memory: Memory) -> None:
    lines = [_Head(memory.folded), *memory.seen.values()]
    data = await asyncio.to_thread(lambda: b"\n".join(map(msgspec.json.encode, lines)))
    await book.store.put(pictures_path(name, how), data)


def _decoded(data: bytes) -> Memory:
    head, _, rest = data.partition(b"\n")
    seen = msgspec.json.Decoder(_Seen).decode_lines(rest)
    return Memory(msgspec.json.decode(head, type=_Head).folded, {entry.image: entry for entry in seen})


async def _every_run(book: ScheduleBook, name: str) -> list[Begun]:
    """All jobs that were started, the oldest first; for a memory that is new or was lost."""
    history = reversed(await book.history(name, None))
    begun = [Begun(run.job, run.out) for run in history if run.ended is Ended.STARTED and run.job and run.out]
    last = await book.begun(name)
    return begun if last is None or last in begun else [*begun, last]


async def _fold(memory: Memory, run: Begun, how: str) -> None:
    """Add the records of *run* to *memory*; a folder that was removed adds nothing."""
    memory.folded = run.job
    folder = JobFolder.at(run.out)
    spec = await folder.spec()
    data = await folder.store.get(SPOOLED_MANIFEST)
    planned = await folder.planned()
    if spec is None or data is None or planned is None or how_of(spec) != how:
        return
    tallies: dict[int, _Tally] = defaultdict(_Tally)
    await folder.rounds.refresh()
    async for lines in over_shards(planned.shards, folder.shards.settled_lines):
        await asyncio.to_thread(_count, tallies, lines, spec.repeat)
    for number, picture in enumerate(msgspec.json.Decoder(Chosen).decode_lines(data)):
        if number not in tallies and spec.limit is not None and number >= spec.limit:
            break
        memory.seen[picture.image] = tallies[number].seen(picture, spec.repeat)


class _Settled(msgspec.Struct, frozen=True):
    """The part of a record that matters here."""

    row: int
    outcome: Outcome
    inputs: tuple[InputPicture, ...] = ()


@dataclass(slots=True)
class _Tally:
    """The rows of a picture: how many are final, and the hash of their input."""

    final: int = 0
    sha256: str | None = None

    def seen(self, picture: Chosen, repeat: int) -> _Seen:
        return _Seen(picture.image, picture.mark, self.sha256, self.final == repeat)


def _count(tallies: dict[int, _Tally], lines: bytes, repeat: int) -> None:
    for record in msgspec.json.Decoder(_Settled).decode_lines(lines):
        tally = tallies[(record.row - 1) // repeat]
        tally.final += record.outcome in _FINAL
        if record.inputs:
            tally.sha256 = record.inputs[0].sha256 or tally.sha256
