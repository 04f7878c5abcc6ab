"""CSV and TSV as people and Excel write them."""

import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ManifestError
from pipeline.manifest import open_manifest


def read(tmp_path, content, name="m.csv", **options):
    """All edits of a manifest with *content*."""
    data = content if isinstance(content, bytes) else content.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return list(open_manifest(str(path), **{"prompt": None, "limit": None, **options}).edits())


def seen(edits):
    """Line, pictures and prompt of each edit."""
    return [(edit.line, edit.images, edit.prompt) for edit in edits]


def codes(edits):
    """Row, line and code of each fault."""
    return [(edit.row, edit.line, fault.code) for edit in edits for fault in edit.faults]


TWO = [(2, ("a.png",), "red"), (3, ("b.png",), "blue")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("m.csv", "image,prompt\na.png,red\nb.png,blue\n", id="plain"),
        pytest.param("m.csv", "image,prompt\na.png,red\nb.png,blue", id="no newline at the end"),
        pytest.param("m.csv", "\ufeffimage,prompt\r\na.png,red\r\nb.png,blue\r\n", id="Excel's UTF-8"),
        pytest.param("m.csv", "\ufeffimage;prompt\r\na.png;red\r\nb.png;blue\r\n", id="Excel in Europe"),
        pytest.param("m.csv", "image,prompt\ra.png,red\rb.png,blue\r", id="old Mac"),
        pytest.param("m.csv", "image\tprompt\na.png\tred\nb.png\tblue\n", id="tabs in .csv"),
        pytest.param("m.csv", ' Image ,"PROMPT "\na.png,red\nb.png,blue\n', id="names"),
        pytest.param("m.csv", "image,prompt,,\na.png,red,,\nb.png,blue,,\n", id="trailing columns"),
        pytest.param("m.csv", "image,prompt,,\na.png,red\nb.png,blue,,,,,\n", id="ragged but empty"),
        pytest.param("m.csv", "prompt,image\nred, a.png \nblue,b.png\n", id="order and spaces"),
        pytest.param("m.CSV.GZ", "image,prompt\na.png,red\nb.png,blue\n", id="upper case name"),
        pytest.param("m.csv.gz", "image,prompt\na.png,red\nb.png,blue\n", id="gzip"),
        pytest.param("m.tsv", "image\tprompt\na.png\tred\nb.png\tblue\n", id="tsv"),
        pytest.param("m.tsv.gz", "image\tprompt\na.png\tred\nb.png\tblue\n", id="tsv.gz"),
    ],
)
def test_the_ways_to_write_two_rows(tmp_path, name, content):
    path = tmp_path / name
    data = content.encode()
    path.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
    assert seen(open_manifest(str(path), prompt=None, limit=None).edits()) == TWO


@pytest.mark.parametrize("unseen", ["\ufeff\ufeff", "\u200b", "\u00a0 "])
def test_what_nobody_sees_is_no_part_of_a_columns_name(tmp_path, unseen):
    assert seen(read(tmp_path, f"{unseen}image{unseen},prompt\na.png,red\n")) == [(2, ("a.png",), "red")]


