"""Clocks: this machine's against the API's and Redis'."""

from __future__ import annotations

from jobs.doctor.finding import Finding, fault, ok, warning

#: Seconds: the header is cut to the second; signed requests to stores and certificates fail beyond the other.
_SLIGHT, _GRAVE = 3.0, 300.0
_MEND = "synchronise the clock: `timedatectl set-ntp true`"


def judge(skews: dict[str, float | None]) -> list[Finding]:
    """What the seconds mean by which the clocks of others are ahead of ours; ``None``: not known."""
    known = {name: skew for name, skew in skews.items() if skew is not None}
    if not known:
        return []
    name, worst = max(known.items(), key=lambda item: abs(item[1]))
    if abs(worst) <= _SLIGHT:
        return [ok("clock", f"it agrees with {' and '.join(known)}")]
    way = "slow" if worst > 0 else "fast"
    text = f"this machine's clock is {abs(worst):.0f} s {way} against that of {name}"
    return [fault("clock", text, _MEND) if abs(worst) > _GRAVE else warning("clock", text, _MEND)]
