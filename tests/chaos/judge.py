"""The one judge of every case: what the job's folder says, held against the ledger of the API."""

from __future__ import annotations

from collections import Counter
from typing import Any

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


def _money(ground: Ground, records: list[dict[str, Any]], may_be_lost: int) -> None:
    ledger = ground.api.tokens()
    assert set(ledger) <= {record["id"] for record in records}, "a call for a row that is not there"
    unaccounted = 0
    for record in records:
        tally = ledger.get(record["id"], {"calls": 0, "paid": 0})
        known = record["calls"] - record["calls_unknown"]
        lost = tally["calls"] - known
        # Row by row: what was paid for and is in no answer is called unknown.
        assert 0 <= lost <= record["calls_unknown"], (
            record["id"],
            tally,
            record["calls"],
            record["attempts"],
        )
        assert tally["paid"] <= record["calls"]
        unaccounted += lost
    paid = sum(tally["paid"] for tally in ledger.values())
    named = sum(record["calls_unknown"] for record in records)
    assert paid <= len(records) + may_be_lost, "paid for twice without need"
    assert unaccounted <= named <= may_be_lost, "unknown calls: by the ledger, by the records, at most"


def _figures(ground: Ground, records: list[dict[str, Any]]) -> None:
    report = ground.report()
    outcomes = Counter(record["outcome"] for record in records)
    assert report["state"] == "finished"
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
