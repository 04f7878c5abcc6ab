"""The scanner gives what ``json.loads`` and ``b64decode`` give, however the body is cut."""

import base64
import json
import random
import re
from itertools import accumulate, cycle, pairwise, takewhile
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.gemini.scan import Scanner
from pipeline.gemini.wire import loads

NAMES = st.sampled_from(
    [
        "inlineData",
        "inline_data",
        "data",
        "thought",
        "thoughtSignature",
        "thought_signature",
        "text",
        "parts",
        "candidates",
        'q"\\',
    ]
)
BASE64 = st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode())
STRINGS = (
    BASE64
    | BASE64.map(lambda text: text.rstrip("="))
    | st.binary(max_size=9).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.text('AQz+/-_= \n\\"é\x00', max_size=12)
    | st.text(max_size=6)
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | STRINGS
PICTURES = st.fixed_dictionaries({"data": STRINGS}, optional={"mimeType": st.just("image/png")})
PARTS = st.fixed_dictionaries(
    {},
    optional={
        "thought": st.booleans(),
        "inlineData": PICTURES,
        "thoughtSignature": STRINGS,
        "inline_data": PICTURES,
    },
)
ANYTHING = st.recursive(
    VALUES | PARTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
CANDIDATES = st.fixed_dictionaries(
    {"content": st.fixed_dictionaries({"parts": st.lists(PARTS | ANYTHING, max_size=4)})},
    optional={"unknown": ANYTHING, "finishReason": STRINGS},
)
ANSWERS = st.fixed_dictionaries(
    {"candidates": st.lists(CANDIDATES, max_size=2)}, optional={"unknown": ANYTHING, "content": ANYTHING}
)
DOCUMENTS = ANSWERS | ANYTHING
PART = ("", "candidates", "", "content", "parts", "")


def scanned(body: bytes, cuts: list[int] | None = None, **bounds: int) -> Scanner:
    scanner = Scanner(**bounds)
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]
    for start, end in pairwise(edges):
        scanner.feed(body[start:end])
    scanner.finish()
    return scanner


def answer(*parts: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}}]}


class Expected:
    """What the scanner must leave of a document, found the slow way."""

    def __init__(self, document: Any) -> None:
        self.pictures: list[bytes | None] = []
        self.kept: dict[bool, int] = {}
        self.skeleton = self.walk(document)

    def walk(self, value: Any, path: tuple[str, ...] = ("",)) -> Any:
        if isinstance(value, list):
            return [self.walk(item, (*path, "")) for item in value]
        if not isinstance(value, dict):
            return value
        inside = {key: self.member(key, item, path) for key, item in value.items()}
        for index in self.own(inside) if path == PART else ():
            self.settle(index, thought=value.get("thought") is True)
        return inside

    def member(self, key: str, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, str) and key in ("thoughtSignature", "thought_signature"):
            return ""
        inline = path in ((*PART, "inlineData"), (*PART, "inline_data"))
        if isinstance(value, str) and key == "data" and inline:
            self.pictures.append(decoded(value))
            return f"@{len(self.pictures) - 1}"
        return self.walk(value, (*path, key))

    def own(self, inside: dict[str, Any]) -> list[int]:
        """Pictures whose part is this very object."""
        found = (inside.get(name) for name in ("inlineData", "inline_data"))
        marks = [each.get("data") for each in found if isinstance(each, dict)]
        return sorted(int(mark[1:]) for mark in marks if isinstance(mark, str))

    def settle(self, index: int, *, thought: bool) -> None:
        if thought and False in self.kept:
            return
        self.kept = {thought: index}


def decoded(text: str) -> bytes | None:
    clean = "".join(c for c in text if c not in " \t\r\n").rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9+/_-]+", clean) or len(clean) % 4 == 1:
        return None
    return base64.urlsafe_b64decode(clean.replace("+", "-").replace("/", "_") + "=" * (-len(clean) % 4))


@given(
    DOCUMENTS,
    st.lists(st.integers(0, 10_000), max_size=30),
    st.sampled_from([None, 2, "\t"]),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=600, deadline=None)
