"""``report.html`` and the pages in ``report/``: distributes rows over pages, and writes the files.

The first rows of every outcome are on ``report.html``; an outcome with more rows has pages of its own, so that the
report of 100,000 rows opens at once, and only the page being filled is in memory.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.record import Outcome, Record
from pipeline.report import words
from pipeline.report.card import anchor, badge, card
from pipeline.report.links import InputLinks, page
from pipeline.report.markup import Html, Url, join, tag
from pipeline.report.summary import summary
from pipeline.report.tally import Mention, Tally
from pipeline.status import Status

#: Rows on one page of an outcome.
PAGE_ROWS = 200
#: Rows of one outcome on report.html itself; an outcome with no more than these needs no pages.
FIRST_ROWS = 60
#: What needs attention comes first.
ORDER = (Outcome.FAILED, Outcome.BLOCKED, Outcome.INVALID, Outcome.DONE, Outcome.CANCELLED)
_OURS = re.compile(rf"(?:{'|'.join(Outcome)})-\d{{5,}}\.html\Z")


def write_html(
    status: Status, records: Iterable[Record], folder: Path, *, inputs: InputLinks, note: str | None = None
) -> list[Path]:
    """Write ``report.html`` into *folder*, and pages into ``report/`` where an outcome has many rows.

    The report needs no script, loads nothing but pictures next to it, and shows the contents of manifests and answers
    as text and never as markup. Pages are complete before they are visible, and ``report.html`` is written last;
    pages of an earlier report that are not part of this one are removed.

    Args:
        status: the summary's figures.
        records: one pass in the manifest's order; never more than a page of each outcome is held.
        folder: the job folder.
        inputs: from an input's name in a record to its address: relative to *folder* and percent-encoded,
            or ``file:``; ``None`` shows the name alone, and so does what is neither. It is not asked for
            remote pictures, which are linked and never loaded. :func:`local_inputs` makes one.
        note: a line below the headline.

    Returns:
        The files of this report, ``report.html`` last.

    Raises:
        StoreError: a file could not be written.
    """
    tally = Tally()
    shelves = {outcome: _Shelf(outcome, folder, inputs) for outcome in Outcome}
    for record in records:
        tally.add(record)
        shelves[record.outcome].add(record)
    written = [path for shelf in shelves.values() for path in shelf.close()]
    body = join(
        summary(status, tally, lambda outcome, mention: shelves[outcome].locate(mention), note),
        *[shelves[outcome].first_section() for outcome in ORDER],
    )
    report = folder / "report.html"
    _put(report, _document(f"{status.job} · retouch report", body))
    _remove_stale(folder / "report", keep={path.name for path in written})
    return [*written, report]


@dataclass(slots=True)
class _Shelf:
    """Distributes the rows of one outcome over pages."""

    outcome: Outcome
    folder: Path
    inputs: InputLinks
    first: list[Record] = field(default_factory=list)
    filling: list[Record] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0

    def add(self, record: Record) -> None:
        """Take *record*; writes a page when one is full and another follows."""
        if len(self.filling) == PAGE_ROWS:
            self._flush(last=False)
        self.count += 1
        self.filling.append(record)
        if len(self.first) < FIRST_ROWS:
            self.first.append(record)

    def close(self) -> list[Path]:
        """Write what is left, and name the pages."""
        if self.count > FIRST_ROWS:
            self._flush(last=True)
        return [self.folder / _name(self.outcome, number) for number in range(1, len(self.ranges) + 1)]

    def locate(self, mention: Mention) -> str:
        """Where the card of *mention* is, seen from ``report.html``."""
        mark = f"#{anchor(mention.row)}"
        paged = mention.index >= FIRST_ROWS
        return f"{_name(self.outcome, mention.index // PAGE_ROWS + 1)}{mark}" if paged else mark

    def first_section(self) -> Html | None:
        """The first rows with links to the pages, for ``report.html``."""
        if not self.count:
            return None
        cards = [card(record, self.inputs, "") for record in self.first]
        count = tag("span", words.plural(self.count, "row"), class_="quiet")
        return tag(
            "section",
            tag("h2", badge(self.outcome), " ", count),
            self._contents(),
            tag("div", *cards, class_="cards"),
            id=self.outcome.value,
        )

    def _contents(self) -> Html | None:
        if not self.ranges:
            return None
        links = [
            tag("a", f"{first:,}{words.NONE}{last:,}", href=page(_name(self.outcome, number)))
            for number, (first, last) in enumerate(self.ranges, 1)
        ]
        note = f"The first {FIRST_ROWS} are below. All of them, by row: "
        return tag(
            "nav", tag("p", note), tag("div", *links, class_="ranges"), aria_label=f"{self.outcome} rows"
        )

    def _flush(self, *, last: bool) -> None:
        number = len(self.ranges) + 1
        rows = (self.filling[0].row, self.filling[-1].row)
        self.ranges.append(rows)
        steps = _steps(self.outcome, number, last=last)
        title = f"{self.outcome.value}, rows {rows[0]:,} to {rows[1]:,}"
        body = join(
            tag(
                "header", tag("p", "retouch report", class_="brand"), tag("h1", title), steps, class_="title"
            ),
            tag("div", *[card(record, self.inputs, "../") for record in self.filling], class_="cards"),
            tag("footer", steps),
        )
        _put(self.folder / _name(self.outcome, number), _document(f"{title} · retouch report", body))
        self.filling.clear()


def _name(outcome: Outcome, number: int) -> str:
    return f"report/{outcome.value}-{number:05d}.html"


def _steps(outcome: Outcome, number: int, *, last: bool) -> Html:
    """The way from page to page."""

    def beside(step: int) -> Url:
        return page(_name(outcome, number + step).removeprefix("report/"))

    return tag(
        "nav",
        tag("a", "Summary", href=page("../report.html")),
        tag("a", "← Previous", href=beside(-1), rel="prev") if number > 1 else None,
        tag("a", "Next →", href=beside(1), rel="next") if not last else None,
        class_="steps",
        aria_label="Pages",
    )


def _document(title: str, body: Html) -> str:
    style, policy = _style()
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', body)), lang='en')}\n"


@cache
def _style() -> tuple[Html, str]:
    """Our style sheet, and the policy that allows it by its hash, and nothing else that is inline."""
    css = files("pipeline.report").joinpath("report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    # 'self' is for a report on a web server; browsers differ on whether it includes file:, so that is listed, too.
    sources = f"img-src 'self' file: data:; style-src 'sha256-{digest}'"
    return Html(css), f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


def _put(path: Path, text: str) -> None:
    """Write *path* completely or not at all. It is not synced: after a power cut the report is written again."""
    # Random, because workers in containers that share a volume may have the same process id.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(text, "utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"the report cannot be written: {path}: {error.strerror or error}") from error


def _remove_stale(folder: Path, keep: set[str]) -> None:
    """Remove pages of an earlier report, which are out of date."""
    try:
        for path in folder.iterdir():
            if _OURS.match(path.name) and path.name not in keep:
                path.unlink(missing_ok=True)
        if not keep:
            folder.rmdir()
    except OSError:
        return  # no such folder, or not ours to empty; nothing links to what is left
