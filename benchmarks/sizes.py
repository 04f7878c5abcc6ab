"""How much is measured: everything that a size may be chosen for, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of one run.

    Attributes:
        judged: whether the figures mean anything at these sizes.
        rounds: of the comparison, each subject once a round.
        calls: of each subject in each round.
        slots: calls in flight in the comparison.
        many_slots: calls in flight where memory is looked at, *many_calls* two jobs, the smaller first.
        many_latency: seconds of each of those calls.
        schedule_rows: N, *schedule_slots* S and *schedule_latency* L of a job whose wall is held against N·L/S.
        schedule_tail: log-normal latencies of the same job, as the emulator takes them.
        starts: rounds of the start.
        rows: of the manifest and the job that are called large.
        few_rows: of the job whose status must cost the same.
        check_rows: rows over *check_files* pictures.
        kept_rows: rows whose leases, intents and fingerprints are measured; a multiple of a shard.
    """

    judged: bool = True
    rounds: int = 3
    calls: int = 400
    slots: int = 64
    many_slots: int = 1_000
    many_calls: tuple[int, int] = (1_500, 3_000)
    many_latency: float = 10.0
    schedule_rows: int = 900
    schedule_slots: int = 60
    schedule_latency: float = 4.0
    schedule_tail: str = "lognormal:3.2:0.7"
    starts: int = 9
    rows: int = 1_000_000
    few_rows: int = 100
    check_rows: int = 20_000
    check_files: int = 2_000
    kept_rows: int = 10_000


#: What ``python -m benchmarks`` measures.
USUAL = Sizes()

#: ``--full``: the sizes of the table in issue 2.
FULL = Sizes(rounds=5, calls=600, many_calls=(2_000, 10_000), many_latency=30.0, starts=15)

#: ``--quick``: shows that everything works, in a minute or two; the figures mean nothing.
QUICK = Sizes(
    judged=False,
    rounds=1,
    calls=80,
    slots=8,
    many_slots=40,
    many_calls=(60, 120),
    many_latency=0.5,
    schedule_rows=40,
    schedule_slots=8,
    schedule_latency=0.6,
    schedule_tail="lognormal:0.4:0.7",
    starts=2,
    rows=5_000,
    few_rows=60,
    check_rows=20_000,
    check_files=100,
    kept_rows=500,
)
