"""Logs go where they are asked to, and hold no key."""

from __future__ import annotations

import logging
import re

import pytest

from jobs import logs
from jobs.logs import LogOptions

KEY = "AIzaSy-not-a-real-key"


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    yield
    for handler in [handler for handler in root.handlers if handler not in before]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.getLogger("retouch").setLevel(logging.NOTSET)


def test_a_key_never_leaves_not_even_in_a_traceback(capsys, tmp_path):
    logs.begin(LogOptions(debug=True, file=str(tmp_path / "x.log")))

    try:
        int(KEY)
    except ValueError:
        logging.getLogger("retouch.test").exception("sent %s", {"x-goog-api-key": KEY})

    said = capsys.readouterr().err + (tmp_path / "x.log").read_text()
    assert said.count("Traceback") == 2
    assert "[hidden]" in said
    assert KEY not in said


def test_passwords_of_urls_are_hidden(monkeypatch):
    monkeypatch.setenv("RETOUCH_REDIS_URL", "redis://user:open-sesame@broker:6379/0")

    assert (
        logs.masked("cannot reach redis://user:open-sesame@broker")
        == "cannot reach redis://user:[hidden]@broker"
    )


def test_without_options_only_warnings_are_shown_and_no_traceback(capsys):
    logs.begin(LogOptions())
    log = logging.getLogger("retouch.test")

    log.info("quiet")
    try:
        int("deep")
    except ValueError:
        log.warning("it failed", exc_info=True)

    assert capsys.readouterr().err == (
        "WARNING retouch.test: it failed (invalid literal for int() with base 10: 'deep'; --debug shows where)\n"
    )


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (LogOptions(), []),
        (LogOptions(verbose=True), ["INFO"]),
        (LogOptions(debug=True), ["DEBUG", "INFO"]),
    ],
)
def test_levels_and_libraries_keep_quiet(capsys, options, shown):
    logs.begin(options)

    for name in ("retouch.test", "httpx", "httpcore", "aiohttp"):
        logging.getLogger(name).debug("d")
        logging.getLogger(name).info("HTTP Request: POST https://…")

    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == shown


def test_a_log_file_has_utc_times_and_more_than_the_screen(capsys, tmp_path):
    logs.begin(LogOptions(file=str(tmp_path / "x.log")))

    logging.getLogger("retouch.test").info("began")

    assert capsys.readouterr().err == ""
    line = (tmp_path / "x.log").read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO retouch\.test: began\n", line)
