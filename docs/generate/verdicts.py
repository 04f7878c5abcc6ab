"""From an answer to what happens next: sample answers, put through the code that judges and decides."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

from docs.generate.markdown import code, codes, table
from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.gemini import reasons
from pipeline.gemini.answer import Answer, Blob, Failure, FailureKind
from pipeline.gemini.judgement import Judgement
from pipeline.gemini.verdict import bad_picture, file_gone, judge, unchanged_picture
from pipeline.gemini.wire import Candidate, Content, Detail, Error, Inline, Part, Reply, Violation
from pipeline.history import History
from pipeline.policy import OVERLOADS, PATIENCE, SAME_FAULTS, Halt, Next, Settle, decide, variant
from pipeline.record import Outcome
from pipeline.report.words import OUTCOMES, STATES, VERDICTS
from pipeline.status import State

_ATTEMPTS = 3

_INTRO = f"""# Outcomes, verdicts and reasons

A **verdict** describes one answer (or its absence), an **outcome** how a row ended, and a **state** where a job is. A record's
`reason` begins with a short code: the verdict of its last attempt, or what made the row invalid.

An answer that *counts* uses up one of a row's `--attempts`. Answers that do not count are limited too: a row waits at most
{PATIENCE / 60:.0f} minutes in all (not counting a daily quota), and fails after an overloaded API answered {OVERLOADS} times.
"""

_HALTS = f"""If the first {SAME_FAULTS} `invalid_request` answers are the same and no row has succeeded yet, the job is halted. A `not_found`
for a row's own model fails only that row. While a rate limit or a quota is waited for, no process calls that model.
"""

_INVALID = """## Why a row is invalid

