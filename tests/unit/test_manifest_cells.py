"""Columns, their types, and templates."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.manifest import template
from pipeline.manifest.cells import row_name, typed
from pipeline.manifest.reader import Raw


def read(cells, prompt=None):
    return typed(Raw(2, cells), prompt)


def codes(cells, prompt=None):
    return [(fault.code, fault.column) for fault in read(cells, prompt).faults]


@pytest.mark.parametrize(
    ("cells", "images"),
    [
        ({"image": "a.png"}, ("a.png",)),
        ({"image": " a b.png "}, ("a b.png",)),
        ({"image": "..\\photos\\a.png"}, ("../photos/a.png",)),
        ({"image": "https://x.com/a.png?q=\\"}, ("https://x.com/a.png?q=\\",)),
        ({"image": ""}, ()),
        ({"image": None}, ()),
        ({"images": "a.png| b.png |"}, ("a.png", "b.png")),
        ({"images": ["b.png", "c\\d.png"]}, ("b.png", "c/d.png")),
        ({"images": []}, ()),
        ({"images": ""}, ()),
        ({"image": "a.png", "images": ["b.png"]}, ("a.png", "b.png")),
    ],
)
def test_pictures(cells, images):
    found = read({"prompt": "p", **cells})
    assert (found.images, found.faults) == (images, [])


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ({"image": 3}, ("wrong_type", "image")),
        ({"image": ["a.png"]}, ("wrong_type", "image")),
        ({"images": {"a": 1}}, ("wrong_type", "images")),
        ({"images": ["a.png", None]}, ("wrong_type", "images")),
        ({"images": ["a.png", " "]}, ("wrong_type", "images")),
        ({"images": ["a\0.png"]}, ("nul", "images")),
        ({"image": "a\0.png"}, ("nul", "image")),
        ({"prompt": 5}, ("wrong_type", "prompt")),
        ({"prompt": "a\0b"}, ("nul", "prompt")),
        ({"model": 5}, ("wrong_type", "model")),
        ({"aspect_ratio": 1.5}, ("wrong_type", "aspect_ratio")),
        ({"image_size": ["1K"]}, ("wrong_type", "image_size")),
        ({"prompt": "{nothing}"}, ("unknown_column", "prompt")),
        ({"prompt": "a } b"}, ("stray_brace", "prompt")),
        ({"prompt": ""}, ("empty_row", None)),
        ({"prompt": "", "image": "a.png"}, ("no_prompt", "prompt")),
        ({"prompt": "{x}", "x": ""}, ("empty_row", None)),
    ],
)
def test_faults_of_one_column(cells, fault):
    assert codes({"prompt": "p", **cells}) == [fault]


def test_all_faults_of_a_row_are_said_together():
    assert codes({"image": 1, "model": 2, "prompt": "{"}) == [
        ("wrong_type", "image"),
        ("wrong_type", "model"),
        ("stray_brace", "prompt"),
    ]


def test_a_list_that_holds_no_path_is_not_told_to_be_a_list():
    (fault,) = read({"prompt": "p", "images": ["a.png", None]}).faults
    assert fault.message.startswith("images is a list in which something is no path; write")


def test_a_missing_prompt_names_the_option():
    (fault,) = read({"image": "a.png"}).faults
    assert "--prompt" in fault.message


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a", "a"),
        (" a ", "a"),
        ("001", "001"),
        (1, "1"),
        (1.0, "1"),
        (10**20, "1" + "0" * 20),
        ("", None),
        (" ", None),
        (None, None),
    ],
)
def test_ids(value, name):
    faults = []
    assert row_name({"id": value}, "id", faults) == name
    assert faults == []


@pytest.mark.parametrize("value", [1.5, True, ["a"], {"a": 1}, "a\0b"])
def test_ids_of_the_wrong_type(value):
    faults = []
    row_name({"id": value}, "id", faults)
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("16:9", "16:9"),
        ("16:09", "16:9"),
        ("16:09:00", "16:9"),
        ("01:01:00", "1:1"),
        (" 4:3 ", "4:3"),
        ("x", "x"),
    ],
)
def test_ratios_that_excel_took_for_times(written, meant):
    assert read({"prompt": "p", "aspect_ratio": written}).aspect_ratio == meant


def test_the_own_prompt_goes_before_the_one_for_all():
    assert read({"prompt": "own"}, "all").prompt == "own"
    assert codes({"prompt": " "}, "all {a}") == [("unknown_column", "--prompt")]
    assert read({"prompt": "", "a": "x"}, "all {a}").prompt == "all x"


def test_extra_is_what_means_nothing():
    assert read({"prompt": "p", "id": "x", "Note": "n", "n": None}).extra == {"Note": "n", "n": None}


CELLS = {
    "Colour": "red",
    "n": 3,
    "x": 1.5,
    "ok": True,
    "none": None,
    "list": ["a", 2],
    "brace": "{n}",
    "a b": "!",
}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("{Colour}", "red"),
        ("{ colour }", "red"),
        ("{a b}", "!"),
        ("{n} {x} {ok} [{none}] {list}", "3 1.5 true [] a, 2"),
        ("{{n}}", "{n}"),
        ("{{{n}}}", "{3}"),
        ("{brace}", "{n}"),
        ('{{"a": {n}}}', '{"a": 3}'),
    ],
)
def test_templates(text, filled):
    assert template.fill(text, CELLS) == filled


@pytest.mark.parametrize(
    ("pictures", "filled"),
    [
        ({"image": "photos/a b.png"}, "photos/a b.png"),
        ({"Image": "https://anna:geheim@x.com/a.png?sku=7"}, "https://x.com/a.png?sku=7"),
        (
            {"image": "https://x.com/a.png?X-Amz-Signature=0a1b2c3d4e5f6"},
            "https://x.com/a.png?X-Amz-Signature=[hidden]",
        ),
    ],
)
def test_a_picture_is_named_in_a_prompt_without_what_lets_somebody_in(pictures, filled):
    assert template.fill("as in {image}", pictures) == f"as in {filled}"


@pytest.mark.parametrize(
    "several",
    [
        "https://a:secret@x/1.png|https://x/2.png?sig=secret|3.png",
        ["https://a:secret@x/1.png", "https://x/2.png?sig=secret", "3.png"],
    ],
)
def test_of_several_pictures_each_is_named_without_it(several):
    filled = template.fill("{images}", {"images": several})
    assert "secret" not in filled
    assert ("1.png" in filled, "2.png?sig=[hidden]" in filled, "3.png" in filled) == (True, True, True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "stray_brace"),
        ("}", "stray_brace"),
        ("a {n", "stray_brace"),
        ("{}", "stray_brace"),
        ("{n}}", "stray_brace"),
        ("{size}", "unknown_column"),
        ("{prompt}", "unknown_column"),
        ('{"a": 1}', "unknown_column"),
    ],
)
def test_templates_that_cannot_be_filled(text, code):
    with pytest.raises(template.TemplateError) as caught:
        template.fill(text, CELLS)
    assert caught.value.code == code
    assert "{{" in str(caught.value) or "{prompt}" in text


@settings(deadline=None)  # the first example pays for imports and a busy disk
@given(text=st.text())
def test_doubled_braces_stand_for_any_text(text):
    assert template.fill(text.replace("{", "{{").replace("}", "}}"), {}) == text
