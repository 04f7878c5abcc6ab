"""JSON lines."""

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ManifestError, StoreError
from pipeline.manifest import open_manifest, spool


def read(tmp_path, content, name="m.jsonl", **options):
    data = content if isinstance(content, bytes) else content.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return list(open_manifest(str(path), **{"prompt": None, "limit": None, **options}).edits())


@pytest.mark.parametrize("name", ["m.jsonl", "m.ndjson", "m.jsonl.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_objects_by_line(tmp_path, name, end):
    content = (
        f'\ufeff{{"image": "a.png", "prompt": "red"}}{end}{end}{{"PROMPT": "one\\ntwo", " Image ": null}}'
    )
    edits = read(tmp_path, content, name)
    assert [(edit.line, edit.images, edit.prompt) for edit in edits] == [
        (1, ("a.png",), "red"),
        (3, (), "one\ntwo"),
    ]
    assert not any(edit.faults for edit in edits)


def test_other_keys_keep_their_types(tmp_path):
    extra = (
        '"n": 1, "x": 1.5, "ok": true, "none": null, "list": [1, {"a": "b"}], "nan": NaN, "big": -Infinity'
    )
    (edit,) = read(tmp_path, f'{{"prompt": "p", {extra}}}')
    expected = {"n": 1, "x": 1.5, "ok": True, "none": None, "list": [1, {"a": "b"}], "nan": None, "big": None}
    assert edit.extra == expected


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nonsense", "bad_json"),
        ('{"prompt": "p"', "bad_json"),
        ('{"prompt": "p"} {"prompt": "q"}', "bad_json"),
        ('["a.png", "p"]', "bad_json"),
        ('"a.png"', "bad_json"),
        ("[" * 100_000, "bad_json"),
        ('{"prompt": "\\ud800"}', "bad_json"),
        ('{"prompt": "\\ud800", "x": NaN}', "bad_json"),
        ('{"prompt": "p", "id": "a", "ID ": "b"}', "duplicate_column"),
        ('{"prompt": "' + "x" * 2_000_000 + '"}', "too_long"),
        ('{"prompt": "caf\udce9"}', "bad_encoding"),
        ("{}", "empty_row"),
        ('{"image": "a.png"}', "no_prompt"),
        ('{"image": "a.png", "prompt": "  "}', "no_prompt"),
    ],
)
def test_a_bad_line_is_a_fault_and_the_rest_goes_on(tmp_path, line, code):
    good = '{"prompt": "p"}'
    content = f"{good}\n{line}\n{good}\n".encode("utf-8", "surrogateescape")
    edits = read(tmp_path, content)
    assert [[fault.code for fault in edit.faults] for edit in edits] == [[], [code], []]
    assert edits[1].faults[0].line == 2
    assert edits[1].faults[0].row == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[\n{"prompt": "p"}\n]', "JSON array"),
        ('[{"prompt": "p"}]', "JSON array"),
        ('{\n"prompt": "p"\n}', "several lines"),
        ("\n \n", "no rows"),
        ("", "empty"),
        ('{"prompt": "p"}'.encode("utf-16"), "UTF-16"),
    ],
)
def test_other_json_is_refused_with_the_mend(tmp_path, content, words):
    with pytest.raises(ManifestError, match=words):
        read(tmp_path, content)


def test_standard_input_is_spooled_whole(tmp_path):
    path = spool(io.BytesIO(b'{"image": "a.png", "prompt": "p"}\n'), tmp_path / "deep" / "stdin.jsonl")
    manifest = open_manifest("-", prompt=None, limit=None, spooled=path)
    assert (manifest.source, [edit.images for edit in manifest.edits()]) == ("-", [("a.png",)])
    assert manifest.root.is_absolute()
    assert [each.name for each in path.parent.iterdir()] == ["stdin.jsonl"]


def test_a_terminal_is_no_manifest(tmp_path):
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

    with pytest.raises(ManifestError, match="terminal"):
        spool(Terminal(), tmp_path / "stdin.jsonl")


@settings(deadline=None)  # the first example pays for imports and a busy disk
@given(content=st.binary(max_size=200) | st.text(alphabet='{}[]":,id1 \n\\u', max_size=80).map(str.encode))
def test_any_bytes_give_edits_or_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(b'{"prompt": "p"}\n' + content)
    try:
        edits = list(open_manifest(str(path), prompt=None, limit=None).edits())
    except ManifestError:
        return
    assert len({edit.name.casefold() for edit in edits}) == len(edits)


def test_a_place_that_cannot_be_written_is_the_stores_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be kept"):
        spool(io.BytesIO(b"{}"), tmp_path / "file" / "stdin.jsonl")


@pytest.mark.parametrize("header", ["image,prompt", '"Image";"Prompt"', "id\timage\tprompt"])
def test_csv_in_place_of_json_lines_is_one_sentence(tmp_path, header):
    path = tmp_path / "m.jsonl"
    path.write_text(f"{header}\na.png,b\n")

    with pytest.raises(ManifestError, match="begins like CSV"):
        open_manifest(str(path), prompt=None, limit=None)
