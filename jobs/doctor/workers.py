"""Workers: are there any, and do they process the queue?"""

from __future__ import annotations

from jobs.doctor.finding import Finding, fault, ok, warning
from workers.monitoring.inspection import OVERDUE, Workforce


def judge(workforce: Workforce) -> list[Finding]:
    """Judge whether submitted jobs make progress."""
    before = workforce.before
    open_work = f"{before.rows} rows of {before.jobs} jobs are open"
    if not workforce.cards:
        mend = "start `retouch worker`, here or on another machine"
        if before.jobs:
            return [fault("workers", f"{open_work} but no worker is running", mend)]
        return [warning("workers", "no worker is running; no rows are open", f"{mend}, before you submit")]
    slots = sum(card.slots for card in workforce.cards)
    in_flight = sum(count for card in workforce.cards for count, *_ in card.jobs.values())
    there = f"{len(workforce.cards)} there with {slots} slots, {in_flight} calls in flight"
    waits = next((why for card in workforce.cards for *_, why in card.jobs.values() if why), None)
    if waits:
        return [warning("workers", f"{there}; they wait: {waits}", "nothing, if this goes away by itself")]
    if workforce.overdue and not in_flight:
        text = f"{there}, and {workforce.overdue} messages have been waiting for {OVERDUE:.0f} s"
        return [fault("workers", text, "check the workers' logs and restart them: they receive no messages")]
    return [ok("workers", f"{there}; {open_work if before.jobs else 'no rows are open'}")]
