"""report.html: shows everything, runs nothing, loads nothing from elsewhere, and holds little at a time."""

import base64
import hashlib
import re
import tracemalloc
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from pipeline.attempt import Attempt, Tokens, Variant, Verdict
from pipeline.errors import StoreError
from pipeline.record import InputPicture, Outcome, OutputPicture, Record
from pipeline.report import local_inputs, words, write_html
from pipeline.report.pages import FIRST_ROWS, PAGE_ROWS
from pipeline.status import State, Status

T = "2026-11-22T10:31:04.120Z"
HOSTILE = (
    '"><script>alert(1)</script>', "'><img src=x onerror=alert(1)>", "javascript:alert(1)",
    '" onmouseover="alert(1)', "</title></style><script>alert(2)</script>", "\u202egpj.exe\u2066",
    "data:text/html,<script>alert(1)</script>", "//evil.example/x.png", "&lt;b&gt;", "\x00\x08\ud800",
    "vbscript:x", "<svg/onload=alert(1)>", "]]><!--<script>", "\\\\evil\\share", "`${alert(1)}`",
)  # fmt: skip


def picture(path="images/a.png"):
    return OutputPicture(path=path, mime_type="image/png", width=64, height=48, bytes=1234, sha256="ab")


def attempt(n=1, verdict=Verdict.IMAGE, **fields):
    return Attempt(
        **{
            "n": n, "started_at": T, "seconds": 6.4, "verdict": verdict, "counted": True, "http_status": 200,
            "prompt_variant": Variant.PLAIN, "cost_usd": 0.039, "tokens": Tokens(input=10), **fields,
        }
    )  # fmt: skip


def record(row=1, outcome=Outcome.DONE, **fields):
    done = {"images": (picture(),), "cost_usd": 0.039} if outcome is Outcome.DONE else {}
    return Record(**{"id": f"r{row}", "row": row, "line": row + 1, "outcome": outcome, **done, **fields})


def status(**fields):
    outcomes = {"done": 1, "blocked": 0, "failed": 0, "invalid": 0, "cancelled": 0, "pending": 0}
    return Status(
        **{
            "job": "job-1",
            "out": "/jobs/job-1",
            "state": State.FINISHED,
            "rows": 1,
            "outcomes": outcomes,
            **fields,
        }
    )


