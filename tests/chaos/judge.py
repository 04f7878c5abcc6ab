"""The one judge of every case: what the job's folder says, held against the ledger of the API."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.chaos.ground import Ground
from tests.integration.shop import KEY

#: Lines of a log that tell of a fault of ours; a traceback is one line without ``--debug``.
_FAULTS = (
    "Traceback (most recent call last)",
    "row_broke",
    "shard_broke",
    "was never awaited",
    "RuntimeError",
)


def judge(
    ground: Ground, rows: int, *, unknown: int | None = None, outcomes: dict[str, int] | None = None
) -> None:
    """Fail unless the job in *ground* came out as if nothing had happened, but for the calls in flight at the kills.

    Args:
        ground: where it happened; its ``lost`` bounds what may be paid for twice.
        rows: of the manifest.
        unknown: calls without a known answer, where something else than a kill makes them.
        outcomes: how the rows came out; all done, unless given.
    """
    ground.api.at_rest()
    records = ground.records()
    assert [record["row"] for record in records] == list(range(1, rows + 1)), "each row once, in order"
    assert [record["id"] for record in records] == [f"r{row}" for row in range(1, rows + 1)]
    assert Counter(record["outcome"] for record in records) == (outcomes or {"done": rows})
    assert all(len(record["images"]) == (record["outcome"] == "done") for record in records)
    ground.check_pictures()
    _money(ground, records, sum(ground.lost) if unknown is None else unknown)
    _figures(ground, records)
    _logs(ground)
    _no_key(ground)


def consistent(ground: Ground, rows: int) -> None:
    """Fail unless folder, records and ledger tell the same of a job that has ended, whatever came of its rows."""
    ground.api.at_rest()
    records = ground.records()
    assert [record["row"] for record in records] == list(range(1, rows + 1)), "each row once, in order"
    for record in records:
        assert (record["reason"] is None) == bool(record["images"]) == (record["outcome"] == "done"), record
        assert record["calls"] >= sum(attempt["begun"] for attempt in record["attempts"]), record
    ground.check_pictures()
    _calls(ground, records)
    _figures(ground, records, ground.report()["state"])
    _cost(ground, records)
    verified = ground.retouch("verify", str(ground.out))
    assert verified.returncode == 0, verified.stdout
    _logs(ground)
    _no_key(ground)


def _cost(ground: Ground, records: list[dict[str, Any]]) -> None:
    """The known costs are summed up; where nothing but unknown ones is there, the sum is unknown, too, and not 0."""
    known = sum(record["cost_usd"] or 0.0 for record in records)
    unpriced = any(
        record["calls_unknown"]
        or any(attempt["begun"] and attempt["cost_usd"] is None for attempt in record["attempts"])
        for record in records
    )
    wanted = None if unpriced and not known else pytest.approx(known, abs=1e-6)
    assert ground.report()["cost_usd"] == wanted


def _money(ground: Ground, records: list[dict[str, Any]], may_be_lost: int) -> None:
    unaccounted = _calls(ground, records)
    paid = sum(tally["paid"] for tally in ground.api.tokens().values())
    named = sum(record["calls_unknown"] for record in records)
    assert paid <= len(records) + may_be_lost, "paid for twice without need"
    assert unaccounted <= named <= may_be_lost, "unknown calls: by the ledger, by the records, at most"


def _calls(ground: Ground, records: list[dict[str, Any]]) -> int:
    """How many calls of the ledger are in no record; each is one that its row calls unknown."""
    ledger = ground.api.tokens()
    assert set(ledger) <= {record["id"] for record in records}, "a call for a row that is not there"
    unaccounted = 0
    for record in records:
        tally = ledger.get(record["id"], {"calls": 0, "paid": 0})
        lost = tally["calls"] - (record["calls"] - record["calls_unknown"])
        # Row by row: what was paid for and is in no answer is called unknown.
        assert 0 <= lost <= record["calls_unknown"], (
            record["id"],
            tally,
            record["calls"],
            record["attempts"],
        )
        assert tally["paid"] <= record["calls"]
        unaccounted += lost
    return unaccounted


def _figures(ground: Ground, records: list[dict[str, Any]], state: str = "finished") -> None:
    report = ground.report()
    outcomes = Counter(record["outcome"] for record in records)
    assert report["state"] == state
    assert report["outcomes"] == {name: outcomes.get(name, 0) for name in report["outcomes"]}
    for name in ("calls", "calls_unknown"):
        assert report[name] == sum(record[name] for record in records), name
    assert report["in_flight"] == 0


def _logs(ground: Ground) -> None:
    for name, said in ground.said():
        for fault in _FAULTS:
            assert fault not in said, f"{name}: {said[max(0, said.find(fault) - 500) :][:3000]}"
        assert KEY not in said, name


def _no_key(ground: Ground) -> None:
    for path in ground.folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
