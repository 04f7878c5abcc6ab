"""One row in the report: before and after side by side, what was asked, and the result."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.attempt import Attempt
from pipeline.record import InputPicture, Outcome, OutputPicture, Record
from pipeline.report import words
from pipeline.report.links import InputLinks, is_drawn, output, shown
from pipeline.report.markup import Html, Url, join, tag
from pipeline.report.tally import parted

PROMPT_LIMIT = 2_000
NOTE_LIMIT = 600

_NOT_DRAWN = "not drawn by browsers"


def card(record: Record, inputs: InputLinks, up: str) -> Html:
    """The card of *record*, for a page from which the path *up* leads to the job folder."""
    told = tag("div", _told(record), _attempts(record), _columns(record), class_="told")
    before = _before(record, inputs, up)
    if record.images:
        body = join(tag("div", before, _after(record, up), class_="pair"), told)
    else:
        # There is nothing to compare: users read the reasons, one below the other.
        body = tag("div", before, told, class_="lone")
    kind = "card" if record.images else "card slim"
    return tag("article", _head(record), body, id=anchor(record.row), class_=kind)


def anchor(row: int) -> str:
    """The anchor of the card of *row*, for links."""
    return f"row-{row}"


def badge(outcome: Outcome) -> Html:
    """An outcome as a coloured word, which can be understood without the colour."""
    return tag("span", outcome.value, class_=f"badge {outcome.value}")


def _head(record: Record) -> Html:
    facts = [f"row {record.row:,}", f"line {record.line:,}", _cost(record)]
    return tag(
        "header",
        tag("h3", tag("bdi", words.clipped(record.id, 200))),
        badge(record.outcome),
        tag("p", " · ".join(facts), class_="facts"),
    )


def _cost(record: Record) -> str:
    if record.reused:
        return "reused, no cost"
    return "cost unknown" if record.cost_usd is None else words.money(record.cost_usd)


def _before(record: Record, inputs: InputLinks, up: str) -> Html:
    pictures = [_input(picture, inputs, up) for picture in record.inputs]
    return _side("Before", pictures or [_empty("from the prompt alone")])


def _after(record: Record, up: str) -> Html:
    name = words.clipped(record.id, 80)
    return _side("After", [_output(picture, f"After: {name}", up) for picture in record.images])


def _side(caption: str, pictures: Iterable[Html]) -> Html:
    return tag("figure", tag("figcaption", caption), *pictures)


def _input(picture: InputPicture, inputs: InputLinks, up: str) -> Html:
    place = shown(picture, inputs, up)
    label = tag("bdi", words.clipped(place.label, 160))
    if place.src and place.href:
        frame = _frame(place.src, place.href, f"Before: {words.clipped(place.label, 80)}")
        return join(frame, tag("p", label, class_="name"))
    if place.href:
        # Remote pictures are not loaded, so that nobody can see when a report is opened.
        remote = place.href.startswith("http")
        link = tag("a", label, href=place.href, target="_blank", rel="noopener noreferrer")
        why = "elsewhere, not loaded" if remote else _NOT_DRAWN
        return join(_empty(why), tag("p", link, class_="name"))
    return join(_empty("not found here"), tag("p", label, class_="name"))


def _output(picture: OutputPicture, alt: str, up: str) -> Html:
    address = output(picture.path, up)
    kind = picture.mime_type.removeprefix("image/").upper()
    note = f"{picture.width} \u00d7 {picture.height} · {kind} · {words.size(picture.bytes)}"
    name = tag("bdi", picture.path)
    drawn = is_drawn(picture.path)
    return join(
        _frame(address, address, alt, picture.width, picture.height) if drawn else _empty(_NOT_DRAWN),
        tag("p", name if drawn else tag("a", name, href=address), class_="name"),
        tag("p", note, class_="name"),
    )


def _frame(src: Url, href: Url, alt: str, width: int | None = None, height: int | None = None) -> Html:
    # A chequered background shows transparency; behind a JPEG it would only flicker while that loads.
    glass = None if src.lower().endswith((".jpg", ".jpeg")) else "glass"
    image = tag("img", src=src, alt=alt, loading="lazy", width=width, height=height, class_=glass)
    return tag("a", image, href=href, class_="frame")


def _empty(note: str) -> Html:
    return tag("div", note, class_="frame empty")


def _told(record: Record) -> Html:
    return join(
        _reason(record),
        tag("p", words.clipped(record.prompt, PROMPT_LIMIT) or "(no prompt)", class_="prompt", dir="auto"),
        _text(record.text),
        *[tag("p", words.clipped(note, NOTE_LIMIT), class_="quiet", dir="auto") for note in record.notes],
    )


def _reason(record: Record) -> Html | None:
    if not record.reason:
        return None
    code, sentence = parted(record.reason)
    note = words.clipped(sentence, NOTE_LIMIT)
    return tag("p", tag("code", code), " ", tag("span", note, dir="auto"), class_=f"reason {record.outcome}")


def _text(text: str | None) -> Html | None:
    if not text:
        return None
    return tag(
        "p",
        tag("b", "The model said: "),
        tag("bdi", words.clipped(text, NOTE_LIMIT)),
        class_="said",
        dir="auto",
    )


def _attempts(record: Record) -> Html | None:
    if not record.attempts:
        return None
    head = tag(
        "tr", *[tag("th", name, scope="col") for name in ("#", "verdict", "prompt", "HTTP", "time", "cost")]
    )
    table = tag("table", tag("thead", head), tag("tbody", *[_attempt(each) for each in record.attempts]))
    counted = sum(attempt.counted for attempt in record.attempts)
    title = words.plural(counted, "try", "tries")
    if record.uncounted:
        title += f", {record.uncounted:,} not counted"
    model = record.model_version or record.model
    return tag(
        "details",
        tag("summary", title, " ", tag("span", model, class_="quiet")),
        tag("div", table, class_="wide"),
    )


def _attempt(attempt: Attempt) -> Html:
    notes = [attempt.finish_reason, attempt.detail, "perhaps paid, no answer" if attempt.unknown else None]
    note = words.clipped(" · ".join(each for each in notes if each), NOTE_LIMIT)
    return tag(
        "tr",
        tag("td", str(attempt.n)),
        tag("td", tag("code", attempt.verdict.value), tag("div", note, class_="quiet") if note else None),
        tag("td", attempt.prompt_variant.value),
        tag("td", str(attempt.http_status or words.NONE)),
        tag("td", words.seconds(attempt.seconds)),
        tag("td", words.money(attempt.cost_usd)),
    )


def _columns(record: Record) -> Html | None:
    """The other columns of the manifest, by which users recognise their rows."""
    if not record.extra:
        return None
    pairs = [
        tag("div", tag("dt", tag("bdi", words.clipped(str(key), 60))), tag("dd", tag("bdi", _value(value))))
        for key, value in list(record.extra.items())[:12]
        if value not in (None, "")
    ]
    return tag("dl", *pairs, class_="columns")


def _value(value: object) -> str:
    return words.clipped(str(value), 160)