class Page(HTMLParser):
    """What a browser would make of a page: elements with attributes, links, and the text."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts = [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag, key):
        return [attrs[key] for name, attrs in self.elements if name == tag and key in attrs]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


def report(tmp_path, *records, inputs=lambda _: None, **fields):
    write_html(status(**fields), records, tmp_path, inputs=inputs)
    return Page((tmp_path / "report.html").read_text("utf-8"))


def assert_harmless(page):
    """No script, no handler, no style attribute, no address but relative, file: and followed http(s)."""
    for tag, attrs in page.elements:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form", "link", "foreignobject"}
        assert not [key for key in attrs if key.startswith("on") or key in {"style", "srcdoc", "srcset"}]
        for key in ("href", "src", "xlink:href", "action"):
            address = attrs.get(key, "")
            schemes = {"", "file", "http", "https"} if key == "href" else {"", "file", "data"}
            assert urlsplit(address).scheme in schemes, address
            assert not address.startswith(("//", "\\")), address
            if urlsplit(address).netloc:
                assert attrs["rel"] == "noopener noreferrer"


# --- what is shown


def test_the_summary_says_state_outcomes_calls_and_cost(tmp_path):
    """The figures of the status object, in words."""
    page = report(
        tmp_path,
        record(1, attempts=(attempt(),)),
        record(2, Outcome.FAILED, reason="text_only: only text came back.", attempts=(attempt(cost_usd=0.001),),
               cost_usd=0.001),
        rows=3, calls=1234, calls_unknown=2, cost_usd=0.04, verdicts={"image": 1, "text_only": 1, "throttled": 3},
        outcomes={"done": 1, "blocked": 0, "failed": 1, "invalid": 0, "cancelled": 0, "pending": 1},
        started_at=T, state=State.HALTED, state_reason="The key was refused: set GEMINI_API_KEY.",
    )  # fmt: skip
    for words_ in (
        "job-1 Halted", "1 of 3 rows done, 1 failed, 1 pending.", "started 2026-11-22 10:31:04 UTC",
        "The key was refused: set GEMINI_API_KEY.", "Calls 1,234",
        "Without an answer 2 calls that may have been paid for",
        "Cost $0.0400 without calls that had no answer", "Per accepted picture ≥ $0.0400 1 picture",
        "throttled too many requests 3 60.0 %", "done edited, decoded and checked 1 33.3 %",
        "failed text_only only text came back. 1 r2", "pending not settled yet 1",
    ):  # fmt: skip
        assert words_ in re.sub(r"\s+([.,])", r"\1", page.text), words_


def test_unknown_is_said_and_never_zero(tmp_path):
    """A cost without a price, and a manifest that is still being read."""
    counts = {"done": 1, "blocked": 0, "failed": 0, "invalid": 0, "cancelled": 0, "pending": None}
    row = record(cost_usd=None, attempts=(attempt(cost_usd=None),))
    page = report(tmp_path, row, cost_usd=None, rows=None, outcomes=counts, calls=1)
    assert "Rows unknown" in page.text
    assert "Cost unknown and 1 row with an unknown price" in page.text
    assert "Per accepted picture unknown" in page.text
    assert "cost unknown" in page.text
    assert "$0" not in page.text


def test_a_row_shows_before_and_after_prompt_and_every_try(tmp_path):
    """Side by side, with what was asked and what came of each try."""
    tries = (
        attempt(1, Verdict.TIMEOUT, http_status=None, unknown=True, cost_usd=None),
        attempt(2, prompt_variant=Variant.EXPLICIT, finish_reason="STOP"),
    )
    row = record(
        prompt="Make it <white>.\nKeep the logo.", attempts=tries, uncounted=4, text="Here you are",
        extra={"sku": "S1"},
        model="m-1", inputs=(InputPicture(path="in/a.jpg"),),
    )  # fmt: skip
    page = report(tmp_path, row, inputs=lambda path: f"../{path}")
    assert page.all("img", "src") == ["../in/a.jpg", "images/a.png"]
    assert page.all("img", "alt") == ["Before: in/a.jpg", "After: r1"]
    assert page.all("img", "loading") == ["lazy", "lazy"]
    for words_ in (
        "Make it <white>. Keep the logo.", "2 tries, 4 not counted", "m-1", "timeout perhaps paid, no answer",
        "image STOP explicit 200 6.4 s $0.0390", "The model said: Here you are", "sku S1",
        "64 \u00d7 48 · PNG · 1 KB",
    ):  # fmt: skip
        assert words_ in page.text, words_


def test_literal_percent_signs_of_file_names_are_encoded(tmp_path):
    """The file is called a%20b.png; in an address that would be "a b.png"."""
    page = report(tmp_path, record(images=(picture("images/a%20b%2Fc.png"),)))
    (source,) = page.all("img", "src")
    assert source == "images/a%2520b%252Fc.png"
    assert unquote(source) == "images/a%20b%2Fc.png"


def test_remote_inputs_are_links_and_are_not_loaded(tmp_path):
    """Opening a report tells no server; the label shows the host that is really meant, and no signature."""
    url = "https://good.example@evil.example/p/a.jpg?X-Amz-Signature=secret"
    asked = []
    page = report(tmp_path, record(inputs=(InputPicture(path=url),)), inputs=asked.append)
    assert asked == []
    assert page.all("img", "src") == ["images/a.png"]
    (link,) = [attrs for tag, attrs in page.elements if attrs.get("href") == url]
    assert link["rel"] == "noopener noreferrer"
    assert "evil.example/p/a.jpg" in page.text
    assert "secret" not in page.text
    assert "good.example" not in page.text


def test_what_browsers_do_not_draw_is_linked(tmp_path):
    """A broken picture would look like a fault of the edit."""
    page = report(tmp_path, record(inputs=(InputPicture(path="a.TIFF"),)), inputs=lambda path: path)
    assert page.all("img", "src") == ["images/a.png"]
    assert "a.TIFF" in page.all("a", "href")
    answered = report(tmp_path, record(images=(picture("images/a.heic"),)))
    assert answered.all("img", "src") == []
    assert "images/a.heic" in answered.all("a", "href")


def test_reasons_are_grouped_counted_and_ranked(tmp_path):
    """The largest group first, with links to its first rows; a reason without a code is not lost."""
    rows = [record(n, Outcome.FAILED, reason=f"text_only: said {n}") for n in range(1, 13)]
    rows += [
        record(13, Outcome.FAILED, reason="timeout: no answer"),
        record(14, Outcome.INVALID, reason="what?"),
    ]
    page = report(tmp_path, *rows)
    assert "text_only said 1 12 r1 r2 r3 r4 r5 r6 r7 r8 and 4 more" in page.text
    assert "timeout no answer 1 r13" in page.text
    assert "other what? 1 r14" in page.text
    assert "Ask again: retouch retry job-1 ." in page.text
    assert page.text.index("text_only said 1 12") < page.text.index("timeout no answer 1")
    ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
    assert {href[1:] for href in page.all("a", "href") if href.startswith("#")} <= ids


def test_a_job_without_rows_has_a_report(tmp_path):
    """Nothing settled yet is a state like any other."""
    page = report(tmp_path, rows=0, outcomes={}, state=State.QUEUED)
    assert "0 of 0 rows done." in page.text
    assert "No call was made." in page.text


def test_every_word_of_the_contract_has_words():
    """Whoever adds a verdict, a state or an outcome says here what people read."""
    assert set(words.VERDICTS) == set(Verdict)
    assert set(words.OUTCOMES) == set(Outcome)
    assert set(words.STATES) == set(State)
    assert words.verdict("newer_than_this") == "newer_than_this"


# --- what is not run


def hostile_record(row, evil, outcome=Outcome.DONE):
    return record(
        row, outcome, id=evil, reason=f"{evil}: {evil}", prompt=evil, text=evil, model=evil, model_version=evil,
        images=(picture(f"images/{evil}"), picture(evil)), extra={evil: evil, "list": [evil]}, settled_at=evil,
        inputs=(InputPicture(path=evil), InputPicture(path=f"http://{evil}"), InputPicture(path=f"https://h/{evil}")),
        attempts=(attempt(finish_reason=evil, detail=evil),),
    )  # fmt: skip


@pytest.mark.parametrize("evil", HOSTILE)
@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.FAILED])
def test_hostile_text_is_text_everywhere(tmp_path, evil, outcome):
    """Every field that a manifest, an answer or a job may fill, and what the caller's function returns."""
    page = report(
        tmp_path, hostile_record(1, evil, outcome), inputs=lambda _: evil,
        job=evil, out=evil, state_reason=evil, verdicts={evil: 1}, submitted_at=evil, started_at=evil,
    )  # fmt: skip
    assert_harmless(page)
    if evil.isprintable():
        assert evil in "".join(page.texts)


