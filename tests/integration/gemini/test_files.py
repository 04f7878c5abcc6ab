"""Pictures that no request holds, through the Files API: over real HTTP, against the emulator and its faults."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.attempt import Verdict
from pipeline.errors import InvalidInput
from pipeline.gemini.client import Client
from pipeline.gemini.emulator import Emulator, Options, Studio, read_mark, rule, token_of
from pipeline.gemini.fileapi import CHUNK, FileApi, Refused, Session
from pipeline.gemini.files import UPLOADS, Files, RowFiles
from pipeline.gemini.judgement import Judgement, Scope
from pipeline.gemini.request import ImageRequest
from pipeline.gemini.verdict import file_gone, judge
from pipeline.picture import SentPicture, prepare
from tests.integration.gemini.wire import KEY, Request, http, picture, received, serving

PHOTO = Path(__file__).parents[3] / "examples" / "pictures" / "astronaut.jpg"
MODEL = "gemini-nano-banana-2.1"


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(Options(studio=Studio(shrink=6))) as running:
        yield running


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[Client]:
    async with Client(key=KEY, base_url=emulator.url, inline_bytes=1000) as running:
        yield running


@pytest.fixture
def photo(tmp_path: Path) -> SentPicture:
    return prepare(PHOTO, tmp_path)


def variant(tmp_path: Path, name: str, size: int = 0) -> SentPicture:
    """The photo with something behind its end, as cameras leave it: other bytes, another hash."""
    path = tmp_path / f"{name}.jpg"
    path.write_bytes(PHOTO.read_bytes() + name.encode() + bytes(size))
    made = picture(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return SentPicture(
        path=path, mime_type="image/jpeg", bytes=made.bytes, sha256=digest,
        width=1, height=1, original_sha256=digest, original_mime_type="image/jpeg",
    )  # fmt: skip


def files_of(client: Client, *pictures: SentPicture) -> RowFiles:
    files = client.files_of_row(pictures)
    assert files is not None
    return files


async def edit(client: Client, files: RowFiles, *pictures: SentPicture) -> Judgement:
    request = ImageRequest(model=MODEL, prompt="blue", pictures=pictures, uploaded=files.uris)
    async with client.call(request, timeout=20) as reply:
        return file_gone(judge(reply), files.uris.values())


async def test_the_picture_painted_is_of_what_was_uploaded(client, emulator, photo, tmp_path):
    """A small one beside it stays in the request; at the end nothing is left at the API."""
    small = tmp_path / "small.jpg"
    small.write_bytes(b"\xff\xd8\xff\xe0 nothing that would be decoded")
    files = files_of(client, picture(small), photo)
    assert await files.upload(20) is None
    assert list(files.uris) == [photo.sha256]
    judged = await edit(client, files, photo)
    assert judged.verdict is Verdict.IMAGE
    assert read_mark(bytes(judged.picture or b"")) == token_of("blue", [PHOTO.read_bytes()])
    (upload,) = emulator.ledger.uploads()
    assert (upload.sha256, upload.mime_type, upload.calls) == (photo.sha256, "image/jpeg", 1)
    assert upload.display_name == f"retouch {photo.sha256[:12]}"
    files.release()
    await client.aclose()
    assert emulator.ledger.summary()["files_left"] == 0


async def test_a_row_that_fits_asks_for_nothing(emulator, photo):
    """No request, and nothing is made that could make one."""
    async with Client(key=KEY, base_url=emulator.url) as client:
        assert client.files_of_row([photo]) is None
        assert client.files_of_row([]) is None
    assert emulator.ledger.summary()["uploads"] == 0


async def test_several_rows_and_tries_share_one_upload(client, emulator, photo):
    """At the same time or one after the other."""
    rows = [files_of(client, photo) for _ in range(8)]
    assert await asyncio.gather(*(row.upload(20) for row in rows)) == [None] * 8
    for row in rows:
        row.release()
    later = files_of(client, photo)
    assert await later.upload(20) is None
    assert await later.upload(20) is None
    assert len({row.uris[photo.sha256] for row in (*rows, later)}) == 1
    assert emulator.ledger.summary()["uploads"] == 1


async def test_few_are_uploaded_at_a_time_and_each_piece_is_a_sign_of_life(tmp_path):
    """However many rows wait for theirs."""
    pictures = [variant(tmp_path, str(number)) for number in range(3 * UPLOADS)]
    under_way, most = 0, 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        while True:
            starts = (await received(reader)).headers.get("x-goog-upload-command") == "start"
            under_way += 1 if starts else -1
            most = max(most, under_way)
            fields = "X-Goog-Upload-URL: http://x/y?upload_id=z" if starts else "X-Goog-Upload-Status: final"
            writer.write(http(b'{"file":{"name":"files/a","uri":"u","state":"ACTIVE"}}', 200, fields))
            await writer.drain()

    async with (
        serving(handle) as port,
        Client(key=KEY, base_url=f"http://127.0.0.1:{port}", inline_bytes=1) as client,
    ):
        assert client.last_piece == 0
        began = time.monotonic()
        rows = [files_of(client, one) for one in pictures]
        assert await asyncio.gather(*(row.upload(20) for row in rows)) == [None] * len(rows)
        assert began < client.last_piece <= time.monotonic()
    assert most == UPLOADS


async def test_memory_is_bounded_by_a_piece_and_not_by_the_picture(client, emulator, tmp_path):
    """60 MB, in requests of 8 MiB, whole and in order."""
    large = variant(tmp_path, "large", 60_000_000)
    peak = []
    async with _counting(peak) as (url, digest), Client(key=KEY, base_url=url, inline_bytes=1) as plain:
        tracemalloc.start()
        try:
            assert await files_of(plain, large).upload(20) is None
            peak.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert digest.hexdigest() == large.sha256
    assert peak[-1] < 6_000_000
    assert await files_of(client, large).upload(20) is None
    (upload,) = emulator.ledger.uploads()
    assert upload.sha256 == large.sha256


@asynccontextmanager
async def _counting(lengths: list[int]) -> AsyncIterator[tuple[str, Any]]:
    """A Files API that keeps nothing but a hash, so that what memory holds is the client's."""
    digest = hashlib.sha256()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
            request = Request(head, b"")
            left = int(request.headers.get("content-length", 0))
            starts = request.headers.get("x-goog-upload-command") == "start"
            lengths.append(left)
            while left:
                piece = await reader.read(min(left, 65536))
                left -= len(piece)
                if not starts:
                    digest.update(piece)
            final = "finalize" in request.headers.get("x-goog-upload-command", "")
            fields = ["X-Goog-Upload-URL: http://nowhere.example/here?upload_id=secret"] if starts else []
            fields.append(f"X-Goog-Upload-Status: {'final' if final else 'active'}")
            writer.write(http(b'{"file":{"name":"files/a","uri":"u","state":"ACTIVE"}}', 200, *fields))
            await writer.drain()

    async with serving(handle) as port:
        yield f"http://127.0.0.1:{port}", digest
    assert max(lengths) <= CHUNK


