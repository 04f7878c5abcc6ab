"""What a job is bound to now: as it was asked for, or as ``retouch set`` has changed it since; pure."""

from __future__ import annotations

import msgspec

from pipeline.job.spec import Spec
from pipeline.ports import Wanted


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Calls a minute, dollars (``None``: no limit), slots a process, seconds a call."""

    rpm: float | None
    budget: float | None
    max_in_flight: int
    timeout: float


def limits_asked(spec: Spec) -> Limits:
    """What *spec* says."""
    return Limits(rpm=spec.rpm, budget=spec.budget, max_in_flight=spec.max_in_flight, timeout=spec.timeout)


def limits_of(spec: Spec, wanted: Wanted) -> Limits:
    """What holds for a job of *spec* of which *wanted* is wanted."""
    if wanted.adjusted:
        return Limits(
            rpm=wanted.rpm,
            budget=wanted.budget,
            max_in_flight=wanted.max_in_flight or spec.max_in_flight,
            timeout=wanted.timeout or spec.timeout,
        )
    return Limits(
        rpm=spec.rpm if wanted.rpm is None else wanted.rpm,
        budget=spec.budget if wanted.budget is None else wanted.budget,
        max_in_flight=wanted.max_in_flight or spec.max_in_flight,
        timeout=wanted.timeout or spec.timeout,
    )


def limited(wanted: Wanted, limits: Limits) -> Wanted:
    """*wanted* with *limits*, whatever the specification says."""
    return msgspec.structs.replace(wanted, adjusted=True, **msgspec.structs.asdict(limits))
