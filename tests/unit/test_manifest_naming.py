"""Ids and file names."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.manifest.naming import Labels, Register, file_name


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("shoe-1_a.b", "shoe-1_a.b"),
        ("a b", "a%20b"),
        ("a/b\\c", "a%2Fb%5Cc"),
        ("../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"),
        ("..", "%2E."),
        (".", "%2E"),
        (".hidden", "%2Ehidden"),
        ("é", "%C3%A9"),
        ("100%", "100%25"),
        ("a~row3", "a%7Erow3"),
        ("line\nbreak", "line%0Abreak"),
        ("鞋", "%E9%9E%8B"),
        ("x" * 150, "x" * 150),
    ],
)
def test_characters_outside_the_alphabet_become_their_bytes(label, name):
    assert file_name(label) == name


@pytest.mark.parametrize("label", ["x" * 151, "é" * 40, "x" * 132 + "é" * 10, "y" * 5000])
def test_long_names_are_cut_and_told_apart_by_a_hash(label):
    name = file_name(label)
    assert re.fullmatch(r"[A-Za-z0-9._%-]{130,133}-[0-9a-f]{16}", name)
    assert not re.search(r"%.?-[0-9a-f]{16}$", name)
    assert file_name(label + "!") != name


def test_no_label_can_pretend_to_be_a_cut_one():
    cut = file_name("x" * 500)
    assert file_name(cut) != cut


@settings(deadline=None)  # the first example pays for imports and a busy disk
@given(labels=st.lists(st.text(max_size=60) | st.text("ab-%.", min_size=140, max_size=160), max_size=20))
def test_names_are_as_different_as_labels(labels):
    names = {file_name(label).casefold() for label in labels if label}
    assert len(names) >= len({label.casefold() for label in labels if label})
    assert all(len(name) <= 150 and re.fullmatch(r"[a-z0-9_%-][a-z0-9._%-]*", name) for name in names)


@settings(deadline=None)  # the first example pays for imports and a busy disk
@given(entries=st.lists(st.tuples(st.text(max_size=5), st.integers(1, 10**10)), max_size=50))
def test_labels_are_a_dict_without_case(entries):
    labels, model = Labels(), {}
    for label, number in entries:
        key, line = label.casefold(), min(number, 0xFFFFFFFF)
        assert labels.line_of(label) == model.get(key)
        assert labels.add(label, line) == model.get(key)
        model.setdefault(key, line)
    copy = labels.copy()
    copy.add("something else", 1)
    assert all(copy.line_of(key) == labels.line_of(key) == line for key, line in model.items())
    assert labels.line_of("something else") is None


def test_labels_grow():
    labels = Labels()
    for n in range(5000):
        assert labels.add(f"id-{n}", n + 2) is None
    assert all(labels.line_of(f"ID-{n}") == n + 2 for n in range(5000))
    assert labels.line_of("id-5000") is None


def named(rows):
    """Names of *rows* of (id, output), in lines from 2."""
    reserved = Labels()
    for identity, _ in rows:
        if identity:
            reserved.add(identity, 0)
    register = Register(lambda: reserved)
    return [register.admit(n, n + 1, identity, output) for n, (identity, output) in enumerate(rows, 1)]


def short(rows):
    return [(each.id, each.label, [fault.code for fault in each.faults]) for each in named(rows)]


def test_the_first_keeps_a_repeated_id():
    assert short([("a", None), ("A", None), ("a", None)]) == [
        ("a", "a", []),
        ("A~row2", "A~row2", ["duplicate_id"]),
        ("a~row3", "a~row3", ["duplicate_id"]),
    ]
    assert "line 2" in named([("a", None), ("a", None)])[1].faults[0].message


def test_a_name_that_a_repeated_id_would_get_may_be_taken():
    assert [each[0] for each in short([("a~row3", None), ("a", None), ("a", None)])] == [
        "a~row3",
        "a",
        "a~row3-2",
    ]


def test_a_number_yields_to_explicit_ids_before_and_after():
    rows = [(None, None), ("1", None), (None, None), ("3", None), ("3-2", None), ("1-3", None)]
    assert [each[0] for each in short(rows)] == ["1-2", "1", "3-3", "3", "3-2", "1-3"]
    assert not any(each[2] for each in short(rows))


def test_outputs_are_unique_too():
    assert short([("a", "x"), ("b", "X"), ("x", None), ("c", "a")]) == [
        ("a", "x", []),
        ("b", "X~row2", ["duplicate_output"]),
        ("x", "x~row3", ["duplicate_output"]),
        ("c", "a", []),
    ]


def test_an_output_that_is_the_id_of_an_earlier_row():
    assert short([("a", None), ("b", "a")])[1] == ("b", "a~row2", ["duplicate_output"])


def test_a_number_yields_its_file_name_to_an_output():
    assert short([("a", "2"), (None, None)])[1] == ("2", "2-2", [])


def test_reading_ahead_happens_only_for_rows_without_id():
    def never():
        raise AssertionError

    register = Register(never)
    assert register.admit(1, 2, "a", None).id == "a"


ids = st.none() | st.sampled_from(["1", "2", "2-2", "1-2", "a", "A", "a~row2", "a~row3", "2~row4", "3"])


@settings(deadline=None)  # the first example pays for imports and a busy disk
@given(rows=st.lists(st.tuples(ids, ids), max_size=12))
def test_ids_and_labels_are_unique_whatever_comes(rows):
    names = named(rows)
    assert len({each.id.casefold() for each in names}) == len(rows)
    assert len({each.label.casefold() for each in names}) == len(rows)
    for (identity, _), each in zip(rows, names, strict=True):
        assert each.faults or identity is None or each.id == identity
