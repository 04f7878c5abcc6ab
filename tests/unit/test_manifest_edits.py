"""Rows to edits: numbers, ids, repeats, resuming; whatever the manifest."""

import json
import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.edit import Edit
from pipeline.manifest import open_manifest, shards


def write(tmp_path, rows):
    path = tmp_path / "m.jsonl"
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return str(path)


def edits(path, after=0, **options):
    return list(open_manifest(path, **{"prompt": "p", "limit": None, **options}).edits(after))


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([None, None, None], ["1", "2", "3"]),
        ([None, "b", None], ["1", "b", "3"]),
        ([None, None, 1], ["1-2", "2", "1"]),
        ([None, None, "1"], ["1-2", "2", "1"]),
        ([None, None, 1.0], ["1-2", "2", "1"]),
        (["2", None, "2-2"], ["2", "2-3", "2-2"]),
        ([None, "1", "1"], ["1-2", "1", "1~row3"]),
        (["01", None, "x"], ["01", "2", "x"]),
    ],
)
def test_numbers_stand_in_for_ids(tmp_path, ids, expected):
    assert [edit.id for edit in edits(write(tmp_path, [{"id": each} for each in ids]))] == expected


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "1"}',
        '{"ID":1}',
        '{ " Id "\t:  1 }',
        '{"\\u0069d": "1"}',
        '{"id\\t": "\\u0031"}',
        '{"id": "\\u00a01"}',
    ],
)
def test_a_later_number_is_found_however_it_is_spelt(tmp_path, line):
    path = write(tmp_path, ["{}\n", line + "\n"])
    assert [edit.id for edit in edits(path)] == ["1-2", "1"]


def test_a_limit_changes_no_id(tmp_path):
    path = write(tmp_path, [{}, {}, {"id": "1"}])
    assert [edit.id for edit in edits(path, limit=2)] == [edit.id for edit in edits(path)][:2] == ["1-2", "2"]


def test_repeats_are_rows_of_their_own(tmp_path):
    path = write(tmp_path, [{"id": "a"}, "nonsense\n", {"output": "o"}])
    found = edits(path, repeat=2)
    assert [(e.row, e.line, e.id, e.name) for e in found] == [
        (1, 1, "a-1", "a-1"),
        (2, 1, "a-2", "a-2"),
        (3, 2, "2-1", "2-1"),
        (4, 2, "2-2", "2-2"),
        (5, 3, "3-1", "o-1"),
        (6, 3, "3-2", "o-2"),
    ]
    assert [(fault.row, fault.line) for edit in found for fault in edit.faults] == [(3, 2), (4, 2)]


def test_shards_are_whole_and_in_order():
    parts = [Edit(row=n, line=n, id=str(n), name=str(n)) for n in range(1, 8)]
    assert [[edit.row for edit in shard] for shard in shards.cut(parts, 3)] == [[1, 2, 3], [4, 5, 6], [7]]
    assert list(shards.cut([], 3)) == []


labels = st.sampled_from([None, "", "1", "2", 3, "4-2", "a", "A", "é", "É", "a~row2", "b/c", ".x", "x" * 200])
rows = st.fixed_dictionaries(
    {"prompt": st.sampled_from(["p", "", "{", "{id}"]), "id": labels, "output": labels}
)


@settings(deadline=None)  # the first example pays for imports and a busy disk
@given(
    content=st.lists(rows | st.just("nonsense\n"), min_size=1, max_size=10),
    repeat=st.integers(1, 3),
    after=st.integers(0, 12),
)
def test_invariants(tmp_path_factory, content, repeat, after):
    path = write(tmp_path_factory.getbasetemp(), content)
    found = edits(path, repeat=repeat)
    assert [edit.row for edit in found] == list(range(1, len(content) * repeat + 1))
    assert [edit.line for edit in found] == [n for n in range(1, len(content) + 1) for _ in range(repeat)]
    assert len({edit.id.casefold() for edit in found}) == len(found)
    assert len({edit.name.casefold() for edit in found}) == len(found)
    assert all(fault.row == edit.row and fault.line == edit.line for edit in found for fault in edit.faults)
    assert edits(path, repeat=repeat) == found
    assert edits(path, after, repeat=repeat) == found[after:]
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Edit]) == found


def test_memory_does_not_grow_with_the_rows(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("image,prompt\n" + "".join(f"{n}.png,{'word ' * 40}{n}\n" for n in range(20_000)))
    tracemalloc.start()
    try:
        for _ in open_manifest(str(path), prompt=None, limit=None).edits():
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000  # the file is 4.5 MB; ids take 25 bytes each