@pytest.mark.parametrize("said", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_excels_separator_line_counts_as_a_line_only(tmp_path, said):
    edits = read(tmp_path, f"{said}\r\nimage;prompt\r\na.png;a, b\r\n")
    assert seen(edits) == [(3, ("a.png",), "a, b")]


def test_lines_are_where_rows_start_and_blank_ones_count_in_lines_only(tmp_path):
    content = 'image,prompt\r\na.png,"one\ntwo\r\nthree"\r\n\r\n   \r\n,\r\nb.png,four\r\n'
    edits = read(tmp_path, content)
    assert seen(edits) == [(2, ("a.png",), "one\ntwo\r\nthree"), (8, ("b.png",), "four")]
    assert [edit.row for edit in edits] == [1, 2]


def test_blank_lines_before_the_header(tmp_path):
    assert seen(read(tmp_path, "\n\nimage,prompt\na.png,red\n")) == [(4, ("a.png",), "red")]


def test_separator_is_what_splits_known_columns(tmp_path):
    edits = read(tmp_path, 'image;"note, long, and with commas";prompt\na.png;x;red\n')
    assert edits[0].extra == {"note, long, and with commas": "x"}


def test_missing_values_are_empty_and_other_columns_are_carried_as_written(tmp_path):
    (edit,) = read(tmp_path, "image,prompt, Note ,Model\na.png,red\n")
    assert (edit.extra, edit.model, edit.faults) == ({"Note": ""}, None, ())


def test_more_values_than_columns_is_a_fault_of_that_row(tmp_path):
    edits = read(tmp_path, "image,prompt\na.png,red, and blue\nb.png,blue\n")
    assert codes(edits) == [(1, 2, "extra_values")]
    assert "double quotes" in edits[0].faults[0].message


def test_a_value_under_an_unnamed_column_is_a_fault(tmp_path):
    edits = read(tmp_path, "image,,prompt\na.png,,red\nb.png,x,blue\n")
    assert codes(edits) == [(2, 3, "extra_values")]


def test_a_quote_inside_an_unquoted_value_is_itself(tmp_path):
    assert read(tmp_path, 'image,prompt\na.png,a 5" screen\n')[0].prompt == 'a 5" screen'


def test_unclosed_quote_costs_its_row_and_no_other(tmp_path):
    edits = read(tmp_path, 'image,prompt\na.png,"red\nb.png,blue\nc.png,green\n')
    assert codes(edits) == [(1, 2, "open_quote")]
    assert seen(edits)[1:] == [(3, ("b.png",), "blue"), (4, ("c.png",), "green")]


def test_unclosed_quote_that_meets_another_costs_its_row_and_no_other(tmp_path):
    edits = read(tmp_path, 'image,prompt\na.png,"red\nb.png,blue\nc.png,"green, dark"\nd.png,x\n')
    assert codes(edits) == [(1, 2, "open_quote")]
    assert [edit.images for edit in edits[1:]] == [("b.png",), ("c.png",), ("d.png",)]


def test_lines_inside_a_broken_quote_are_not_taken_for_short_rows(tmp_path):
    edits = read(tmp_path, 'prompt,image\n"one\ntwo "x" three\nfour",a.png\nfive,b.png\n', prompt="P")
    assert [(edit.line, bool(edit.faults)) for edit in edits][:2] == [(2, True), (3, True)]
    assert edits[-1].images == ("b.png",)
    assert not any(edit.prompt.startswith("two") for edit in edits)


def test_an_unclosed_quote_does_not_swallow_the_file(tmp_path):
    rows = "".join(f"{n}.png,some words to fill the line with {n}\n" for n in range(40_000))
    edits = read(tmp_path, f'image,prompt\nx.png,"red\n{rows}')
    assert codes(edits) == [(1, 2, "open_quote")]
    assert len(edits) == 40_001
    assert edits[-1].line == 40_002


def test_a_value_beyond_every_measure_is_a_fault_of_its_line(tmp_path):
    long = "x" * 200_000  # beyond the parser's own bound
    edits = read(tmp_path, f'image,prompt\na.png,"{long}\n"\nb.png,{long * 15}\nc.png,red\n')
    assert codes(edits) == [(2, 4, "too_long")]
    assert (len(edits[0].prompt), edits[2].prompt) == (200_001, "red")


def test_a_gzip_bomb_is_one_fault(tmp_path):
    (edit, after) = read(tmp_path, b"image,prompt\na.png," + b"x" * 50_000_000 + b"\nb.png,y\n", "m.csv.gz")
    assert (edit.faults[0].code, after.line) == ("too_long", 3)


def test_bytes_of_another_encoding_are_named_with_their_column(tmp_path):
    edits = read(tmp_path, "image,prompt\na.png,caf\xe9\nb.png,red\n".encode("cp1252"))
    (fault,) = edits[0].faults
    assert (fault.code, fault.line, fault.column) == ("bad_encoding", 2, "prompt")
    assert "0xE9" in fault.message
    assert "cp1252" in fault.message
    assert "CSV UTF-8" in fault.message
    assert edits[1].faults == ()
    edits[0].prompt.encode()  # can be written


def test_nul_is_a_fault(tmp_path):
    assert codes(read(tmp_path, "image,prompt\na\0.png,red\nb.png,x" + " y" * 20 + "\n")) == [(1, 2, "nul")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("\ufeff", "is empty"),
        ("image,prompt\n", "no rows"),
        ("image,prompt\n\n,,\n", "no rows"),
        ("a.png,red\nb.png,blue\n", '"a.png", "red"'),
        ("image|prompt\na.png|red\n", "separate columns by commas"),
        ("image,prompt,Image\na,b,c\n", '"image"'),
        ("image,prompt,note,NOTE\na,b,c,d\n", '"note"'),
        ('image,"prompt\na.png,red\n', "header"),
        ("x" * 2_000_000 + "\n", "header"),
        ("image,l\xe9gende\na,b\n".encode("cp1252"), "cp1252"),
        ("image,prompt\na.png,red\n".encode("utf-16"), "UTF-16"),
        ("image,prompt\na.png,red\n".encode("utf-16-le"), "UTF-16"),
        ("image,prompt\na.png,red\n".encode("utf-16-be"), "UTF-16"),
        ("image,prompt\na.png,red\n".encode("utf-32"), "UTF-32"),
    ],
)
def test_what_cannot_be_read_at_all(tmp_path, content, words):
    with pytest.raises(ManifestError, match=r"m\.csv") as caught:
        read(tmp_path, content)
    assert words in str(caught.value)


