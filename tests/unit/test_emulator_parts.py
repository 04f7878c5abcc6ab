"""The small parts: latencies, the rate, the ledger, the catalogue, framing."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.gemini.emulator.catalogue import MODELS, find_model, nearest_ratio, output_pixels, served
from pipeline.gemini.emulator.google_errors import WireError, retry_info
from pipeline.gemini.emulator.http_framing import BodyReader, parse_head
from pipeline.gemini.emulator.latency import Latency
from pipeline.gemini.emulator.ledger import Ledger
from pipeline.gemini.emulator.limit import RequestsPerMinute


def test_latencies_are_drawn_as_they_are_written():
    """Fixed, uniform and log-normal, the same for the same seed."""
    assert Latency.parse("2.5").draw(random.Random(1)) == 2.5
    assert 1 <= Latency.parse("uniform:1:3").draw(random.Random(1)) <= 3
    tail = Latency.parse("lognormal:12:0.5")
    draws = sorted(tail.draw(random.Random(seed)) for seed in range(2001))
    assert draws[1000] == pytest.approx(12, rel=0.1)
    assert tail.draw(random.Random(7)) == tail.draw(random.Random(7))


@pytest.mark.parametrize(
    "text", ["", "fast", "-1", "nan", "inf", "uniform:1", "uniform:3:1", "lognormal:1:2:3", "gamma:1:2"]
)
def test_a_latency_that_cannot_be_read_is_told_with_the_forms(text):
    """One sentence, with what may be given."""
    with pytest.raises(UsageError, match="uniform:LOW:HIGH"):
        Latency.parse(text)


def test_the_rate_is_held_over_any_minute():
    """The answer says when the next call is let in."""
    now = [0.0]
    limit = RequestsPerMinute(2, clock=lambda: now[0])
    assert limit.admit() == 0.0
    now[0] = 10.0
    assert limit.admit() == 0.0
    now[0] = 15.0
    assert limit.admit() == 45.0
    now[0] = 60.0
    assert limit.admit() == 0.0
    assert limit.admit() == 10.0


@pytest.mark.parametrize(("seconds", "written"), [(7, "7s"), (0.25, "0.25s"), (50.0, "50s"), (0.0, "0s")])
def test_durations_are_written_as_protobuf_writes_them(seconds, written):
    """RetryInfo is parsed by clients."""
    assert retry_info(seconds)["retryDelay"] == written


def _entered(ledger, token, *, paid=True, answered=True, pictures=1, status=200):
    call = ledger.arrive("m")
    ledger.identify(call, token, "prompt " * 100)
    call.verdict, call.status, call.paid, call.answered, call.pictures = (
        "picture",
        status,
        paid,
        answered,
        pictures,
    )
    ledger.leave(call)
    return call


def test_the_ledger_counts_calls_and_pictures_made_twice():
    """The sum that a chaos test asks for."""
    ledger = Ledger()
    first, again = _entered(ledger, "a", answered=False), _entered(ledger, "a")
    _entered(ledger, "b")
    summary = ledger.summary()
    assert (first.attempt, again.attempt) == (1, 2)
    assert (summary["calls"], summary["paid"], summary["paid_unanswered"], summary["pictures"]) == (
        3,
        3,
        1,
        3,
    )
    assert summary["pictures_made_more_than_once"] == {"a": 2}
    assert [call.n for call in ledger.calls({"token": "a", "answered": "true"})] == [2]
    assert ledger.tokens()["a"].calls == 2


def test_the_ledger_is_bounded_and_its_sums_are_not():
    """Entries go, counts stay."""
    ledger = Ledger(size=5)
    for number in range(20):
        _entered(ledger, f"t{number}")
    summary = ledger.summary()
    assert (summary["calls"], summary["dropped"], summary["tokens"]) == (20, 15, 5)
    assert [call.n for call in ledger.calls()] == [16, 17, 18, 19, 20]
    assert all(len(call.prompt) <= 200 for call in ledger.calls())


def test_the_ledger_counts_what_is_in_flight_over_a_clearing():
    """A call that was in flight then still is."""
    ledger = Ledger()
    open_call = ledger.arrive("m")
    ledger.arrive("m")
    ledger.clear()
    assert ledger.summary()["in_flight"] == ledger.summary()["max_in_flight"] == 2
    ledger.leave(open_call)
    assert ledger.summary()["in_flight"] == 1


def test_the_ledger_writes_a_line_for_each_call(tmp_path):
    """For a judge that looks after the emulator is gone."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path=path)
    _entered(ledger, "a")
    _entered(ledger, "b", status=429, paid=False)
    ledger.close()
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(record["token"], record["status"], record["paid"]) for record in records] == [
        ("a", 200, True),
        ("b", 429, False),
    ]
    assert not any(record["open"] for record in records)


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.id)
def test_every_picture_has_about_its_ratio(model):
    """The measured grid is within the three per cent that clients may assert, the widest banners aside."""
    for ratio in model.grid:
        across, down = map(int, ratio.split(":"))
        for size in model.image_tokens:
            width, height = output_pixels(model, ratio, size)
            assert width / height == pytest.approx(across / down, rel=0.041)


def test_without_a_ratio_the_nearest_to_the_picture_is_followed():
    """A camera's 3:2 stays 3:2, a panorama becomes the widest there is."""
    grid = MODELS["gemini-nano-banana-2.1"].grid
    assert nearest_ratio(grid, 6000, 4000) == "3:2"
    assert nearest_ratio(grid, 1080, 1920) == "9:16"
    assert nearest_ratio(grid, 10_000, 1000) == "8:1"
    assert nearest_ratio(MODELS["gemini-3-pro-image"].grid, 10_000, 1000) == "21:9"


def test_models_belong_to_api_versions():
    """The default model is a 404 under v1; a retired one names its successor."""
    assert "gemini-nano-banana-2.1" not in {model.id for model in served("v1")}
    with pytest.raises(WireError, match="is not found for API version v1,"):
        find_model("gemini-nano-banana-2.1", "v1")
    with pytest.raises(WireError, match=r"use models/gemini-3-pro-image instead"):
        find_model("gemini-3-pro-image-preview", "v1beta")


def _head(lines):
    return parse_head(b"POST /v1beta/models/m:generateContent HTTP/1.1\r\n" + lines)


@given(st.binary(max_size=300), st.integers(1, 50), st.binary(max_size=20))
def test_a_body_of_known_length_is_passed_over_however_it_arrives(body, step, rest):
    """What follows belongs to the next request."""
    reader = BodyReader(_head(b"content-length: %d" % len(body)))
    assert _left(reader, body + rest, step) == rest


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.integers(1, 50),
    st.binary(max_size=20),
    st.booleans(),
)
def test_a_body_in_chunks_is_passed_over_however_it_arrives(chunks, step, rest, trailer):
    """Chunk extensions and trailers included."""
    wire = b"".join(b"%x;name=value\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    wire += b"0\r\n" + (b"X-Sum: 1\r\n" if trailer else b"") + b"\r\n"
    reader = BodyReader(_head(b"Transfer-Encoding: chunked"))
    assert _left(reader, wire + rest, step) == rest


def _left(reader, wire, step):
    for start in range(0, max(1, len(wire)), step):
        left = reader.feed(memoryview(wire[start : start + step]))
        if reader.done:
            return bytes(left) + wire[start + step :]
    raise AssertionError("the end was not seen")
