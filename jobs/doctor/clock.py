"""Clocks: does this machine's agree with those of the API and Redis?"""

from __future__ import annotations

from jobs.doctor.finding import Finding, fault, ok, warning

#: Seconds up to which a clock is right, since the header has whole seconds; and beyond which signed requests to
#: stores fail, and so may certificates.
_SLIGHT, _GRAVE = 3.0, 300.0
_MEND = "synchronise the clock: `timedatectl set-ntp true`"


def judge(skews: dict[str, float | None]) -> list[Finding]:
    """Judge by how many seconds each other clock is ahead of ours; ``None``: not known."""
    known = {name: skew for name, skew in skews.items() if skew is not None}
    if not known:
        return []
    name, worst = max(known.items(), key=lambda item: abs(item[1]))
    if abs(worst) <= _SLIGHT:
        return [ok("clock", f"it agrees with {' and '.join(known)}")]
    way = "slow" if worst > 0 else "fast"
    text = f"this machine's clock is {abs(worst):.0f} s {way} against that of {name}"
    return [fault("clock", text, _MEND) if abs(worst) > _GRAVE else warning("clock", text, _MEND)]
