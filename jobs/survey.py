"""Everything that can be known about a manifest before money is spent: faults, calls, cost and time.

Rows are read one by one; only a digest of each is kept, to find equal ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from jobs.job_options import JobOptions
from jobs.manifests import roots_below
from pipeline.edit import Edit, Fault
from pipeline.gemini.inline import INLINE_BYTES, by_file
from pipeline.inputs import glance
from pipeline.manifest import Manifest
from pipeline.manifest.mistaken import pictures_elsewhere
from pipeline.manifest.naming import Labels
from pipeline.models import catalogue, fault_of_id
from pipeline.picture import SEVERAL
from pipeline.price import Cost, cost_of, price_of
from pipeline.report.words import plural
from pipeline.roots import Roots

#: Seconds that one call is assumed to take: the default model was measured at 15 to 40 (gemini-api.md, 1.2).
CALL_SECONDS = 25.0

#: Rows that are compared with each other (25 MB a million); equal rows beyond these are not found.
_COMPARED = 4_000_000

#: Faults of options that are remembered, to report each once: there may be another one in every row.
_TOLD = 1000

#: Models that notes are given about: a manifest may name another one in every row.
_NOTED = 20


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The calls, cost and time of a job if every first attempt succeeds.

    Attributes:
        rows: all rows, with those at fault.
        calls: rows that can be sent; with ``--reuse``, equal ones count once.
        cost: of these calls.
        binding: what limits the speed: ``slots``, ``rpm`` or ``budget``; ``None`` without calls.
    """

    rows: int
    calls: int
    cost: Cost
    seconds: float
    binding: str | None


@dataclass
class Survey:
    """Takes in the edits of a manifest, one by one.

    Attributes:
        rows: how many were read.
        calls: how many of them can be sent; with ``--reuse``, equal ones count once.
        faulty: how many of them cannot.
        cost: of the calls so far.
    """

    asked: JobOptions
    roots: Roots
    rows: int = 0
    calls: int = 0
    faulty: int = 0
    cost: Cost = field(default_factory=Cost)
    _models: dict[str, None] = field(default_factory=dict)
    _met: Labels = field(default_factory=Labels)
    _compared: int = 0
    _equal: int = 0
    _several: int = 0
    _unsent: int = 0
    _by_file: int = 0
    _told: set[Fault] = field(default_factory=set)

    def faults(self, edit: Edit) -> Iterator[Fault]:
        """Take in *edit*; its faults. A fault of an option is reported once for all rows."""
        seen = glance(edit, self.roots)
        found = [*edit.faults, *seen.faults]
        of_options = self._option_faults(edit)
        self.rows += 1
        if found or of_options:
            self.faulty += 1
        else:
            self._count(edit)
            self._several += sum(mime_type in SEVERAL for mime_type in seen.mime_types)
            self._unsent += not edit.images and pictures_elsewhere(edit.extra) is not None
            self._by_file += bool(by_file(seen.sizes))
        for fault in (*found, *of_options):
            if fault.column is None or not fault.column.startswith("--"):
                yield fault
            else:
                yield from self._once(msgspec.structs.replace(fault, row=None, line=None))

    def estimate(self) -> Estimate:
        """The estimate for the rows read so far."""
        seconds, binding = _time(self.calls, self.cost.usd, self.asked)
        return Estimate(rows=self.rows, calls=self.calls, cost=self.cost, seconds=seconds, binding=binding)

    def notes(self) -> list[str]:
        """What users should know although it is no fault; a sentence each."""
        notes = [note for model in self._models if (note := _note_on(model))]
        if self._equal:
            rows = "1 row equals" if self._equal == 1 else f"{self._equal:,} rows equal"
            paid = "merged with it by --reuse" if self.asked.reuse else "paid for again, as a variation"
            notes.append(f"{rows} an earlier row in pictures, prompt and options: {paid}")
        if self.asked.reuse and self.calls:
            notes.append(
                "--reuse may save more than this: edits of earlier jobs, and identical pictures under other names, "
                "are found only when the pictures are read"
            )
        if self._unsent:
            rows = "1 row has" if self._unsent == 1 else f"{self._unsent:,} rows have"
            notes.append(
                f"{rows} an empty image, and what looks like a picture in another column: "
                "generated from the prompt alone"
            )
        if self._several:
            files = plural(self._several, "GIF, TIFF or AVIF file")
            notes.append(f"{files}: only the first frame or page is sent")
        if self._by_file:
            notes.append(
                f"{plural(self._by_file, 'row')} with more than {INLINE_BYTES / 1e6:.0f} MB of pictures, which no "
                "request holds: the largest go through the Files API, at no cost, and are deleted there afterwards"
            )
        return notes

    def _once(self, fault: Fault) -> Iterator[Fault]:
        """*fault*, unless it was told of another row."""
        if fault not in self._told:
            if len(self._told) < _TOLD:
                self._told.add(fault)
            yield fault

    def _option_faults(self, edit: Edit) -> list[Fault]:
        asked = self.asked
        own = edit.model or edit.aspect_ratio or edit.image_size
        said = _options_said(
            edit.model or asked.model,
            edit.aspect_ratio or asked.aspect_ratio,
            edit.image_size or asked.image_size,
            len(edit.images),
        )
        return [
            Fault(code="option", message=message, row=edit.row, line=edit.line, column=column)
            if own or column == "images"
            else Fault(code="option", message=message, column="--" + column.replace("_", "-"))
            for column, message in said
        ]

    def _count(self, edit: Edit) -> None:
        model = edit.model or self.asked.model
        if model not in self._models and len(self._models) < _NOTED:
            self._models[model] = None
        size = edit.image_size or self.asked.image_size
        if self._equals_another(edit, model, size):
            self._equal += 1
            if self.asked.reuse:
                return
        self.calls += 1
        price = price_of(edit, self.asked.model, self.asked.image_size)
        self.cost += cost_of((price,))

    def _equals_another(self, edit: Edit, model: str, size: str | None) -> bool:
        # Of the variations of a row, which --repeat asks for, only the first is compared; but --reuse merges them.
        is_variation = (edit.row - 1) % self.asked.repeat != 0 and not self.asked.reuse
        if is_variation or self._compared >= _COMPARED:
            return False
        self._compared += 1
        ratio = edit.aspect_ratio or self.asked.aspect_ratio
        digest = f"{hash((edit.prompt, edit.images, model, ratio, size)):x}"
        return self._met.add(digest, edit.line) is not None