async def test_the_address_for_the_bytes_is_believed_but_for_its_host(tmp_path, photo):
    """Key and picture go to the root that the user has chosen, as Google's SDK does it; the secret is not told."""
    seen: list[Request] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append(await received(reader))
            first = len(seen) == 1
            where = "X-Goog-Upload-URL: https://evil.example:1/up/load?upload_id=s3cret&a=%2B"
            writer.write(http(b"{}", 200, where) if first else http(b'{"error":{"message":"no"}}', 418))
            await writer.drain()

    async with serving(handle) as port, Client(key=KEY, base_url=f"http://127.0.0.1:{port}/gw") as client:
        api = FileApi(client.send, client._reader, KEY)
        with pytest.raises(Refused) as caught:
            await api.upload(photo, Session(), timeout=5)
    assert [request.target for request in seen] == [
        "/gw/upload/v1beta/files",
        "/up/load?upload_id=s3cret&a=%2B",
    ]
    assert seen[1].body == PHOTO.read_bytes()
    assert seen[1].headers["host"] == f"127.0.0.1:{port}"
    assert "s3cret" not in str(caught.value.judgement)
    assert (caught.value.judgement.verdict, caught.value.judgement.counted) == (
        Verdict.INVALID_REQUEST,
        False,
    )


FAULTS = [
    (rule("status", on="start", code=503), Verdict.OVERLOADED, Scope.MODEL),
    (rule("status", on="start", code=429), Verdict.THROTTLED, Scope.MODEL),
    (rule("bare_429", on="upload"), Verdict.THROTTLED, Scope.MODEL),
    (rule("status", on="start", code=403), Verdict.DENIED, Scope.ACCOUNT),
    (rule("status", on="start", code=400, reason="API_KEY_INVALID"), Verdict.DENIED, Scope.ACCOUNT),
    (rule("status", on="start", code=400), Verdict.INVALID_REQUEST, Scope.ROW),
    (rule("status", on="start", code=404), Verdict.INVALID_REQUEST, Scope.ROW),
    (rule("status", on="upload", code=504), Verdict.TIMEOUT, Scope.ROW),
    (rule("gateway_html", on="upload"), Verdict.OVERLOADED, Scope.MODEL),
    (rule("redirect", on="start"), Verdict.OVERLOADED, Scope.MODEL),
    (rule("hang", on="start"), Verdict.NETWORK, Scope.NONE),
    (rule("hang", on="upload"), Verdict.NETWORK, Scope.NONE),
    (rule("reset", on="start"), Verdict.NETWORK, Scope.NONE),
    (rule("reset", on="upload"), Verdict.NETWORK, Scope.NONE),
    (rule("elsewhere", url="https://x.example:port/"), Verdict.OVERLOADED, Scope.MODEL),
    (rule("elsewhere", url="https://x.example/nothing/here"), Verdict.INVALID_REQUEST, Scope.ROW),
    (rule("elsewhere", url="https://x.example/v1beta/models"), Verdict.INVALID_REQUEST, Scope.ROW),
    (rule("file", final="FAILED", error="too odd"), Verdict.INVALID_REQUEST, Scope.ROW),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "verdict", "scope"), FAULTS)
