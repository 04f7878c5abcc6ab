"""Parquet."""

import datetime as dt
import math
from decimal import Decimal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import ManifestError
from pipeline.manifest import open_manifest


def write(tmp_path, columns, **options):
    path = tmp_path / "m.parquet"
    pq.write_table(pa.table(columns), path, **options)
    return path


def read(path, **options):
    return list(open_manifest(str(path), **{"prompt": None, "limit": None, **options}).edits())


def test_columns_lists_and_row_groups(tmp_path):
    columns = {
        " IMAGE": ["a.png", None, "c.png"],
        "images": [["x.png", "y.png"], None, []],
        "prompt": ["red", "blue", None],
        "id": pa.array([7, None, 9.0], pa.float64()),
        "output": pa.array(["o", None, None]).dictionary_encode(),
    }
    edits = read(write(tmp_path, columns, row_group_size=2), prompt="green")
    assert [(e.row, e.line, e.id, e.name, e.images, e.prompt) for e in edits] == [
        (1, 1, "7", "o", ("a.png", "x.png", "y.png"), "red"),
        (2, 2, "2", "2", (), "blue"),
        (3, 3, "9", "9", ("c.png",), "green"),
    ]


def test_other_columns_are_carried_as_json_has_them(tmp_path):
    moment = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
    columns = {
        "prompt": ["{price} {day}"],
        "day": [dt.date(2024, 5, 6)],
        "moment": [moment],
        "nanos": pa.array([1_700_000_000_000_000_001], pa.timestamp("ns")),
        "price": [Decimal("19.90")],
        "nan": [math.nan],
        "n": [3],
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        "nested": [{"when": dt.date(2024, 1, 2), "values": [1.5, math.inf]}],
        "took": [dt.timedelta(seconds=2)],
    }
    (edit,) = read(write(tmp_path, columns))
    assert edit.prompt == "19.90 2024-05-06"
    assert edit.extra == {
        "day": "2024-05-06",
        "moment": "2024-05-06T07:08:09+00:00",
        "nanos": "2023-11-14T22:13:20",
        "price": "19.90",
        "nan": None,
        "n": 3,
        "map": [["k", 1]],
        "nested": {"when": "2024-01-02", "values": [1.5, None]},
        "took": 2.0,
    }
    assert msgspec.json.decode(msgspec.json.encode(edit), type=type(edit)) == edit


def test_bytes_are_not_carried_and_that_is_said(tmp_path):
    path = write(tmp_path, {"prompt": ["p"], "thumb": [b"\xff"], "deep": [[{"b": b"x"}]]})
    manifest = open_manifest(str(path), prompt=None, limit=None)
    assert [edit.extra for edit in manifest.edits()] == [{}]
    assert [("thumb" in note, "deep" in note) for note in manifest.notes] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"image": [b"\x89PNG"], "prompt": ["p"]}, "image holds bytes"),
        ({"image": [{"bytes": b"x", "path": "a"}], "prompt": ["p"]}, "image holds bytes"),
        ({"file": ["a.png"]}, '"file"'),
        ({"image": ["a"], "Image ": ["b"]}, "two columns"),
        ({"image": pa.array([], pa.string())}, "no rows"),
    ],
)
def test_tables_that_cannot_be_meant(tmp_path, columns, words):
    with pytest.raises(ManifestError, match=words):
        read(write(tmp_path, columns))


def test_wrong_types_are_faults(tmp_path):
    edits = read(write(tmp_path, {"image": [1], "prompt": ["p"], "images": ["a|b"]}))
    assert [(fault.code, fault.column) for fault in edits[0].faults] == [("wrong_type", "image")]


def test_a_damaged_file_is_one_sentence(tmp_path):
    path = write(tmp_path, {"prompt": ["p"] * 100})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ManifestError, match="not a readable Parquet file"):
        read(path)


def test_explicit_numbers_later_in_the_file_win(tmp_path):
    edits = read(write(tmp_path, {"prompt": ["a", "b", "c"], "id": [None, "x", "1"]}))
    assert [edit.id for edit in edits] == ["1-2", "x", "1"]


def test_after_and_limit(tmp_path):
    path = write(tmp_path, {"prompt": [str(n) for n in range(5000)]}, row_group_size=700)
    manifest = open_manifest(str(path), prompt=None, limit=4500)
    assert manifest.fingerprint().bytes == path.stat().st_size
    assert [edit.prompt for edit in manifest.edits(after=4490)] == [str(n) for n in range(4490, 4500)]