@example(answer({"inlineData": {"data": "QQ==QQ=="}}), [], None, True, True)
@example(answer({"inlineData": {"data": "Q==="}}), [], None, True, True)
@example(answer({"inlineData": {"data": "===="}}), [], None, True, True)
@example(answer({"inlineData": {"data": "=QQ="}}), [], None, True, True)
@example(answer({"inlineData": {"data": "QQ="}}), [20, 21], None, True, True)
@example(answer({"inlineData": {"data": "AAAA="}}), [], None, True, True)
@example(answer({"inlineData": {"data": "AAAA===="}}), [], None, True, True)
@example(answer({"inlineData": {"data": "QQ==="}}), [], None, True, True)
def test_any_cutting_of_any_document(document, cuts, indent, ascii_only, slashes) -> None:
    """Skeleton and pictures are those of a parser that holds everything."""
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    body = (text.replace("/", "\\/") if slashes else text).encode("utf-8", "surrogatepass")
    expected, scanner = Expected(document), scanned(body, cuts)
    assert loads(scanner.skeleton) == loads(json.dumps(expected.skeleton).encode())
    assert scanner.whole
    for index, blob in scanner.blobs.items():
        assert (bytes(blob.data) if blob.sound else None) == expected.pictures[index]
    assert set(scanner.blobs) == set(expected.kept.values())


@given(
    st.binary(max_size=200) | st.text('{}[]":, a\\', max_size=200).map(str.encode),
    st.lists(st.integers(0, 300), max_size=5),
)
@example(b"}" * 8 + b'{"a"', [])
@example(b']}]}]}]}"', [])
def test_any_bytes(body, cuts) -> None:
    """What is no JSON at all is survived, and the same however it is cut."""
    one, many = scanned(body), scanned(body, cuts)
    assert (one.skeleton, one.whole) == (many.skeleton, many.whole)


def test_every_single_cut() -> None:
    """Escapes, names and base64 may be cut at any byte, or arrive byte by byte."""
    body = (
        b'{"candidates":[{"content":{"p\\u0061rts":[{"text":"a\\"\\\\","\\u0069nlineData":{"mimeType":"image\\/png","data":"\\u0051Uk\\/Kys\\u003d"},'
        b'"thought":true,"thought\\u0053ignature":"xx\\"yy"}]}}]}'
    )
    whole = scanned(body)
    assert bytes(whole.blobs[0].data) == b"AI?++"
    assert b"yy" not in whole.skeleton
    for cut in range(len(body)):
        part = scanned(body, [cut])
        assert (part.skeleton, part.blobs) == (whole.skeleton, whole.blobs)
    assert scanned(body, list(range(len(body)))).blobs == whole.blobs


@pytest.mark.parametrize(
    "data", ["QQ==QQ==", "QUJDQ", "QUI=QUJD", "QUJD*", "=", "QQ==Q", "QU\\u0100JD", "QU\\bJD"]
)
def test_unsound_however_cut(data: str) -> None:
    """What is not base64 is not base64 in pieces either."""
    body = json.dumps(answer({"inlineData": {"data": "…"}})).replace("\\u2026", data).encode()
    for cut in range(len(body)):
        assert not scanned(body, [cut]).blobs[0].sound
    assert not scanned(body, list(range(len(body)))).blobs[0].sound


@pytest.mark.parametrize("data", ["QUJD=", "QUJD====", "QUI", "QUI=", "QUI==", "QUI = = ", "QUI\\u003d="])
def test_sound_with_any_padding_however_cut(data: str) -> None:
    """Padding holds no data: too little or too much of it costs nobody a picture."""
    body = json.dumps(answer({"inlineData": {"data": "…"}})).replace("\\u2026", data).encode()
    for cuts in (*([cut] for cut in range(len(body))), list(range(len(body)))):
        blob = scanned(body, cuts).blobs[0]
        assert blob.sound
        assert bytes(blob.data) in (b"ABC", b"AB")


@pytest.mark.parametrize(
    ("length", "sizes"),
    [
        (300_000, (200_000,)),
        (300_000, (10, 7)),
        (300_000, (90_000, 10)),
        (300_000, (10, 90_000, 65_000, 1)),
        (6_000_000, (256_000,)),
        (6_000_000, (5_500_000, 1_000_000)),
    ],
)
def test_a_large_picture_in_pieces_of_any_size(length: int, sizes: tuple[int, ...]) -> None:
    """The pieces of a picture are put together in order, those of an answer that dribbles in too."""
    raw = random.Random(1).randbytes(length)
    body = json.dumps(answer(image(b"inlineData", raw))).encode()
    cuts = list(takewhile(lambda cut: cut < len(body), accumulate(cycle(sizes))))
    assert scanned(body, cuts).blobs[0].data == raw