def test_hostile_text_is_text_on_pages_too(tmp_path):
    """Pages in report/ are made by the same hands, one folder down."""
    rows = (hostile_record(n, HOSTILE[n % len(HOSTILE)]) for n in range(1, PAGE_ROWS + 2))
    for path in write_html(status(), rows, tmp_path, inputs=lambda _: "../in.png"):
        page = Page(path.read_text("utf-8"))
        assert_harmless(page)
        if path.parent.name == "report":
            assert set(page.all("img", "src")) & {"../../in.png"}


def test_text_that_reads_otherwise_than_it_is_is_made_visible(tmp_path):
    """A bidi override can make exe.jpg of gpj.exe, and a NUL can end a text early; marks for Arabic may stay."""
    report(tmp_path, record(prompt="a\u202eb\u2066c\x00d\u200fe"))
    source = (tmp_path / "report.html").read_text("utf-8")
    assert "a⟨U+202E⟩b⟨U+2066⟩c⟨U+0000⟩d\u200fe" in source


def test_the_policy_forbids_everything_but_pictures_and_our_style(tmp_path):
    """Were something to slip through, the browser would still not run or load it."""
    page = report(tmp_path, record())
    (policy,) = [a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; img-src 'self' file: data:; style-src 'sha256-")
    assert "unsafe" not in policy
    source = (tmp_path / "report.html").read_text("utf-8")
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)[1]
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    assert "url(" not in style
    assert "@import" not in style
    assert source.index("Content-Security-Policy") < source.index("<title>")


# --- many rows


def test_many_rows_go_to_pages_that_lead_to_one_another(tmp_path):
    """Every row is on exactly one page of its outcome, and every link leads to something."""
    total = 2 * PAGE_ROWS + 1
    rows = [
        record(n, Outcome.FAILED if n % 2 else Outcome.DONE, reason=f"c{n % 4}: s")
        for n in range(1, 2 * total + 1)
    ]
    files = write_html(status(), iter(rows), tmp_path, inputs=lambda _: None)
    names = [path.relative_to(tmp_path).as_posix() for path in files]
    assert names == [
        *(f"report/{o}-0000{n}.html" for o in ("done", "failed") for n in (1, 2, 3)),
        "report.html",
    ]
    pages = {path: Page(path.read_text("utf-8")) for path in files}
    cards = [a["id"] for path in files[:-1] for t, a in pages[path].elements if t == "article"]
    assert sorted(cards) == sorted(f"row-{row.row}" for row in rows)
    for path, page in pages.items():
        for href in page.all("a", "href"):
            target, _, mark = href.partition("#")
            there = (path.parent / unquote(target)).resolve() if target else path
            if there.suffix == ".html":
                assert mark in {"", *(a.get("id") for _, a in pages[there].elements)}, (path, href)
    assert len([t for t, _ in pages[files[-1]].elements if t == "article"]) == 2 * FIRST_ROWS


