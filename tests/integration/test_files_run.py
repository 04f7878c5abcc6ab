"""Rows whose pictures no request holds: by `run` and by workers, through every fault of an upload."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from jobs.cli.options import DEFAULT_MODEL
from jobs.job_options import JobOptions
from jobs.manifests import manifest_of
from jobs.opening import open_job
from pipeline.gemini.client import Client
from pipeline.gemini.emulator import Emulator, rule
from pipeline.gemini.inline import INLINE_BYTES
from pipeline.local import LocalJob
from pipeline.status import State, Status
from pipeline.store import open_store
from pipeline.urls.fetch import Fetcher
from tests.integration.crew import Crew
from tests.integration.shop import KEY, Shop, status_of, wait_for

#: In place of 70 MB, where what matters is the fault and not the size: the first picture of `small` passes it.
SMALL = 3000


def enlarge(path: Path, size: int = INLINE_BYTES) -> None:
    """Give a PNG more than *size* bytes, in a chunk that every reader passes over."""
    data = path.read_bytes()
    chunk = b"prVt" + bytes(size)
    chunk = struct.pack(">I", size) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data[:33] + chunk + data[33:])


@pytest.fixture
def large(shop: Shop) -> Shop:
    """A manifest of two rows; the picture of the first is too large for a request."""
    shop.manifest(2)
    enlarge(shop.folder / "p1.png")
    return shop


@pytest.fixture
def small(shop: Shop) -> Shop:
    """The same, for a client whose requests hold :data:`SMALL` bytes."""
    shop.manifest(2)
    enlarge(shop.folder / "p1.png", SMALL)
    return shop


async def settled(
    shop: Shop, emulator: Emulator, started: Callable[[LocalJob], Any] | None = None, **options: Any
) -> Status:
    """`retouch run shop.csv --out out`, in this process and with small requests."""
    asked = JobOptions(
        manifest=str(shop.folder / "shop.csv"), model=DEFAULT_MODEL, store=str(shop.folder / "store"),
        out=str(shop.out), attempts=1, **options,
    )  # fmt: skip
    manifest = manifest_of(asked, shop.folder)
    folder, spec = await open_job(asked, manifest, shop.folder)
    job = LocalJob(folder, spec, manifest, open_store(asked.store))
    await job.planner.begin()
    async with Client(key=KEY, base_url=emulator.url, inline_bytes=SMALL) as client, Fetcher() as fetcher:
        assert await job.plan()
        watching = asyncio.create_task(started(job)) if started else None
        await job.call(client, fetcher, shop.folder)
        if watching:
            await watching
    return await job.finish()


def steps(record: dict[str, Any]) -> list[tuple[str, str]]:
    return [(attempt["step"], attempt["verdict"]) for attempt in record["attempts"]]


def left(emulator: Emulator) -> int:
    return int(emulator.ledger.summary()["files_left"])


def test_it_is_uploaded_once_for_all_variations_and_deleted(large, emulator):
    checked = large.retouch("check", "shop.csv", "--json")
    assert checked.returncode == 0, checked.stdout
    assert "1 row with more than 70 MB" in json.loads(checked.stdout)["notes"][0]
    assert emulator.ledger.summary()["uploads"] == 0

    emulator.order(rule("text_only", token="r1", times=1))
    done = large.run("--repeat", "3", "--max-in-flight", "1")

    assert done.returncode == 0, done.stderr
    assert status_of(done)["calls"] == 7
    (upload,) = emulator.ledger.uploads()
    assert (upload.calls, upload.deleted) == (4, True)
    first = large.records()[0]
    assert first["inputs"] == [{"path": "p1.png", "sha256": upload.sha256, "mime_type": "image/png"}]
    assert steps(first) == [("edit", "text_only"), ("edit", "image")]
    assert KEY not in done.stderr


async def test_pictures_that_only_together_are_too_large_keep_their_order(shop, emulator):
    """The largest goes ahead, the others stay in the request."""
    for name, size in (("a.png", 10), ("b.png", SMALL - 500), ("c.png", 400)):
        Image.new("RGB", (64, 48), "red").save(shop.folder / name)
        enlarge(shop.folder / name, size)
    (shop.folder / "shop.csv").write_text("images,prompt\na.png|b.png|c.png,put them together [[x]]\n")

    assert (await settled(shop, emulator)).outcomes["done"] == 1

    (upload,) = emulator.ledger.uploads()
    assert upload.bytes > SMALL - 500
    (call,) = emulator.ledger.calls()
    assert call.inputs == 3
    assert call.bytes_received < SMALL


async def test_every_fault_of_an_upload_is_waited_out_and_none_is_a_try(small, emulator):
    """Refused, cut off, late, run out: the row is done by its one try, and was paid for once."""
    emulator.order(
        rule("status", on="start", code=503, times=1),
        rule("reset", on="upload", times=1),
        rule("status", on="finish", code=504, times=1),
        rule("file", seconds=0.0, times=1),
    )

    status = await settled(small, emulator)

    first, second = small.records()
    assert steps(first) == [
        ("upload", "overloaded"),
        ("upload", "network"),
        ("upload", "timeout"),
        ("edit", "file_gone"),
        ("edit", "image"),
    ]
    assert [attempt["counted"] for attempt in first["attempts"]] == [False] * 4 + [True]
    assert [attempt["begun"] for attempt in first["attempts"]] == [False] * 3 + [True] * 2
    assert (first["calls"], first["calls_unknown"]) == (2, 0)
    assert steps(second) == [("edit", "image")]
    assert (status.calls, emulator.ledger.summary()["paid"]) == (3, 2)
    small.check_pictures()


async def test_rows_that_fit_do_not_wait_for_the_limits_of_uploads(small, emulator):
    """The API asks an upload to wait; the other row is done meanwhile."""
    emulator.order(rule("status", on="start", code=429, retry_delay=2.0, times=1))

    await settled(small, emulator)

    first, second = small.records()
    assert steps(first) == [("upload", "throttled"), ("edit", "image")]
    assert second["settled_at"] < first["attempts"][1]["started_at"]


async def test_a_picture_that_the_api_cannot_use_fails_its_row_alone(small, emulator):
    emulator.order(rule("file", final="FAILED", error="too odd"))

    await settled(small, emulator)

    first, second = small.records()
    assert (first["outcome"], first["calls"], first["cost_usd"]) == ("failed", 0, 0.0)
    assert first["reason"].startswith("invalid_request: ")
    assert first["reason"].endswith("(Files API: the picture cannot be used: too odd)")
    assert second["outcome"] == "done"
    assert left(emulator) == 0


async def test_a_refused_key_halts_the_job_and_the_next_run_goes_on(small, emulator):
    emulator.order(rule("status", on="start", code=403))

    status = await settled(small, emulator)

    assert status.state is State.HALTED
    assert "denied: the API rejected the job's calls (HTTP 403: Files API: " in str(status.state_reason)
    emulator.order()
    assert (await settled(small, emulator)).outcomes["done"] == 2
    assert emulator.ledger.summary()["paid"] == 2


async def test_a_file_that_is_gone_for_ever_fails_its_row_and_halts_nothing(small, emulator):
    emulator.order(rule("file", seconds=0.0))

    await settled(small, emulator)

    first, second = small.records()
    assert first["reason"].startswith("file_gone: the API does not find the uploaded picture 2 times")
    assert (first["outcome"], second["outcome"]) == ("failed", "done")
    assert emulator.ledger.summary()["uploads"] == 2


async def test_a_row_waits_an_hour_for_uploads_those_that_hang_included(small, emulator):
    """Of that hour, what has gone by is known to the next run."""
    emulator.order(rule("hang", on="start"))

    async def stop(job: LocalJob) -> None:
        while emulator.ledger.summary()["uploads"] < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the emulator is in another thread
        job.interrupt()

    await settled(small, emulator, stop, timeout=0.7)

    (tried,) = [json.loads(path.read_bytes()) for path in small.out.rglob("1.2.tried")]
    assert tried["waited"] > 2 * 0.7 + 0.5
    assert [attempt["verdict"] for attempt in tried["attempts"]] == ["network", "network"]


async def test_who_dies_in_the_second_upload_has_no_call_without_an_answer(small, emulator):
    """The first file had run out, and the API had said so."""
    emulator.order(rule("hang", on="start", nth=2), rule("file", seconds=0.0, times=1))

    async def look(job: LocalJob) -> None:
        while emulator.ledger.summary()["uploads"] < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the emulator is in another thread
        (tried,) = [json.loads(path.read_bytes()) for path in small.out.rglob("1.1.tried")]
        assert (tried["attempts"][0]["verdict"], tried["calls_unknown"]) == ("file_gone", 0)
        job.interrupt()

    await settled(small, emulator, look)


async def test_a_job_that_is_stopped_in_an_upload_has_paid_for_nothing(small, emulator):
    """Nothing is waited for and nothing is unknown: the next run makes the row's first call."""
    emulator.order(rule("hang", on="upload", times=1))

    async def stop(job: LocalJob) -> None:
        while not any(upload.bytes for upload in emulator.ledger.uploads()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the emulator is in another thread
        assert not list(small.out.rglob("1.*intent")), "who is killed here has made no call"
        assert (await job.status()).uploading == 1
        job.interrupt()

    status = await settled(small, emulator, stop)
    assert (status.state, status.outcomes["pending"], status.uploading) == (State.QUEUED, 1, 0)

    status = await settled(small, emulator)

    assert (status.calls, status.calls_unknown) == (2, 0)
    assert steps(small.records()[0]) == [("edit", "image")]
    assert emulator.ledger.summary()["paid"] == 2


def test_a_run_that_is_killed_in_a_call_leaves_its_file_to_the_api(large, emulator):
    """Which deletes it after 48 hours; nobody uses it again."""
    emulator.order(rule(token="r1", times=1, hold=True))
    process = large.start("run", "shop.csv", "--out", "out", "--json")
    wait_for(lambda: any(call.token == "r1" for call in emulator.ledger.calls()))
    process.kill()
    process.communicate(timeout=60)
    assert left(emulator) == 1

    done = large.run()

    assert done.returncode == 0, done.stderr
    assert status_of(done)["calls_unknown"] == 1
    assert [upload.deleted for upload in emulator.ledger.uploads()] == [False, True]


def test_a_worker_that_dies_in_an_upload_is_replaced_and_the_other_deletes_its_files_at_its_end(
    tmp_path, emulator, redis_url
):
    crew = Crew(tmp_path, emulator, redis_url)
    try:
        crew.manifest(2)
        enlarge(crew.folder / "p1.png")
        emulator.order(rule("hang", on="upload", times=1), rule("status", on="start", code=503, nth=2))
        first = crew.worker()
        job = crew.submit()
        wait_for(lambda: any(upload.bytes for upload in emulator.ledger.uploads()))
        wait_for(lambda: emulator.ledger.summary()["paid"] == 1)
        wait_for(lambda: crew.status(job)["uploading"] == 1)
        first.kill()
        crew.worker()
        crew.to_its_end(job)
        crew.check_everything_once(2)
        assert steps(crew.records()[0]) == [("upload", "overloaded"), ("edit", "image")]
        assert crew.records()[0]["calls_unknown"] == 0, "who dies in an upload has called for nothing"
        assert left(emulator) == 1, "kept for the next row that needs it"
        said = crew.ended_saying()
    finally:
        crew.end()
    assert left(emulator) == 0
    assert "upload_id" not in said
    assert KEY not in said
