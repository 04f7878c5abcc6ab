"""What the ledger says of calls that went wrong: who pays, what was answered, what came whole."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from pipeline.gemini.emulator import Emulator, Options, calls, rule
from tests.integration.emulator.calls import KEY, PATH, SMALL, body, entries, post


@pytest.mark.parametrize("answer", ["cut_body", "reset", "reset_before"])
async def test_a_connection_that_breaks_is_entered_with_what_it_cost(http, emulator, answer):
    """Whoever sent a whole request pays, whether or not an answer came."""
    emulator.order(rule(answer))
    with pytest.raises(aiohttp.ClientError):
        await post(http)
    for call in await entries(emulator):
        assert call.verdict == answer
        assert not call.answered
        assert call.paid is call.body_received is (answer != "reset_before")


async def test_a_client_that_goes_away_pays_all_the_same(http, emulator):
    """While the answer hangs, while it waits, and while its body dribbles."""
    emulator.order(
        rule("hang", nth=1), rule(latency="60", nth=2), rule("slow_body", nth=3, bytes_per_second=2000)
    )
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await post(http, timeout=aiohttp.ClientTimeout(total=0.3))
    calls = await entries(emulator, 3)
    assert [(call.paid, call.answered, call.body_received) for call in calls] == [(True, False, True)] * 3
    assert emulator.ledger.summary()["in_flight"] == 0
    assert emulator.ledger.summary()["paid_unanswered"] == 3


async def test_a_request_that_never_arrives_whole_costs_nothing(emulator):
    """Cut in the middle of its body."""
    host, port = emulator.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode() + b"{" * 500)
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.close()
    [call] = await entries(emulator)
    assert (call.bytes_received, call.body_received, call.paid, call.status) == (500, False, False, 0)


async def test_the_deadline_of_the_client_is_kept_by_the_server(http, emulator):
    """A latency beyond X-Server-Timeout is a 504 at the deadline, and free."""
    emulator.order(rule(latency="11"))
    loop = asyncio.get_running_loop()
    slept: list[float] = []
    plain_call_at = loop.call_later
    loop.call_later = lambda delay, *rest, **more: (
        slept.append(delay) or plain_call_at(delay / 100, *rest, **more)
    )
    try:
        status, text = await post(http, headers={"X-Server-Timeout": "10"})
    finally:
        loop.call_later = plain_call_at
    assert status == 504
    assert json.loads(text)["error"]["status"] == "DEADLINE_EXCEEDED"
    assert any(9 < delay <= 10 for delay in slept)
    assert not next(emulator.ledger.calls()).paid


async def test_an_answer_is_held_until_the_rules_are_replaced(http, emulator):
    """Over HTTP, too; a rule that holds holds every call of its own, and no other."""
    emulator.order(rule("text_only", token="row-1", hold=True))
    first, second = asyncio.ensure_future(post(http)), asyncio.ensure_future(post(http))
    other = await post(http, body("draw [[row-2]]"))
    assert other[0] == 200
    assert emulator.ledger.summary()["in_flight"] == 2
    assert not first.done()
    async with http.put("/rules", json={"rules": [{"answer": "text_only", "hold": True}]}) as response:
        assert response.status == 200
    for status, text in await asyncio.gather(first, second):
        assert status == 200
        assert b"inlineData" not in text
    third = asyncio.ensure_future(post(http))
    emulator.order()
    await third


async def test_a_held_answer_is_late_at_the_deadline_of_the_client(http, emulator, monkeypatch):
    """As one whose latency is longer: a 504, and free."""
    monkeypatch.setattr(calls, "MIN_DEADLINE_S", 0.1)
    emulator.order(rule(hold=True))
    status, _ = await post(http, headers={"X-Server-Timeout": "0.2"})
    assert status == 504
    [call] = await entries(emulator)
    assert (call.verdict, call.paid) == ("deadline", False)


async def test_the_rate_is_held():
    """Beyond it a 429 says when to come again."""
    async with (
        Emulator(Options(studio=SMALL, rpm=2)) as emulator,
        aiohttp.ClientSession(emulator.url, headers=KEY) as http,
    ):
        answers = [await post(http) for _ in range(3)]
        assert [status for status, _ in answers] == [200, 200, 429]
        details = {
            entry["@type"].rsplit(".", 1)[1]: entry for entry in json.loads(answers[2][1])["error"]["details"]
        }
        assert 0 < float(details["RetryInfo"]["retryDelay"].rstrip("s")) <= 60
        assert "PerMinute" in details["QuotaFailure"]["violations"][0]["quotaId"]
        assert emulator.ledger.summary()["verdicts"] == {"picture": 2, "rpm": 1}


async def test_the_ledger_is_read_filtered_and_cleared_over_http(http, emulator):
    """Also by a judge in another process."""
    await asyncio.gather(
        *(post(http, body(f"draw [[row-{number}]]")) for number in range(3)), post(http, {"x": 1})
    )

    async def get(path):
        async with http.get(path) as response:
            return response.status, await response.json()

    _, calls = await get("/ledger")
    assert sorted(call["n"] for call in calls) == [1, 2, 3, 4]
    assert {call["token"] for call in (await get("/ledger?paid=true"))[1]} == {"row-0", "row-1", "row-2"}
    assert [call["status"] for call in (await get("/ledger?verdict=rejected"))[1]] == [400]
    assert len((await get("/ledger?limit=2"))[1]) == 2
    assert (await get("/ledger?colour=red"))[0] == 400
    assert (await get("/ledger/tokens"))[1]["row-1"] == {"calls": 1, "paid": 1, "pictures": 1, "answered": 1}
    assert "k" not in {str(value) for call in calls for value in call.values()}
    async with http.delete("/ledger") as response:
        assert response.status == 200
    assert (await get("/ledger/summary"))[1]["calls"] == 0