def test_a_group_that_begins_late_is_linked_to_its_page(tmp_path):
    """The first rows are on report.html, later ones are not."""
    rows = [record(n, Outcome.FAILED, reason="early: s") for n in range(1, PAGE_ROWS + 1)]
    page = report(tmp_path, *rows, record(999, Outcome.FAILED, reason="late: s"))
    hrefs = page.all("a", "href")
    assert "#row-1" in hrefs
    assert "report/failed-00002.html#row-999" in hrefs


def test_writing_again_leaves_no_page_that_is_no_longer_so(tmp_path):
    """After a retry fewer rows are failed; what is not ours stays."""
    many = [record(n, Outcome.FAILED, reason="c: s") for n in range(1, 2 * PAGE_ROWS)]
    write_html(status(), many, tmp_path, inputs=lambda _: None)
    (tmp_path / "report" / "notes.html").write_text("mine")
    write_html(status(), [record()], tmp_path, inputs=lambda _: None)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["notes.html", "report.html"]
    (tmp_path / "report" / "notes.html").unlink()
    write_html(status(), [record()], tmp_path, inputs=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_reader_that_fails_leaves_the_old_report(tmp_path):
    """A report is whole or it is the one before."""
    report(tmp_path, record(prompt="the old one"))

    def broken():
        yield record()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_html(status(), broken(), tmp_path, inputs=lambda _: None)
    assert "the old one" in (tmp_path / "report.html").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    """The caller has one error to know, and it names the file."""
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StoreError, match=r"report\.html"):
        write_html(status(), [], tmp_path, inputs=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_reasons_without_end_do_not_fill_the_memory(tmp_path):
    """A defect may make every reason a code of its own."""
    page = report(tmp_path, *(record(n, Outcome.FAILED, reason=f"code{n}: s") for n in range(1, 500)))
    assert len(re.findall(r"\bcode\d+ s 1 ", page.text)) == 100
    assert "other reasons of many kinds; see the rows 399" in page.text


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """What is held is a page of each outcome, whatever the number of rows."""

    def peak(count):
        kinds = list(Outcome)
        rows = (
            record(n, kinds[n % 5], prompt="p" * 500, reason=None if n % 5 == 0 else f"c{n % 3}: s")
            for n in range(1, count + 1)
        )
        tracemalloc.start()
        try:
            write_html(status(), rows, tmp_path / str(count), inputs=lambda _: None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(8_000) < peak(2_000) + 1_000_000


# --- where inputs lie


def test_inputs_are_found_beside_the_job_and_nowhere_else(tmp_path):
    """Relative and percent-encoded; nothing outside the root, nothing that is not there, no surprise from names."""
    root, folder = tmp_path / "shop", tmp_path / "shop" / "jobs" / "j1"
    (root / "in").mkdir(parents=True)
    for name in ("in/a b%20#?.png", "in/ü.png", "outside.png"):
        (root / name).write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    find = local_inputs(root, folder)
    assert find("in/a b%20#?.png") == "../../in/a%20b%2520%23%3F.png"
    assert find("in\\ü.png") == "../../in/%C3%BC.png"
    for nothing in (
        "../secret.png",
        str(tmp_path / "secret.png"),
        "in/none.png",
        "in",
        "",
        "a\x00b",
        "x" * 5_000,
    ):
        assert find(nothing) is None, nothing
    assert local_inputs(root, folder, outside=True)("../secret.png") == "../../../secret.png"


def test_an_input_on_another_tree_has_a_file_address(tmp_path):
    """Relative paths over the root of the file system would break with the first move."""
    (tmp_path / "a b.png").write_bytes(b"x")
    assert (
        local_inputs(tmp_path, type(tmp_path)("/elsewhere/job"))("a b.png") == (tmp_path / "a b.png").as_uri()
    )


@pytest.mark.parametrize(
    "reference",
    ["javascript:alert(1)", "https://evil.example/x.png", "//evil.example/x.png", "data:text/html,x", "\\\\evil\\x",
     "data:image/svg+xml;base64,PHN2Zz4=", "a b.png", "x?y",
     "JaVaScRiPt:x", "file://host/share.png", " //e/x", "\t//e/x"],
)  # fmt: skip
def test_what_the_caller_returns_is_not_believed(tmp_path, reference):
    """A function that passes manifest paths on must not become a hole."""
    page = report(tmp_path, record(inputs=(InputPicture(path="a.png"),)), inputs=lambda _: reference)
    assert page.all("img", "src") == ["images/a.png"]
    assert reference not in page.all("a", "href")