async def test_a_failed_upload_is_judged_as_a_call_is_and_is_no_try(
    emulator, client, photo, fault, verdict, scope
):
    """And the next is made anew."""
    emulator.order(fault)
    judged = await files_of(client, photo).upload(0.5 if fault.answer == "hang" else 20)
    assert judged is not None
    assert (judged.verdict, judged.scope, judged.counted, judged.unknown) == (verdict, scope, False, False)
    emulator.order()
    assert await files_of(client, photo).upload(20) is None
    assert "redirects_followed" not in emulator.ledger.summary()


async def test_an_upload_that_broke_off_goes_on_from_there(emulator, client, tmp_path):
    """Of three pieces the second is refused, and the third lost on its way."""
    large = variant(tmp_path, "large", 2 * CHUNK + 1000)
    emulator.order(rule("status", on="upload", code=503, nth=2), rule("reset", on="upload", nth=3))
    files = files_of(client, large)
    assert [judged.verdict for _ in "ab" if (judged := await files.upload(20))] == ["overloaded", "network"]
    assert await files.upload(20) is None
    (upload,) = emulator.ledger.uploads()
    assert (upload.sha256, upload.bytes) == (large.sha256, large.bytes)


@pytest.mark.parametrize("code", [400, 404, 410])
async def test_an_upload_of_which_nothing_is_known_any_more_begins_anew(emulator, client, tmp_path, code):
    large = variant(tmp_path, "large", CHUNK)
    emulator.order(rule("reset", on="upload", nth=2), rule("status", on="query", code=code))
    files = files_of(client, large)
    assert await files.upload(20) is not None
    assert await files.upload(20) is None
    assert [upload.uploaded for upload in emulator.ledger.uploads()] == [False, True]


async def test_an_upload_is_not_given_up_because_nobody_can_say_how_far_it_is(emulator, client, tmp_path):
    large = variant(tmp_path, "large", CHUNK)
    emulator.order(rule("reset", on="upload", nth=1), rule("status", on="query", code=503, times=1))
    files = files_of(client, large)
    assert [judged.verdict for _ in "ab" if (judged := await files.upload(20))] == ["network", "overloaded"]
    assert await files.upload(20) is None
    assert emulator.ledger.summary()["uploads"] == 1


async def test_why_a_picture_cannot_be_used_is_said_and_it_is_deleted(emulator, client, photo):
    emulator.order(rule("file", final="FAILED", polls=1, error="too odd"))
    judged = await files_of(client, photo).upload(20)
    assert judged is not None
    assert judged.detail == "Files API: the picture cannot be used: too odd"
    await client.aclose()
    assert emulator.ledger.summary()["files_left"] == 0


async def test_a_file_that_is_worked_on_is_waited_for(emulator, client, photo):
    """As long as that has a chance."""
    emulator.order(rule("file", polls=3))
    files = files_of(client, photo)
    assert await files.upload(20) is None
    assert (await edit(client, files, photo)).verdict is Verdict.IMAGE
    emulator.order(rule("file", polls=10**6))
    api = FileApi(client.send, client._reader, KEY, processing=0.3)
    with pytest.raises(Refused) as caught:
        await api.ready(await api.upload(photo, Session(), timeout=5))
    assert caught.value.judgement.verdict is Verdict.OVERLOADED