def test_a_file_without_header_is_refused_even_with_a_prompt_for_all(tmp_path):
    with pytest.raises(ManifestError, match="no column is called image"):
        read(tmp_path, "a.png,x\nb.png,y\n", prompt="brighten")


def test_a_table_without_pictures_can_feed_the_prompt_for_all(tmp_path):
    edits = read(tmp_path, "Product,colour\nshoe,red\n", prompt="a {colour} {product}")
    assert (edits[0].prompt, edits[0].images) == ("a red shoe", ())


def test_truncated_gzip_is_one_sentence(tmp_path):
    rows = "image,prompt\n" + "".join(f"{n}.png,{n * 7919}\n" for n in range(50_000))
    path = tmp_path / "m.csv.gz"
    path.write_bytes(gzip.compress(rows.encode())[:-2000])
    manifest = open_manifest(str(path), prompt=None, limit=None)
    with pytest.raises(ManifestError, match="truncated or damaged"):
        list(manifest.edits())


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0{}"), min_size=1).filter(str.strip)


@settings(deadline=None)  # the first example pays for imports and a busy disk
@given(
    rows=st.lists(st.tuples(texts, texts), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    bom=st.booleans(),
)
def test_what_a_csv_writer_writes_comes_back(tmp_path_factory, rows, delimiter, end, bom):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["prompt", "note"])
    writer.writerows(rows)
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_bytes(buffer.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    edits = list(open_manifest(str(path), prompt=None, limit=None).edits())
    assert [(edit.prompt, edit.extra["note"]) for edit in edits] == rows
    assert not codes(edits)


@settings(deadline=None)  # the first example pays for imports and a busy disk
@given(content=st.binary(max_size=300) | st.text(alphabet='a,;"\n\r{}~-1 ', max_size=80).map(str.encode))
def test_any_bytes_give_edits_or_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"image,prompt,id\n" + content)
    try:
        edits = list(open_manifest(str(path), prompt=None, limit=None).edits())
    except ManifestError:
        return
    assert [edit.row for edit in edits] == list(range(1, len(edits) + 1))
    assert len({edit.name.casefold() for edit in edits}) == len(edits)
    assert [edit.line for edit in edits] == sorted({edit.line for edit in edits})
