"""``retouch doctor``: runs all checks at the same time, each with a deadline, and prints the findings."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from jobs import environment, output
from jobs.doctor import api, broker, clock, network, options, schedules, store, versions, workers
from jobs.doctor.finding import Finding, Grade, fault
from jobs.masking import masked
from pipeline.errors import BrokerError, RetouchError
from pipeline.gemini.client import BASE_URL
from pipeline.report.words import plural
from workers.monitoring.inspection import Server, Workforce, inspect_workforce
from workers.settings import lease_seconds

T = TypeVar("T")

#: Seconds for each check; they run at the same time. The API is given a little less, so that it can say more.
_DEADLINE, _API = 8.0, 6.0
#: Used if the configured lease is not valid: a finding says so, and the other checks continue.
_LEASE = 10.0


def diagnose(
    *, json: bool, out: str | None, model: str, aspect_ratio: str | None, image_size: str | None
) -> int:
    """Run all checks; 0 without faults, otherwise 1."""
    looking = _looked(out or environment.store(), model, aspect_ratio, image_size)
    # Not asyncio.run(), which would wait for a thread that hangs in a dead network file system.
    found, late = asyncio.new_event_loop().run_until_complete(looking)
    found = [_without_secrets(finding) for finding in found]
    _tell(found, json=json)
    code = 1 if any(finding.grade is Grade.FAULT for finding in found) else 0
    if late:
        output.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


async def _looked(
    location: str, model: str, aspect_ratio: str | None, image_size: str | None
) -> tuple[list[Finding], bool]:
    """All findings, and whether some check was too late."""
    lease, of_lease = _lease()
    url = environment.redis_url()
    meant = bool(os.environ.get("RETOUCH_REDIS_URL"))
    facts = await asyncio.gather(
        _in_time("versions", asyncio.to_thread(versions.read)),
        _in_time("network", asyncio.to_thread(network.read, _base_url())),
        _in_time("api", api.read(model, _API)),
        _in_time("store", store.read(location)),
        _in_time("redis", broker.read(url, meant=meant, lease=lease)),
        _in_time("workers", _workforce(url)),
    )
    installed, way, of_api, written, redis, force = facts
    # If the store or Redis is unavailable, its own check reports that.
    seen = _server(redis) and not isinstance(written, Finding)
    timetable = await _in_time("schedules", _timetable(url)) if seen else None
    found = [
        *_judged(versions.judge, installed),
        *_judged(network.judge, way),
        *_judged(api.judge, of_api),
        *options.judge(model, aspect_ratio, image_size),
        *_judged(store.judge, written),
        *of_lease,
        *_judged(broker.judge, redis),
        # That Redis does not answer is reported by its own check.
        *(_judged(workers.judge, force) if force is not None and _server(redis) else ()),
        *(_judged(schedules.judge, timetable) if timetable is not None else ()),
        *clock.judge(_skews(of_api, redis)),
    ]
    return found, any(isinstance(said, Finding) for said in (*facts, timetable))


async def _in_time(check: str, facts: Awaitable[T]) -> T | Finding:
    """The facts, or that they could not be had."""
    try:
        async with asyncio.timeout(_DEADLINE):
            return await facts
    except TimeoutError:
        text, mend = f"no answer within {_DEADLINE:.0f} s", "check the network, and that it is mounted"
    except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others found
        text, mend = f"{type(error).__name__}: {error}", "please report this bug in retouch"
    return fault(check, text, mend)


def _judged(judge: Callable[[T], list[Finding]], facts: T | Finding) -> list[Finding]:
    return [facts] if isinstance(facts, Finding) else judge(facts)


async def _workforce(url: str) -> Workforce | None:
    try:
        return await inspect_workforce(url)
    except BrokerError:
        return None


async def _timetable(url: str) -> schedules.Timetable | None:
    try:
        return await schedules.read(environment.store(), url)
    except RetouchError:
        return None


def _lease() -> tuple[float, list[Finding]]:
    try:
        return lease_seconds(), []
    except RetouchError as error:
        return _LEASE, [fault("settings", str(error), "fix the variable; workers do not start with it")]


def _base_url() -> str:
    return os.environ.get("GOOGLE_GEMINI_BASE_URL", "").strip() or BASE_URL


def _skews(of_api: api.Api | Finding, redis: broker.Broker | Finding) -> dict[str, float | None]:
    server = _server(redis)
    return {
        "the API": None if isinstance(of_api, Finding) else of_api.skew,
        "Redis": server.skew if server else None,
    }


def _server(redis: broker.Broker | Finding) -> Server | None:
    return None if isinstance(redis, Finding) else redis.server


def _without_secrets(finding: Finding) -> Finding:
    mend = None if finding.mend is None else masked(finding.mend)
    return msgspec.structs.replace(finding, text=masked(finding.text), mend=mend)


def _tell(found: Sequence[Finding], *, json: bool) -> None:
    count = {grade: sum(finding.grade is grade for finding in found) for grade in Grade}
    if json:
        output.write_json({"faults": count[Grade.FAULT], "warnings": count[Grade.WARNING], "findings": found})
        return
    for finding in found:
        output.write_line(f"{finding.grade:8} {finding.check:11} {finding.text}")
        if finding.mend:
            output.write_line(f"{'':20} -> {finding.mend}")
    output.write_line(f"{plural(count[Grade.FAULT], 'fault')}, {plural(count[Grade.WARNING], 'warning')}")