async def test_a_file_that_is_gone_is_uploaded_once_more_for_all(emulator, client, photo):
    """Whether it was deleted, is another project's, or has run out: neither key nor model is at fault."""
    rows = [files_of(client, photo) for _ in range(3)]
    for row in rows:
        await row.upload(20)
    (upload,) = emulator.ledger.uploads()
    async with httpx.AsyncClient(headers={"x-goog-api-key": KEY}, trust_env=False) as other:
        (await other.delete(f"{emulator.url}/v1beta/{upload.name}")).raise_for_status()
    for row in rows:
        judged = await edit(client, row, photo)
        assert (judged.verdict, judged.scope, judged.http_status) == (Verdict.FILE_GONE, Scope.ROW, 403)
        row.forget(judged.detail or "")
        assert await row.upload(20) is None
        assert (await edit(client, row, photo)).verdict is Verdict.IMAGE
    assert emulator.ledger.summary()["uploads"] == 2


async def test_a_file_is_not_named_when_its_life_is_nearly_over(emulator, client, photo):
    emulator.order(rule("file", seconds=0.0, times=1))
    files = files_of(client, photo)
    await files.upload(20)
    first = dict(files.uris)
    await files.upload(20)
    await files.upload(20)
    assert files.uris != first
    assert emulator.ledger.summary()["uploads"] == 2


async def test_what_no_row_needs_is_kept_up_to_a_bound_and_the_oldest_goes(emulator, tmp_path):
    pictures = [variant(tmp_path, name) for name in "abcd"]
    room = 2 * pictures[0].bytes
    async with Client(key=KEY, base_url=emulator.url) as client:
        files = Files(FileApi(client.send, client._reader, KEY), idle_bytes=room)
        rows = [files.of_row([one]) for one in pictures]
        for row in rows:
            assert await row.upload(20) is None
        assert _left(emulator) == {one.sha256 for one in pictures}
        for row in rows:
            row.release()
        await _until(lambda: _left(emulator) == {one.sha256 for one in pictures[2:]})
        await files.aclose()
    assert not _left(emulator)


async def test_a_deletion_that_fails_harms_nothing_and_is_told_once(emulator, client, tmp_path, caplog):
    emulator.order(rule("status", on="delete", code=500), rule("file", seconds=0.0, times=1))
    for name in "gone", "a", "b":
        await files_of(client, variant(tmp_path, name)).upload(20)
    with caplog.at_level(logging.WARNING, "retouch"):
        await client.aclose()
    (said,) = caplog.messages
    assert said.startswith("file_not_deleted name=files/")
    assert said.endswith(
        "48 hours: Files API: INTERNAL: An internal error has occurred. Please retry or report in "
        "https://developers.generativeai.google"
    )


async def test_an_upload_that_nobody_waits_for_ends(emulator, client, photo):
    """A row that was stopped leaves none behind."""
    emulator.order(rule("hang", on="finish", times=1))
    files = files_of(client, photo)
    waiting = asyncio.create_task(files.upload(20))
    await _until(lambda: any(upload.bytes for upload in emulator.ledger.uploads()))
    waiting.cancel()
    await asyncio.wait([waiting])
    files.release()
    again = files_of(client, photo)
    assert await again.upload(20) is None
    assert emulator.ledger.summary()["uploads"] == 2


async def test_a_picture_that_changes_under_way_is_said_to_whom_it_belongs(emulator, client, tmp_path):
    """Another row with the same bytes elsewhere goes on by itself."""
    mine, others = variant(tmp_path, "mine"), tmp_path / "others.jpg"
    others.write_bytes(mine.path.read_bytes())
    twin = SentPicture(**{**{name: getattr(mine, name) for name in mine.__struct_fields__}, "path": others})
    mine.path.write_bytes(b"shorter")
    first, second = files_of(client, mine), files_of(client, twin)
    came = await asyncio.gather(first.upload(20), second.upload(20), return_exceptions=True)
    assert isinstance(came[0], InvalidInput)
    assert came[0].code == "changed"
    assert isinstance(came[1], Judgement)
    assert (came[1].verdict, came[1].counted) == (Verdict.NETWORK, False)
    assert await second.upload(20) is None


async def test_the_key_is_in_no_address_and_in_nothing_that_is_told(emulator, client, photo, caplog):
    emulator.order(rule("status", on="upload", code=503, message=f"busy with {KEY}"))
    with caplog.at_level(logging.DEBUG, "retouch"):
        judged = await files_of(client, photo).upload(20)
    assert judged is not None
    assert KEY not in str(judged)
    assert KEY not in caplog.text


def _left(emulator: Emulator) -> set[str]:
    return {one.sha256 for one in emulator.ledger.uploads() if one.uploaded and not one.deleted}


async def _until(condition: Callable[[], object]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("waited too long")