def survey_of(asked: JobOptions, manifest: Manifest) -> Survey:
    """An empty survey for *manifest*, whose pictures are looked up from this machine."""
    return Survey(asked, roots_below(manifest.root, asked))


@lru_cache(maxsize=4096)
def _options_said(
    model: str, ratio: str | None, size: str | None, inputs: int
) -> tuple[tuple[str, str], ...]:
    """Column and message of each option that the model does not accept."""
    nonsense = fault_of_id(model)
    if nonsense:
        return (("model", nonsense),)
    known = catalogue().find(model)
    return tuple(known.faults(ratio, size, inputs).items()) if known else ()


def _note_on(model: str) -> str | None:
    known = catalogue().find(model)
    if known is None:
        return (
            f"{model} is not in the catalogue of {catalogue().as_of}: its options cannot be checked and its price "
            f"is unknown; `retouch models` lists the known ones{catalogue().meant(model)}"
        )
    return known.warning


def _time(calls: int, cost_usd: float | None, asked: JobOptions) -> tuple[float, str | None]:
    """Seconds for *calls*, and what limits the speed."""
    affordable = calls
    if asked.budget is not None and cost_usd and cost_usd > asked.budget:
        affordable = int(calls * asked.budget / cost_usd)
    by_slots = -(-affordable // asked.max_in_flight) * CALL_SECONDS
    # After the last call has started, it still takes its time.
    by_rpm = (affordable - 1) * 60.0 / asked.rpm + CALL_SECONDS if asked.rpm and affordable else 0.0
    seconds = max(by_slots, by_rpm)
    if not calls:
        return 0.0, None
    if affordable < calls:
        return seconds, "budget"
    return seconds, "rpm" if by_rpm > by_slots else "slots"
