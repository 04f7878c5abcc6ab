"""The head of the report: status, cost, outcomes, and why rows failed."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.record import Outcome
from pipeline.report import words
from pipeline.report.card import badge
from pipeline.report.links import page
from pipeline.report.markup import Html, join, tag
from pipeline.report.tally import Group, Mention, Tally
from pipeline.status import State, Status

#: From an outcome and a mention to the address of the row's card.
Locate = Callable[[Outcome, Mention], str]
_BAR = 1000


def summary(status: Status, tally: Tally, locate: Locate, note: str | None = None) -> Html:
    """Everything above the pictures."""
    return join(
        _title(status, note),
        _banner(status),
        _figures(status, tally),
        tag("div", _outcomes(status, tally), _verdicts(status), class_="halves"),
        _reasons(status.job, tally, locate),
    )


def _title(status: Status, note: str | None) -> Html:
    state = tag("span", words.STATES[status.state], class_=f"badge {status.state.value}")
    return tag(
        "header",
        tag("p", "retouch report", class_="brand"),
        tag("h1", tag("bdi", status.job), " ", state),
        tag("p", _headline(status), class_="lead"),
        tag("p", note, class_="lead") if note else None,
        tag("p", *_times(status), class_="quiet"),
        class_="title",
    )


def _headline(status: Status) -> str:
    done = status.outcomes.get("done") or 0
    if status.rows is None:
        return f"{words.plural(done, 'row')} done so far; the manifest is still being read."
    rest = [
        f"{words.number(count)} {name}"
        for name, count in status.outcomes.items()
        if count and name != Outcome.DONE.value
    ]
    start = f"{done:,} of {words.plural(status.rows, 'row')} done"
    return f"{start}, {', '.join(rest)}." if rest else f"{start}."


def _times(status: Status) -> list[Html]:
    stamps = (
        ("Submitted", status.submitted_at),
        ("started", status.started_at),
        ("finished", status.finished_at),
    )
    known = [(name, stamp) for name, stamp in stamps if stamp]
    times = [
        tag("span", f"{name} ", tag("time", words.moment(stamp), datetime=stamp), class_="fact")
        for name, stamp in known
    ]
    return [*times, tag("span", tag("bdi", status.out), class_="fact")]


def _banner(status: Status) -> Html | None:
    if not status.state_reason:
        return None
    urgent = status.state is State.HALTED
    return tag("p", status.state_reason, class_="banner urgent" if urgent else "banner", dir="auto")


def _figures(status: Status, tally: Tally) -> Html:
    return tag(
        "dl",
        _figure("Rows", words.number(status.rows), "in the manifest"),
        _figure("Done", words.number(status.outcomes.get("done")), _share(status)),
        _figure("Calls", words.number(status.calls), "requests to the API"),
        _figure(
            "Without an answer",
            words.number(status.calls_unknown),
            "calls that may have been paid for",
            alarm=status.calls_unknown > 0,
        ),
        _figure("Cost", words.money(status.cost_usd), _unpriced(status, tally)),
        _figure("Per accepted picture", _each(status, tally), words.plural(tally.pictures, "picture")),
        class_="figures",
    )


def _figure(name: str, value: str, note: str, *, alarm: bool = False) -> Html:
    shown = tag("dd", value, class_="unknown" if value == words.UNKNOWN else "value")
    return tag(
        "div", tag("dt", name), shown, tag("dd", note, class_="quiet"), class_="alarm" if alarm else None
    )


def _share(status: Status) -> str:
    if not status.rows:
        return "pictures accepted"
    return f"{words.share(status.outcomes.get('done') or 0, status.rows)} of all rows"


def _unpriced(status: Status, tally: Tally) -> str:
    if tally.unpriced:
        return f"and {words.plural(tally.unpriced, 'row')} with an unknown price"
    if status.calls_unknown:
        return "without calls that had no answer"
    return "for all calls"


def _each(status: Status, tally: Tally) -> str:
    """The cost per picture, including failures; *at least* this much if some prices are unknown."""
    if status.cost_usd is None or not tally.pictures:
        return words.UNKNOWN if tally.pictures else words.NONE
    least = "≥ " if tally.unpriced or status.calls_unknown else ""
    return least + words.money(status.cost_usd / tally.pictures)


def _outcomes(status: Status, tally: Tally) -> Html:
    counts = {
        outcome.value: status.outcomes.get(outcome.value, tally.rows[outcome]) or 0 for outcome in Outcome
    }
    pending = status.outcomes.get("pending", 0)
    whole = sum(counts.values()) + (pending or 0)
    lines = [
        tag(
            "tr",
            tag("th", _jump(outcome, tally), scope="row"),
            tag("td", words.OUTCOMES[outcome]),
            tag("td", words.number(counts[outcome.value]), class_="count"),
            tag("td", words.share(counts[outcome.value], whole), class_="count quiet"),
        )
        for outcome in Outcome
    ]
    if pending is None or pending:
        lines.append(_pending(pending, whole))
    return tag(
        "section",
        tag("h2", "Rows by outcome"),
        _bar(counts, whole),
        tag("div", tag("table", tag("tbody", *lines)), class_="wide"),
    )


def _jump(outcome: Outcome, tally: Tally) -> Html:
    if not tally.rows[outcome]:
        return badge(outcome)
    return tag("a", badge(outcome), href=page(f"#{outcome.value}"))


def _pending(pending: int | None, whole: int) -> Html:
    return tag(
        "tr",
        tag("th", tag("span", "pending", class_="badge pending"), scope="row"),
        tag("td", "not settled yet"),
        tag("td", words.number(pending), class_="count"),
        tag("td", "" if pending is None else words.share(pending, whole), class_="count quiet"),
    )


def _bar(counts: dict[str, int], whole: int) -> Html | None:
    """A bar of all rows by outcome; SVG, because the page allows no style attribute."""
    if not whole:
        return None
    parts, at = [], 0.0
    for name, count in counts.items():
        width = _BAR * count / whole
        if count:
            # Even the smallest part must be visible.
            parts.append(tag("rect", x=f"{at:.2f}", width=f"{max(width, 3):.2f}", height=12, class_=name))
        at += width
    return tag(
        "svg", *parts, viewBox=f"0 0 {_BAR} 12", preserveAspectRatio="none", class_="bar", aria_hidden="true"
    )


def _verdicts(status: Status) -> Html:
    whole = sum(status.verdicts.values())
    ranked = sorted(status.verdicts.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = [
        tag(
            "tr",
            tag("th", tag("code", word), scope="row"),
            tag("td", words.verdict(word)),
            tag("td", words.number(count), class_="count"),
            tag("td", words.share(count, whole), class_="count quiet"),
        )
        for word, count in ranked
        if count
    ]
    body = (
        tag("div", tag("table", tag("tbody", *lines)), class_="wide")
        if lines
        else tag("p", "No call was made.")
    )
    return tag("section", tag("h2", "Answers by verdict"), body)


def _reasons(job: str, tally: Tally, locate: Locate) -> Html | None:
    lines = [
        _group(outcome, group, locate)
        for outcome in Outcome
        if outcome is not Outcome.DONE
        for group in tally.ranked(outcome)
    ]
    if not lines:
        return None
    names = {"outcome": None, "reason": None, "rows": "count", "where": None}
    head = tag("tr", *[tag("th", name, scope="col", class_=kind) for name, kind in names.items()])
    table = tag("table", tag("thead", head), tag("tbody", *lines), class_="reasons")
    again = tag(
        "p",
        "Ask again: ",
        tag("code", f"retouch retry {job}"),
        ". To retry only one of these with another prompt, add ",
        tag("code", "--reason text_only --prompt '…'"),
        ". Rows that are done are never touched.",
        class_="quiet",
    )
    return tag("section", tag("h2", "Why rows are not done"), tag("div", table, class_="wide"), again)


def _group(outcome: Outcome, group: Group, locate: Locate) -> Html:
    links = [
        tag("a", tag("bdi", words.clipped(each.id, 40)), href=page(locate(outcome, each)))
        for each in group.first
    ]
    more = group.count - len(links)
    note = words.clipped(group.example, 300)
    return tag(
        "tr",
        tag("td", badge(outcome)),
        tag("td", tag("code", group.code), tag("div", note, class_="quiet", dir="auto") if note else None),
        tag("td", words.number(group.count), class_="count"),
        tag(
            "td", *links, tag("span", f"and {more:,} more", class_="quiet") if more else None, class_="where"
        ),
    )
