"""The benchmark server, and both servers as processes."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import signal
import sys

import aiohttp
import pytest
from google import genai
from google.genai import types
from PIL import Image

from pipeline.gemini.emulator import CannedOptions, CannedServer, Latency

# The SDK subclasses aiohttp's session, of which aiohttp warns; that is theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

PATH = "/v1beta/models/gemini-nano-banana-2.1:generateContent"


@pytest.fixture
async def server():
    async with CannedServer() as running:
        yield running


async def test_every_call_gets_one_real_answer(server):
    """2.6 MB of JSON with a picture of 1024x1024 that decodes; the SDK reads it."""
    async with (
        aiohttp.ClientSession(server.url) as http,
        http.post(PATH, data=io.BytesIO(b"x" * 1_300_000)) as response,
    ):
        text = await response.read()
    assert 2_500_000 < len(text) < 2_700_000
    part = json.loads(text)["candidates"][0]["content"]["parts"][0]
    data = base64.b64decode(part["inlineData"]["data"])
    assert 1_850_000 < len(data) < 2_000_000
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.size == (1024, 1024)
    options = types.HttpOptions(base_url=server.url, api_version="v1beta")
    client = genai.Client(api_key="k", http_options=options)
    answer = await client.aio.models.generate_content(model="gemini-nano-banana-2.1", contents="x")
    assert answer.candidates[0].content.parts[0].inline_data.data == data
    await client.aio.aclose()


async def test_bodies_come_with_a_length_or_in_chunks_over_one_connection(server):
    """Kept alive, call after call."""

    async def pieces():
        for _ in range(5):
            yield b"y" * 100_000

    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(server.url, connector=connector) as http:
        for data in (b"", b"z" * 500_000, pieces(), pieces(), b"end"):
            async with http.post(PATH, data=data) as response:
                assert len(await response.read()) == response.content_length
    summary = server.summary()
    assert (summary["calls"], summary["answered"], summary["in_flight"]) == (5, 5, 0)


async def test_latencies_are_kept_and_repeat():
    """In order of arrival, so that a benchmark knows the ideal schedule."""
    summaries = []
    for _ in range(2):
        options = CannedOptions(latency=Latency.parse("lognormal:0.03:0.3"), seed=5)
        async with CannedServer(options) as server, aiohttp.ClientSession(server.url) as http:

            async def call(http=http):
                async with http.post(PATH, data=b"x") as response:
                    await response.read()

            await asyncio.gather(*(call() for _ in range(4)))
            async with http.get("/ledger/summary") as response:
                summaries.append(await response.json())
            async with http.post("/ledger/reset") as response:
                assert await response.json() == {}
            assert server.summary()["calls"] == 0
    first, second = summaries
    assert first["latencies"] == second["latencies"]
    assert len(first["arrived_at"]) == len(first["answered_at"]) == 4
    assert first["max_in_flight"] == 4


async def test_a_client_that_goes_away_leaves_nothing_in_flight():
    """Its timer goes too."""
    async with CannedServer(CannedOptions(latency=Latency.parse(60))) as server:
        timeout = aiohttp.ClientTimeout(total=0.05)
        async with aiohttp.ClientSession(server.url, timeout=timeout) as http:
            with pytest.raises(TimeoutError):
                await http.post(PATH, data=b"x")
        for _ in range(200):
            if not server.summary()["in_flight"]:
                break
            await asyncio.sleep(0.005)
        assert server.summary()["in_flight"] == 0
        assert server.summary()["answered"] == 0


async def test_what_it_does_not_serve_is_a_404(server):
    """In Google's shape."""
    async with aiohttp.ClientSession(server.url) as http, http.get("/v1beta/models") as response:
        assert (await response.json())["error"]["status"] == "NOT_FOUND"


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "pipeline.gemini.emulator",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("arguments", [["--fault", "picture", "--shrink", "6"], ["--canned"]])
async def test_it_runs_as_a_process_that_prints_its_url_and_ends_in_order(arguments):
    """The first line of its output is all that a test needs."""
    process = await _start("--port", "0", *arguments)
    url = (await process.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession(url, headers={"x-goog-api-key": "k"}) as http:
        async with http.post(PATH, json={"contents": [{"parts": [{"text": "x"}]}]}) as response:
            assert (await response.json())["candidates"]
        async with http.get("/ledger/summary") as response:
            assert (await response.json())["calls"] == 1
    process.send_signal(signal.SIGTERM)
    _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--canned", "--rpm", "5"], b"--canned answers everything alike"),
        (["--fault", "nope"], b'there is no answer "nope"'),
        (["--latency", "often"], b'the latency "often" cannot be read'),
        (["--certificate", "x.pem"], b"belong together"),
    ],
)
async def test_options_that_cannot_be_meant_are_told_in_one_sentence(arguments, sentence):
    """Exit code 2, no traceback."""
    process = await _start(*arguments)
    _, complaints = await process.communicate()
    assert process.returncode == 2
    assert sentence in complaints
    assert complaints.count(b"\n") == 1
