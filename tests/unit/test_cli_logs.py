"""Logs go where they are asked to, and hold no key."""

from __future__ import annotations

import json
import logging
import re
import warnings

import pytest

from jobs import logs
from jobs.logs import LogOptions
from jobs.masking import masked
from pipeline.engine.task_context import TaskContext, concerning

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
    logging.captureWarnings(False)
    logging.getLogger("retouch").setLevel(logging.NOTSET)


def test_a_key_never_leaves_not_even_in_a_traceback(capsys, tmp_path):
    logs.begin(LogOptions(debug=True, log_file=str(tmp_path / "x.log")))

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
        masked("cannot reach redis://user:open-sesame@broker") == "cannot reach redis://user:[hidden]@broker"
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
    logs.begin(LogOptions(log_file=str(tmp_path / "x.log")))

    logging.getLogger("retouch.test").info("began")

    assert capsys.readouterr().err == ""
    line = (tmp_path / "x.log").read_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO retouch\.test: began\n", line)


def test_a_line_says_what_it_concerns_and_says_it_once(capsys):
    logs.begin(LogOptions(verbose=True))
    log = logging.getLogger("retouch.test")

    with concerning(TaskContext("j-1", 2, 17)):
        log.info("row_settled job=%s row=%s outcome=%s", "j-1", 17, "done")
        log.warning("store_failed, no new calls until it works again: %s", "disk full")
    with concerning(TaskContext("j-1")):
        log.warning("usage_absurd")
    log.info("worker_ready slots=%s", 4)

    assert capsys.readouterr().err.splitlines() == [
        "INFO retouch.test: row_settled job=j-1 row=17 outcome=done shard=2",
        "WARNING retouch.test: store_failed, no new calls until it works again: disk full job=j-1 shard=2 row=17",
        "WARNING retouch.test: usage_absurd job=j-1",
        "INFO retouch.test: worker_ready slots=4",
    ]


def _lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_has_a_line_an_object_with_its_fields(capsys):
    logs.begin(LogOptions(verbose=True, log_format="json"))
    log = logging.getLogger("retouch.test")

    with concerning(TaskContext("j-1", 2, 17)):
        log.info(
            "call job=%s n=%s verdict=%s seconds=%.2f usd=%s, 100 %% sure: %s",
            "j-1",
            3,
            "image",
            4.25,
            None,
            "x",
        )
        log.info("told job=%s event=%s", "j-1", "finished")

    call, told = _lines(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", call.pop("time"))
    assert call == {
        "level": "info",
        "logger": "retouch.test",
        "event": "call",
        "message": "call job=j-1 n=3 verdict=image seconds=4.25 usd=None, 100 % sure: x",
        "job": "j-1",
        "shard": 2,
        "row": 17,
        "n": 3,
        "verdict": "image",
        "seconds": 4.25,
    }
    assert (told["event"], told["event_"]) == ("told", "finished")


def test_json_holds_tracebacks_warnings_and_the_lines_of_others_but_no_key(capsys):
    logs.begin(LogOptions(log_format="json"))

    try:
        int(KEY)
    except ValueError:
        logging.getLogger("retouch.test").exception("row_broke key=%s", KEY)
    logging.getLogger("celery.worker").warning("consumer: Cannot connect to redis://x:%s@host", KEY)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("soon\ngone", DeprecationWarning, stacklevel=1)

    broke, celery, warned = _lines(capsys)
    assert broke["event"] == "row_broke"
    assert "Traceback" in broke["error"]
    assert celery["logger"] == "celery.worker"
    assert "event" not in celery
    assert warned["logger"] == "py.warnings"
    assert "soon\ngone" in warned["message"]
    assert KEY not in json.dumps([broke, celery, warned])
    assert broke["key"] == "[hidden]"
