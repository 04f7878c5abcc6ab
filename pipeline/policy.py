"""From a verdict to what happens next; pure. tenacity carries it out, and nothing else decides about retries.

``verdicts.md``, which explains the rules to users, is generated from here.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from pipeline.attempt import Variant, Verdict
from pipeline.gemini.judgement import Judgement, Scope
from pipeline.history import History
from pipeline.record import Outcome

#: Seconds a row may wait in total for what is not its fault; waits for a daily quota do not count.
PATIENCE = 3600.0
#: A row that finds the API overloaded this often fails.
OVERLOADS = 10
#: The same bad request so many times, and no success yet, says that the job is wrong, not the rows.
SAME_FAULTS = 5

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
#: A wait that many share is extended by up to this fraction, so that they do not all come back at the same moment.
_SPREAD = 0.1

_SENTENCES = {
    Verdict.BAD_IMAGE: "the picture that came back cannot be used",
    Verdict.UNCHANGED: "the picture came back unchanged",
    Verdict.TRUNCATED: "the model stopped halfway without a picture",
    Verdict.TEXT_ONLY: "the model answered with text instead of a picture",
    Verdict.TEXT: "the model answered with text",
    Verdict.NO_IMAGE: "the answer contained no picture",
    Verdict.NETWORK: "the connection failed",
    Verdict.TIMEOUT: "no answer came in time",
    Verdict.THROTTLED: "the rate limit did not clear within an hour of waiting",
    Verdict.OVERLOADED: "the API stayed overloaded",
    Verdict.INVALID_REQUEST: "the API rejected the request",
    Verdict.NOT_FOUND: "the API does not know this model",
    Verdict.FILE_GONE: "the API does not find the uploaded picture",
    Verdict.BLOCKED: "the API's policy refuses this edit",
    Verdict.INTERRUPTED: "the process died during the call",
}

_MENDS = {
    Verdict.NETWORK: "set SSL_CERT_FILE=/path/to/proxy.pem (the certificate authority of your network's proxy), "
    "check this machine's clock, then run the same command again",
    Verdict.DENIED: "check the key, the project's billing and its region, then run the same command again",
    Verdict.NOT_FOUND: "choose a model that `retouch models` lists and start a job with it, "
    "or correct GOOGLE_GEMINI_BASE_URL if it is set",
    Verdict.INVALID_REQUEST: "fix the options or the manifest and start a new job",
}


class Retry(msgspec.Struct, frozen=True):
    """Try the row again after *seconds*; *hold* delays every call to the model for so long."""

    seconds: float = 0.0
    hold: float = 0.0
    patience: bool = False


class Settle(msgspec.Struct, frozen=True):
    """The row is settled."""

    outcome: Outcome
    reason: str | None = None


class Halt(msgspec.Struct, frozen=True):
    """The job stops until a person has fixed *reason*; the row stays unsettled."""

    reason: str


Next = Retry | Settle | Halt


def variant(tries: int) -> Variant:
    """How the prompt is phrased after so many counted *tries*."""
    return (Variant.PLAIN, Variant.EXPLICIT, Variant.IMAGE_ONLY)[min(tries, 2)]


def decide(
    judged: Judgement,
    history: History,
    *,
    attempts: int,
    jitter: float,
    new_day: float,
    own_model: bool = False,
) -> Next:
    """What follows from *judged*, the last attempt of *history*.

    Args:
        judged: what the last answer was.
        history: the row's attempts, the last one included.
        attempts: counted tries a row may have.
        jitter: a random number from 0 to 1.
        new_day: seconds until a daily quota resets.
        own_model: the row names its own model, so an unknown model is its fault and not the job's.
    """
    verdict = judged.verdict
    if verdict in (Verdict.IMAGE, Verdict.TEXT):
        return Settle(Outcome.DONE)
    if judged.scope is Scope.ACCOUNT and verdict is not Verdict.QUOTA_EXHAUSTED:
        return Halt(halt_reason(judged))
    if verdict is Verdict.NOT_FOUND and not own_model:
        return Halt(halt_reason(judged))
    if judged.counted:
        return _after_a_try(judged, history, attempts, jitter)
    if verdict is Verdict.QUOTA_EXHAUSTED:
        # Spread the calls beyond the first second of the day.
        seconds = new_day + _LONGEST_WAIT * jitter
        return Retry(seconds, hold=seconds)
    return _after_no_try(judged, history, jitter)


def _after_a_try(judged: Judgement, history: History, attempts: int, jitter: float) -> Next:
    verdict = judged.verdict
    if verdict is Verdict.BLOCKED and (judged.final or history.in_a_row(verdict) > 1):
        return Settle(Outcome.BLOCKED, reason(judged))
    if history.tries >= attempts:
        outcome = Outcome.BLOCKED if verdict is Verdict.BLOCKED else Outcome.FAILED
        times = sum(attempt.counted and attempt.verdict is verdict for attempt in history.recent)
        return Settle(outcome, reason(judged, times, tries=history.tries))
    if verdict in (Verdict.NETWORK, Verdict.TIMEOUT):
        return Retry(_backoff(history.in_a_row(verdict), jitter))
    return Retry()


def _after_no_try(judged: Judgement, history: History, jitter: float) -> Next:
    verdict = judged.verdict
    if verdict in (Verdict.INVALID_REQUEST, Verdict.NOT_FOUND):
        return Settle(Outcome.FAILED, reason(judged))
    if verdict is Verdict.FILE_GONE:
        # It is uploaded once more; if it is gone again, uploading it a third time would not help.
        times = history.in_a_row(verdict)
        return Retry() if times < 2 else Settle(Outcome.FAILED, reason(judged, times))
    if verdict is Verdict.QUOTA_EXHAUSTED:
        seconds = judged.retry_after or _LONGEST_WAIT
        return Retry(seconds, hold=seconds)
    again = history.in_a_row(verdict)
    overloaded = verdict is Verdict.OVERLOADED
    times = history.overloads if overloaded else sum(past.verdict is verdict for past in history.recent)
    if history.waited >= PATIENCE or (overloaded and times >= OVERLOADS):
        return Settle(Outcome.FAILED, reason(judged, times))
    # However long a wait the API asks for, a row waits an hour in total, and then tries one last time.
    left = PATIENCE - history.waited
    if verdict is Verdict.THROTTLED:
        seconds = min(_told(judged, again, jitter) or _backoff(again + 1, jitter), left)
        return Retry(seconds, hold=seconds, patience=True)
    seconds = min(_told(judged, again, jitter) or _backoff(again, jitter), left)
    # If one row cannot reach the API, neither can the next.
    return Retry(seconds, hold=seconds if verdict is Verdict.NETWORK else 0.0, patience=True)


def _told(judged: Judgement, again: int, jitter: float) -> float | None:
    """The wait that the API asks for; less than a second only once, or there would be no pause between calls."""
    if not judged.retry_after:
        return None
    seconds = judged.retry_after if again <= 1 else max(judged.retry_after, _FIRST_WAIT)
    return seconds * (1 + _SPREAD * jitter)


def _backoff(again: int, jitter: float) -> float:
    """A ceiling that doubles, with jitter down to half of it: callers must spread out, and must wait."""
    ceiling = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(again - 1, 10))
    return ceiling * (0.5 + 0.5 * jitter)


def reason(judged: Judgement, times: int = 1, *, tries: int = 1) -> str:
    """The record's reason: the verdict's word, a sentence, and what the API said.

    Args:
        judged: what the last answer was.
        times: how often the row has met its verdict.
        tries: how many tries there were, if other verdicts may be among them.
    """
    sentence = _SENTENCES.get(judged.verdict, "the call failed")
    often = f" {times} times" if times > 1 else ""
    if times < tries:
        often += f" in {tries} tries" if times > 1 else f" in the last of {tries} tries"
    said = ": ".join(part for part in (judged.finish_reason, judged.detail) if part)
    return f"{judged.verdict}: {sentence}{often}" + (f" ({said})" if said else "")


def halt_reason(judged: Judgement) -> str:
    """One sentence that says why the job stops and how to fix that."""
    refused = judged.http_status is not None and judged.http_status != HTTPStatus.OK
    status = f"HTTP {judged.http_status}" if refused else judged.finish_reason
    said = f": {judged.detail}" if judged.detail else ""
    if judged.verdict is Verdict.NETWORK:
        return f"network: the server's certificate is not trusted{said}; {_MENDS[judged.verdict]}"
    return f"{judged.verdict}: the API rejected the job's calls ({status}{said}); {_MENDS[judged.verdict]}"


def wrong_job(judged: Judgement, step: Next) -> str:
    """One sentence that says why faults, all alike, stop the job; *step* is what follows from the last, *judged*."""
    if judged.too_short:
        return (
            f"{judged.verdict}: a call could not be sent in the time that --timeout gives it ({judged.detail}), five "
            "times without any success: run the same command again with a longer --timeout"
        )
    said = step.reason if isinstance(step, Settle) else ""
    return (
        f"{said}; the same error five times without any success: start a new job with other options; or run the "
        "same command again to continue, and use `retouch retry` for the failed rows"
    )