These codes appear in the output of `check` and in records. An invalid row is never sent and costs nothing; all other rows
are processed.
"""


class _Sample(NamedTuple):
    """An answer as it may come, in words."""

    words: str
    judged: Judgement


def page() -> str:
    """The page."""
    return "\n".join(
        [
            _INTRO,
            "## From an answer to what happens next\n",
            table(
                [
                    "what came back",
                    "verdict",
                    "counts as an attempt",
                    "may have been paid for",
                    "what happens next",
                ],
                _rows(),
            ),
            _HALTS,
            "## How attempts differ\n",
            table(["attempt", "variant", "request"], _variants()),
            "## Verdicts\n",
            table(["verdict", ""], [[code(one), VERDICTS[one]] for one in Verdict]),
            "## Outcomes of a row\n",
            table(["outcome", ""], [[code(one), OUTCOMES[one]] for one in Outcome]),
            "## States of a job\n",
            table(["state", ""], [[code(one), _STATES[one]] for one in STATES]),
            _INVALID,
            table(["code", ""], [[code(one), text] for one, text in FAULTS.items()]),
        ]
    )


def judged() -> set[Verdict]:
    """The verdicts that the samples come to."""
    return {sample.judged.verdict for sample in _samples()}


def _rows() -> Iterator[list[str]]:
    for words, judged in _samples():
        yield [
            words,
            code(judged.verdict),
            "yes" if judged.counted else "no",
            "yes" if judged.unknown else "",
            _next(judged),
        ]


def _next(judged: Judgement) -> str:
    """What happens at the first such answer of a row, and at its last."""
    first = _said(_decided(judged, 1), judged)
    last = _said(_decided(judged, _ATTEMPTS), judged) if judged.counted else ""
    return f"{first}; after the last attempt {last}" if last and last != first else first


def _decided(judged: Judgement, times: int) -> Next:
    history = History()
    for n in range(1, times + 1):
        history = history.after(
            Attempt(
                n=n,
                started_at="",
                seconds=1.0,
                verdict=judged.verdict,
                counted=judged.counted,
                prompt_variant=variant(n - 1),
            )
        )
    return decide(judged, history, attempts=_ATTEMPTS, jitter=0.0, new_day=0.0)


def _said(following: Next, judged: Judgement) -> str:
    if isinstance(following, Settle):
        return f"the row is {following.outcome}"
    if isinstance(following, Halt):
        return "the job is halted"
    if judged.verdict is Verdict.QUOTA_EXHAUSTED:
        return "the job waits until midnight Pacific"
    if judged.retry_after:
        return "tried again after the requested wait"
    if following.seconds:
        return "tried again after a growing wait"
    return "tried again at once"


def _variants() -> Iterator[list[str]]:
    said = {
        Variant.PLAIN: "the prompt as it is",
        Variant.EXPLICIT: "the prompt, followed by an explicit request for a picture",
        Variant.IMAGE_ONLY: "the same text, with a picture as the only allowed answer",
    }
    for n in range(1, _ATTEMPTS + 1):
        yield [str(n) if n < _ATTEMPTS else f"{n} and later", code(variant(n - 1)), said[variant(n - 1)]]


def _samples() -> Iterator[_Sample]:
    yield from _pictures()
    yield from _withheld()
    yield from _failures()
    yield from _statuses()


def _pictures() -> Iterator[_Sample]:
    good = judge(_content(_PICTURE))
    yield _Sample("a picture that decodes", good)
    yield _Sample("a picture that does not decode or fails a check", bad_picture(good, ""))
    yield _Sample("the input picture, unchanged byte for byte", unchanged_picture(good, ""))


def _withheld() -> Iterator[_Sample]:
    yield _Sample("text without a picture", judge(_content(Part(text="I cannot."))))
    yield _Sample("text, where text was requested", judge(_content(Part(text="A cat.")), text_wanted=True))
    yield _Sample(
        "nothing: no candidates, no parts, `{}`, not JSON", judge(Answer(status=200, reply=Reply()))
    )
    for words in (
        reasons.TRUNCATED,
        reasons.SLIPPED,
        reasons.REFUSED,
        reasons.REFUSED_BY_CHANCE,
        reasons.ACCOUNT_LIMITED,
    ):
        yield _Sample(f"no picture, finish reason {codes(sorted(words))}", judge(_content(finish=min(words))))


def _failures() -> Iterator[_Sample]:
    lost, late, trust = FailureKind.NETWORK, FailureKind.TIMEOUT, FailureKind.UNTRUSTED
    yield _Sample("no connection, or the request was not sent completely", judge(Failure(kind=lost)))
    yield _Sample("request sent, then the connection broke", judge(Failure(kind=lost, begun=True, sent=True)))
    yield _Sample(
        "request sent, and no answer within `--timeout`", judge(Failure(kind=late, begun=True, sent=True))
    )
    yield _Sample("a certificate that is not trusted", judge(Failure(kind=trust)))


def _statuses() -> Iterator[_Sample]:
    yield _Sample("HTTP 400, 413", judge(_error(400)))
    yield _Sample("HTTP 400 with `API_KEY_INVALID`", judge(_error(400, Detail(reason="API_KEY_INVALID"))))
    yield _Sample("HTTP 400 with `FAILED_PRECONDITION`", judge(_error(400, word="FAILED_PRECONDITION")))
    yield _Sample("HTTP 401, 402, 403, 407", judge(_error(401)))
    yield _Sample("HTTP 404", judge(_error(404)))
    gone = file_gone(judge(_error(404, said="File abc not found")), ["files/abc"])
    yield _Sample("HTTP 403, 404 about a file that was uploaded", gone)
    yield _Sample("HTTP 408, 499, 504", judge(_error(504)))
    yield _Sample("HTTP 429 for a minute", judge(_error(429)))
    yield _Sample("HTTP 429 for a day", judge(_error(429, _quota("GenerateRequestsPerDay"))))
    yield _Sample("HTTP 429 for a quota of zero", judge(_error(429, _quota("GenerateRequestsPerDay", "0"))))
    yield _Sample("HTTP 500, 502, 503, a page of HTML, a redirect", judge(_error(503)))


def _content(*parts: Part, finish: str | None = None) -> Answer:
    candidate = Candidate(content=Content(parts=parts), finish_reason=finish)
    return Answer(status=200, reply=Reply(candidates=(candidate,)), blobs={0: Blob(bytearray(b"picture"))})


def _error(status: int, *details: Detail, word: str = "", said: str = "") -> Answer:
    error = Error(code=status, status=word, details=details, message=said)
    return Answer(status=status, reply=Reply(error=error))


def _quota(name: str, value: str = "100") -> Detail:
    return Detail(violations=(Violation(quota_id=name, quota_value=value),))


_PICTURE = Part(inline_data=Inline(mime_type="image/png", data="@0"))

_STATES = {
    State.QUEUED: "submitted or stopped; continues with the next worker or the next `run`",
    State.RUNNING: "rows are being processed",
    State.PAUSED: "stopped by `retouch pause` or by its budget; continues when you say so",
    State.WAITING: "waits for a quota, a limit, the store or pictures; continues by itself. `state_reason` says when or why",
    State.HALTED: "key, billing or model refused; once that is fixed, the same command continues",
    State.CANCELLED: "stopped by `retouch cancel`; every row has its record",
    State.FINISHED: "every row has its record",
}

#: What makes a row invalid, by the code of its fault; a test compares the codes with those in the program.
FAULTS = {
    "audio_or_video": "the file is an audio file or a video",
    "bad_encoding": "the text is not UTF-8; the message names the probable encoding",
    "bad_json": "a line of JSONL is not a JSON object",
    "bad_name": "the name of a file in the folder is not valid text",
    "bad_url": "the URL is malformed",
    "bomb": "the picture has more pixels than can be decoded safely",
    "changed": "the file changed between its check and the call",
    "duplicate_column": "a JSONL object has the same key twice",
    "duplicate_id": "an earlier row has the same id",
    "duplicate_output": "an earlier row has the same `output`",
    "empty": "the file is empty",
    "empty_row": "the row has neither a picture nor a prompt",
    "extra_values": "the row has more values than columns",
    "forbidden": "the picture's server denies access (401, 403)",
    "missing": "the picture does not exist",
    "model": "the value cannot be a model's id",
    "no_prompt": "the row has no prompt, and there is no `--prompt`",
    "not_a_picture": "it is a folder, a text file or something else that is not a picture",
    "not_in_image": "a picture stands in a column of another name, and there is no column `image`",
    "nul": "the row contains a NUL character",
    "open_quote": "a quote in the CSV is not closed",
    "option": "the model does not support this size, aspect ratio or number of pictures",
    "outside": "the path is outside the manifest's folder; `--allow-outside` permits it",
    "private_address": "the URL has a private address; `--allow-private-urls` permits it",
    "prompt": "the prompt is not valid text",
    "stray_brace": "a brace in the prompt does not belong to a `{column}`; write `{{` for a literal brace",
    "too_large": "a picture, or all pictures of the row together, are larger than a row may send",
    "too_long": "a value or a line is far too long; a quote is probably missing",
    "unknown_column": "the prompt uses a column that does not exist",
    "unreachable": "the picture's server does not answer",
    "unreadable": "the picture cannot be opened or decoded",
    "unsupported": "this kind of file or URL is not supported",
    "wrong_type": "the value must be text",
}

#: What raises or makes a fault -> where its code stands among the arguments.
_SAYS_CODE = {"InvalidInput": 0, "TemplateError": 0, "unreadable": 1, "BadPicture": 1}


def codes_in_code() -> set[str]:
    """Every code of a fault that stands in the program."""
    root = Path(__file__).resolve().parents[2] / "pipeline"
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in root.rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [_code_of(call) for call in calls if isinstance(call.func, ast.Name)]
    # The default of BadPicture.
    return {code for code in found if code} | {"unreadable"}


def _code_of(call: ast.Call) -> str | None:
    name = cast("ast.Name", call.func).id
    given = [word.value for word in call.keywords if word.arg == "code"]
    if name in _SAYS_CODE:
        given += call.args[_SAYS_CODE[name] : _SAYS_CODE[name] + 1]
    elif name != "Fault":
        return None
    values = [one.value for one in given if isinstance(one, ast.Constant)]
    return str(values[0]) if values else None
