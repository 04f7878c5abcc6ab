"""The element builder: escaped by construction, whatever it is given."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report import words
from pipeline.report.markup import Html, Url, escape, join, tag


def test_text_is_escaped_and_markup_is_not_escaped_twice():
    """Children are text unless a builder made them."""
    assert tag("p", "<b>", tag("i", "&")) == "<p>&lt;b&gt;<i>&amp;</i></p>"
    assert join("<", None, Html("<br>"), "") == "&lt;<br>"


def test_attributes_are_quoted_named_and_left_out():
    """``None`` and ``False`` are absent, ``True`` is bare, a trailing underscore is Python's."""
    made = tag("a", "x", class_='"a"', aria_label="<", hidden=True, id=None, open=False, width=3)
    assert made == '<a class="&quot;a&quot;" aria-label="&lt;" hidden width="3">x</a>'


@pytest.mark.parametrize("attributes", [{"href": "x"}, {"src": "x"}, {"onclick": "x"}, {"style": "x"}])
def test_addresses_are_urls_and_scripts_have_no_place(attributes):
    """A plain string cannot become an address, and no text becomes a handler or a style."""
    with pytest.raises(TypeError):
        tag("a", "x", **attributes)


def test_a_url_is_escaped_as_well():
    """Ampersands in addresses are markup too."""
    assert tag("a", "x", href=Url("?a=1&b='")) == '<a href="?a=1&amp;b=&#39;">x</a>'


@settings(deadline=None)  # a busy machine is no defect
@given(st.text(), st.text())
def test_a_parser_reads_back_what_was_put_in(text, value):
    """One element, one attribute, one text: nothing that is written can open another."""

    class Reader(HTMLParser):
        def __init__(self):
            super().__init__(convert_charrefs=True)
            self.seen, self.text = [], ""

        def handle_starttag(self, tag, attrs):
            self.seen.append((tag, attrs))

        def handle_data(self, data):
            self.text += data

        def handle_comment(self, data):
            raise AssertionError(data)

    reader = Reader()
    reader.feed(tag("p", text, title=value))
    reader.close()
    assert len(reader.seen) == 1
    if text.isprintable() and value.isprintable():
        assert reader.text == text
        assert reader.seen == [("p", [("title", value)])]


@settings(deadline=None)  # a busy machine is no defect
@given(st.text(st.characters(), max_size=30))
def test_what_is_escaped_can_be_written(text):
    """Lone surrogates come from JSON of others, and UTF-8 has no place for them."""
    assert escape(text).encode("utf-8").decode("utf-8") == escape(text)


@pytest.mark.parametrize(
    ("usd", "text"),
    [(None, "unknown"), (0.0, "$0"), (0.0039, "$0.0039"), (1.005, "$1.00"), (12345.6, "$12,345.60"),
     (0.00001, "< $0.0001")],
)  # fmt: skip
def test_money(usd, text):
    """Unknown is not nothing, and nothing is not a little."""
    assert words.money(usd) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 10, "0 %"), (10, 10, "100 %"), (1, 1_000_000, "0.1 %"), (999_999, 1_000_000, "99.9 %"),
     (0, 0, "0 %"), (1, 4, "25.0 %")],
)  # fmt: skip
def test_a_share_is_whole_only_when_it_is(part, whole, text):
    """One failed row in a million must not read as 100 %."""
    assert words.share(part, whole) == text


@pytest.mark.parametrize(("count", "text"), [(10, "10 B"), (2048, "2 KB"), (3 * 1024 * 1024, "3.0 MB")])
def test_size(count, text):
    """Bytes as people read them."""
    assert words.size(count) == text


def test_moment_and_clipped():
    """A time that is none is shown as it is, and what is cut says so."""
    assert words.moment("2026-11-22T10:31:04.120Z") == "2026-11-22 10:31:04 UTC"
    assert words.moment(None) == "unknown"
    assert words.moment("soon") == "soon"
    assert words.clipped("abcdef", 3) == "abc… (3 more characters, in results.jsonl)"