def image(name: bytes, raw: bytes, *, thought: bool = False) -> dict[str, Any]:
    part: dict[str, Any] = {name.decode(): {"mimeType": "image/png", "data": base64.b64encode(raw).decode()}}
    return part | ({"thought": True} if thought else {})


@pytest.mark.parametrize(
    ("thoughts", "kept"),
    [("nn", b"1"), ("tn", b"1"), ("nt", b"0"), ("tt", b"1"), ("tnt", b"1"), ("ntntt", b"2"), ("t", b"0")],
)
def test_keeps_one_picture(thoughts: str, kept: bytes) -> None:
    """The last that is not a thought, else the last; the others are let go as they are superseded."""
    parts = [image(b"inline_data", b"%d" % n, thought=mark == "t") for n, mark in enumerate(thoughts)]
    scanner = scanned(json.dumps(answer(*parts)).encode())
    assert [bytes(blob.data) for blob in scanner.blobs.values()] == [kept]


def test_white_space_is_folded() -> None:
    """A body of white space costs no memory, and does not join what it keeps apart."""
    scanner = scanned(
        b'{"a":[1,' + b" \n" * 100_000 + b"2,3" + b"\t" * 100_000 + b'],"b":"' + b" " * 50 + b'"}'
    )
    assert loads(scanner.skeleton) == {"a": [1, 2, 3], "b": " " * 50}
    assert len(scanner.skeleton) < 200
    assert loads(scanned(b"[1" + b" " * 300 + b"2]").skeleton) is None


@pytest.mark.parametrize("text", ["é" * 40, '\\"' * 40, "\\u00e9" * 20, "a" * 100])
def test_long_text_is_cut_between_characters(text: str) -> None:
    """A text at its bound stays JSON, and what follows it is still read."""
    body = f'{{"text":"{text}","finishReason":"STOP"}}'.encode()
    for bound in range(1, 30):
        read = loads(scanned(body, [17, 23, 40], most_text=bound).skeleton)
        assert read["finishReason"[:bound] if bound < 12 else "finishReason"] == "STOP"[:bound]


def test_bounds() -> None:
    """An answer beyond its bounds is reported, not kept."""
    big = json.dumps(answer(image(b"inlineData", bytes(1000)))).encode()
    scanner = scanned(big, list(range(0, 1000, 100)), most_decoded=500)
    assert scanner.full
    assert not scanner.blobs[0].sound
    assert scanned(b"[" + b"1," * 1000, most_skeleton=100).full
    assert not scanned(big, most_decoded=1000).full


def test_a_cut_body_is_not_whole() -> None:
    """What ends within a string or an object says so."""
    for body in (b'{"a":"b', b'{"a":[1', b"{"):
        assert not scanned(body).whole
    assert scanned(b'{"a":"b\\""}').whole


def test_only_inline_data_is_a_picture() -> None:
    """``data`` elsewhere, or in an object within inlineData, stays text."""
    document = answer(
        {
            "data": "QUJD",
            "inlineData": {"x": {"data": "QUJD"}, "data": ["QUJD"]},
            "inlineData2": {"data": "QUJD"},
        }
    )
    scanner = scanned(json.dumps(document).encode())
    assert not scanner.blobs
    assert loads(scanner.skeleton) == document


def test_a_picture_elsewhere_is_not_the_answer() -> None:
    """What a function gave, or a field that nobody knows yet, takes no part in which picture is the last."""
    document = answer(
        {"functionResponse": {"parts": [image(b"inlineData", b"tool")]}},
        image(b"inlineData", b"edited"),
        {"functionResponse": {"parts": [image(b"inlineData", b"tool")]}},
    ) | {"unknown": answer(image(b"inlineData", b"other"))}
    assert [bytes(blob.data) for blob in scanned(json.dumps(document).encode()).blobs.values()] == [b"edited"]
