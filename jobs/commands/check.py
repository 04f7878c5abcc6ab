"""``retouch check``: every fault with its line; the calls, their cost and time. Changes nothing, calls nothing."""

from __future__ import annotations

import tempfile
from typing import Any

import msgspec

from jobs import output
from jobs.cli.options import asked_for
from jobs.confirm import in_words
from jobs.faults import tell_faults
from jobs.job_options import JobOptions
from jobs.manifests import opened_manifest
from jobs.survey import Estimate, Survey, survey_of
from jobs.words import duration, printable
from pipeline.errors import KeyMissing, UsageError
from pipeline.gemini.access import access
from pipeline.manifest import Manifest
from pipeline.price import Cost
from pipeline.report.words import plural

#: Bytes of faults held in memory before they go to disk: every row of a manifest may have one.
_IN_MEMORY = 8 * 1024 * 1024


def check(*, json: bool, **values: Any) -> int:
    """Check the manifest; 0 without faults, 1 with some."""
    asked = asked_for(values)
    with opened_manifest(asked) as manifest:
        survey = survey_of(asked, manifest)
        try:
            return _as_json(survey, manifest) if json else _for_people(survey, manifest)
        except BrokenPipeError:
            # The reader is gone, but a script may still look at the exit code.
            output.hush()
            return 1 if survey.faulty else 0


def estimate_lines(estimate: Estimate, asked: JobOptions) -> list[str]:
    """The estimate, for people."""
    if not estimate.calls:
        return [f"{plural(estimate.rows, 'row')}, none of which can be sent"]
    bound = {
        "slots": f"--max-in-flight {asked.max_in_flight}",
        "rpm": f"--rpm {asked.rpm:g}" if asked.rpm else "--rpm",
        "budget": f"--budget {asked.budget:g}, which is not enough for all" if asked.budget else "--budget",
    }[estimate.binding or "slots"]
    rows, calls = plural(estimate.rows, "row"), plural(estimate.calls, "call")
    return [
        f"{rows}, {calls} if every first attempt succeeds, {_cost_line(estimate.cost)}",
        f"about {duration(estimate.seconds)}, bound by {bound}",
    ]


def _cost_line(cost: Cost) -> str:
    if not cost.whole and not cost.known_usd:
        return "cost unknown"
    return in_words(cost) if cost.whole else f"{in_words(cost)} beside calls of unknown cost"


def _for_people(survey: Survey, manifest: Manifest) -> int:
    count = tell_faults(survey, manifest, output.write_line)
    for note in [*manifest.notes, *survey.notes(), *_key_note()]:
        output.write_line(f"note: {printable(note)}")
    for line in estimate_lines(survey.estimate(), survey.asked):
        output.write_line(line)
    faults = f"{plural(count, 'fault')} in {plural(survey.faulty, 'row')}"
    output.write_line(f"{faults}: recorded as invalid and not sent" if count else "no faults")
    return 1 if count else 0


def _key_note() -> list[str]:
    try:
        access()
    except (KeyMissing, UsageError) as error:
        return [str(error)]
    return []


def _as_json(survey: Survey, manifest: Manifest) -> int:
    """The object of ``--json``, written only once the manifest is read, so that it is never cut off by an error."""
    count = 0
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as faults:
        for edit in manifest.edits():
            for fault in survey.faults(edit):
                faults.write(b"," if count else b"")
                faults.write(msgspec.json.encode(fault))
                count += 1
        estimate = survey.estimate()
        rest = {
            "calls": estimate.calls,
            "cost_usd": None if estimate.cost.usd is None else round(estimate.cost.usd, 6),
            "seconds": round(estimate.seconds, 1),
            "binding_limit": estimate.binding,
            "notes": [*manifest.notes, *survey.notes()],
        }
        output.write(b'{"rows":%d,"faults":[' % estimate.rows)
        faults.seek(0)
        while block := faults.read(1 << 20):
            output.write(block)
        output.write(b"]," + msgspec.json.encode(rest)[1:] + b"\n")
    return 1 if count else 0
