"""A job's current limits: those it was created with, or changed since by ``retouch set``; pure."""

from __future__ import annotations

import msgspec

from pipeline.job.spec import Spec
from pipeline.ports import Wanted


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Calls per minute, dollars (``None``: no limit), slots per process, seconds per call."""

    rpm: float | None
    budget: float | None
    max_in_flight: int
    timeout: float


def limits_asked(spec: Spec) -> Limits:
    """The limits in *spec*."""
    return Limits(rpm=spec.rpm, budget=spec.budget, max_in_flight=spec.max_in_flight, timeout=spec.timeout)


def limits_of(spec: Spec, wanted: Wanted) -> Limits:
    """The limits of a job of *spec* after what *wanted* has changed."""
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
    """*wanted* with *limits*, which then replace those of the specification."""
    return msgspec.structs.replace(wanted, adjusted=True, **msgspec.structs.asdict(limits))
