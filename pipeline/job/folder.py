"""The job folder: where everything is, and what each file means.

::

    job.json                       the frozen specification
    control.json                   what is wanted now (ports.Wanted)
    images/<name>.<ext>            verified pictures
    results.jsonl, results.csv, report.json, report.html, report/
    .retouch/manifest.jsonl        standard input, spooled
    .retouch/source                size and hash of the manifest that the job began with
    .retouch/planned               the manifest was read completely: its size, hash, rows, shards
    .retouch/redis                 by which Redis the job's workers find each other (workers.shards.mark)
    .retouch/rounds/<r>            which shards have a round r: `retry` opened it (roundfiles)
    .retouch/shards/               what is planned and settled, shard by shard (planfiles, shardfiles)
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import msgspec

from pipeline.errors import JobError
from pipeline.job.decode import decode_file
from pipeline.job.planfiles import PlanFiles
from pipeline.job.roundfiles import RoundFiles
from pipeline.job.shardfiles import ShardFiles
from pipeline.job.spec import Spec
from pipeline.manifest import Fingerprint
from pipeline.ports import Wanted
from pipeline.price import Cost
from pipeline.store import Bytes, Store, open_store

#: Extensions of verified pictures, by their bytes; a picture without a record is looked for under each of them.
EXTENSIONS = ("png", "jpg", "webp", "gif", "avif", "heic", "heif")

SPOOLED_MANIFEST = ".retouch/manifest.jsonl"
UPLOADED_INPUTS = ".retouch/inputs"

#: What a job writes, where somebody may have put something else meanwhile.
_FILES = ("control.json", "report.json", "results.jsonl", "results.csv", "report.html")
_FOLDERS = ("images", "report", ".retouch", ".retouch/shards")

_encode = msgspec.json.encode


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """Says that the manifest was read completely; without this file, the job cannot finish.

    *cost_usd* is the estimate for one try of each row; if a price is unknown, it is ``None``, and *known_usd* is the
    estimate for the other rows.
    """

    bytes: int
    sha256: str
    rows: int
    shards: int
    cost_usd: float | None
    limit: int | None = None
    known_usd: float = 0.0

    @property
    def cost(self) -> Cost:
        """The estimate as a value."""
        return Cost(self.known_usd, whole=False) if self.cost_usd is None else Cost(self.cost_usd)


class JobFolder:
    """One job's folder in a store. Methods raise :class:`pipeline.errors.StoreError`.

    Attributes:
        store: where it is.
        rounds: the current round of each shard.
        plans: the rows of each shard.
        shards: which of them are settled, and how.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.rounds = RoundFiles(store)
        self.plans = PlanFiles(store, self.rounds)
        self.shards = ShardFiles(store, self.rounds, self.plans)

    @classmethod
    def at(cls, location: str) -> JobFolder:
        """The folder at *location*, a path or a URL."""
        return cls(open_store(location))

    async def spec(self) -> Spec | None:
        """The specification; ``None`` if there is no job.

        Raises:
            JobError: there is a ``job.json`` that is not ours.
        """
        data = await self.store.get("job.json")
        if data is None:
            return None
        self.store.anchor("job.json")
        try:
            return msgspec.json.decode(data, type=Spec)
        except msgspec.DecodeError as error:
            raise JobError(f"{self.store.url}/job.json is not a retouch job: choose another --out") from error

    async def create(self, spec: Spec) -> bool:
        """Write ``job.json``; false if another process was first.

        Raises:
            JobError: the folder already contains something else.
        """
        if await self.store.names(""):
            await self._refuse_a_stranger()
        created = await self.store.put_new("job.json", msgspec.json.format(_encode(spec), indent=2))
        if created:
            self.store.anchor("job.json")
            await self.store.put_new("control.json", _encode(Wanted()))
        return created

    async def _refuse_a_stranger(self) -> None:
        ours = {".retouch", "job.json"}
        others = [name for name in await self.store.names("") if name not in ours]
        if others and await self.store.get("job.json", 1) is None:
            raise JobError(
                f"{self.store.url} holds other files ({others[0]}, …) but no retouch job: "
                "choose an empty or new folder with --out"
            )

    async def check_writable(self) -> None:
        """Look at where the job will write, before anything is paid for that could not be kept.

        Raises:
            JobError: a folder stands in place of a file, a file in place of a folder, or one cannot be written.
        """
        root = self.store.folder
        if root is not None:
            await asyncio.to_thread(_check_places, root)

    async def wanted(self) -> Wanted:
        """What users currently want of the job."""
        data = await self.store.get("control.json")
        return Wanted() if data is None else decode_file(data, Wanted, f"{self.store.url}/control.json")

    async def want(self, wanted: Wanted) -> None:
        """Set what users want of the job."""
        await self.store.put("control.json", _encode(wanted))

    async def source(self) -> Fingerprint | None:
        """The manifest that the job began with."""
        data = await self.store.get(".retouch/source")
        return None if data is None else decode_file(data, Fingerprint, f"{self.store.url}/.retouch/source")

    async def begin_plan(self, source: Fingerprint) -> None:
        """Record which manifest the plans are made from."""
        await self.store.put_new(".retouch/source", _encode(source))

    async def change_source(self, source: Fingerprint) -> None:
        """Record that further plans are made from another manifest, which begins with the same rows."""
        await self.store.put(".retouch/source", _encode(source))

    async def planned(self) -> Planned | None:
        """The size and cost of the whole manifest; ``None`` until it was read completely."""
        data = await self.store.get(".retouch/planned")
        return None if data is None else decode_file(data, Planned, f"{self.store.url}/.retouch/planned")

    async def finish_plan(self, planned: Planned) -> None:
        """Record that every row is planned."""
        await self.store.put(".retouch/planned", _encode(planned))

    async def put_picture(self, name: str, extension: str, data: Bytes) -> str | None:
        """Store a verified picture; its path, or ``None`` if there is one of that name already."""
        path = f"images/{name}.{extension}"
        return path if await self.store.put_new(path, data) else None

    async def find_picture(self, name: str) -> str | None:
        """The path of the picture *name*, whatever its extension."""
        for extension in EXTENSIONS:
            path = f"images/{name}.{extension}"
            if await self.store.get(path, 1) is not None:
                return path
        return None


def _check_places(root: Path) -> None:
    for path in (root / name for name in _FILES):
        if path.is_dir():
            raise JobError(f"{path} is a folder, and the job writes a file there: move it away")
    for path in (root / name for name in _FOLDERS):
        if path.exists() and not path.is_dir():
            raise JobError(f"{path} is a file, and the job needs a folder there: move it away")
        if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
            raise JobError(
                f"{path} cannot be written: give this user permission to use it, or choose another --out"
            )
