from __future__ import annotations

import math

import msgspec
import pytest

from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.gemini.judgement import Judgement, Scope
from pipeline.history import History
from pipeline.policy import PATIENCE, Halt, Retry, Settle, decide, halt_reason, reason, variant
from pipeline.record import Outcome


def judged(verdict: Verdict, **fields) -> Judgement:
    values = {"scope": Scope.ROW, "counted": True, "http_status": 200} | fields
    return Judgement(verdict=verdict, **values)


def tried(*verdicts: Verdict, counted: bool = True) -> History:
    history = History()
    for n, verdict in enumerate(verdicts, 1):
        history = history.after(
            Attempt(
                n=n,
                started_at="2026-11-22T00:00:00.000Z",
                seconds=1.0,
                verdict=verdict,
                counted=counted,
                prompt_variant=Variant.PLAIN,
            )
        )
    return history


def next_step(answer: Judgement, history: History, jitter: float = 0.0, **more):
    return decide(answer, history, attempts=3, jitter=jitter, new_day=40_000.0, **more)


RETRIED = [
    Verdict.BAD_IMAGE,
    Verdict.UNCHANGED,
    Verdict.TRUNCATED,
    Verdict.TEXT_ONLY,
    Verdict.NO_IMAGE,
    Verdict.NETWORK,
    Verdict.TIMEOUT,
]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ((Verdict.NO_IMAGE, Verdict.NO_IMAGE), "the answer contained no picture 3 times (STOP)"),
        ((Verdict.NO_IMAGE, Verdict.TEXT_ONLY), "the answer contained no picture 2 times in 3 tries (STOP)"),
        (
            (Verdict.INTERRUPTED, Verdict.TEXT_ONLY),
            "the answer contained no picture in the last of 3 tries (STOP)",
        ),
    ],
)
def test_the_reason_counts_only_the_tries_that_came_to_its_verdict(before, said):
    after = next_step(judged(Verdict.NO_IMAGE, finish_reason="STOP"), tried(*before, Verdict.NO_IMAGE))

    assert after == Settle(Outcome.FAILED, f"no_image: {said}")


@pytest.mark.parametrize("verdict", RETRIED)
def test_a_counted_try_is_repeated_until_the_tries_are_used_up(verdict):
    answer = judged(verdict)

    assert isinstance(next_step(answer, tried(verdict)), Retry)
    assert isinstance(next_step(answer, tried(verdict, verdict)), Retry)
    after = next_step(answer, tried(verdict, verdict, verdict))

    assert isinstance(after, Settle)
    assert after.outcome is Outcome.FAILED
    assert after.reason.startswith(f"{verdict}: ")


def test_a_picture_settles_the_row():
    assert next_step(judged(Verdict.IMAGE), tried(Verdict.IMAGE)) == Settle(Outcome.DONE)


def test_a_final_refusal_is_not_tried_again():
    after = next_step(judged(Verdict.BLOCKED, final=True, finish_reason="SAFETY"), tried(Verdict.BLOCKED))

    assert after.outcome is Outcome.BLOCKED
    assert "SAFETY" in after.reason


def test_image_safety_has_one_more_try():
    answer = judged(Verdict.BLOCKED, final=False, finish_reason="IMAGE_SAFETY")

    assert isinstance(next_step(answer, tried(Verdict.BLOCKED)), Retry)
    assert next_step(answer, tried(Verdict.BLOCKED, Verdict.BLOCKED)).outcome is Outcome.BLOCKED


def test_a_refusal_as_the_last_try_is_blocked_and_not_failed():
    answer = judged(Verdict.BLOCKED, final=False, finish_reason="IMAGE_SAFETY")
    history = tried(Verdict.TEXT_ONLY, Verdict.TEXT_ONLY, Verdict.BLOCKED)

    assert next_step(answer, history).outcome is Outcome.BLOCKED


def test_an_overloaded_api_is_left_alone_longer_each_time_and_given_up_after_ten():
    answer = judged(Verdict.OVERLOADED, counted=False, http_status=503)
    waits = []
    for times in range(1, 10):
        after = next_step(answer, tried(*[Verdict.OVERLOADED] * times, counted=False), jitter=1.0)
        assert isinstance(after, Retry)
        waits.append(after.seconds)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    after = next_step(answer, tried(*[Verdict.OVERLOADED] * 10, counted=False))
    assert after.outcome is Outcome.FAILED
    assert after.reason.startswith("overloaded: ")


def test_the_tenth_overload_is_the_last_whatever_came_between():
    """Of the uncounted attempts only the last ten are kept, but all of them count."""
    answer = judged(Verdict.OVERLOADED, counted=False, http_status=503)
    mixed = [Verdict.OVERLOADED, Verdict.THROTTLED]

    assert isinstance(next_step(answer, tried(*mixed * 9, counted=False)), Retry)
    after = next_step(answer, tried(*mixed * 9, Verdict.OVERLOADED, counted=False))
    assert after.outcome is Outcome.FAILED
    assert "10 times" in after.reason


@pytest.mark.parametrize("told", [0.5, 17.85, 55.0, 600.0])
def test_what_the_api_says_about_waiting_is_believed_and_spread(told):
    answer = judged(Verdict.THROTTLED, counted=False, retry_after=told, http_status=429)
    history = tried(Verdict.THROTTLED, counted=False)

    least, most = next_step(answer, history, 0.0), next_step(answer, history, 1.0)

    assert least.seconds == least.hold == told
    assert told < most.seconds <= told * 1.1
    assert least.patience


def test_an_hour_of_waiting_is_the_end_of_patience():
    answer = judged(Verdict.THROTTLED, counted=False, http_status=429)
    history = tried(Verdict.THROTTLED, counted=False)
    waited = History(**{f: getattr(history, f) for f in history.__struct_fields__} | {"waited": PATIENCE})

    assert next_step(answer, waited).outcome is Outcome.FAILED


@pytest.mark.parametrize("verdict", [Verdict.THROTTLED, Verdict.OVERLOADED])
@pytest.mark.parametrize("told", [7200.0, 1e9, math.inf])
def test_whatever_the_api_asks_for_a_row_waits_an_hour_in_all(verdict, told):
    answer = judged(verdict, counted=False, retry_after=told, http_status=429)
    history = tried(verdict, counted=False)
    nearly = msgspec.structs.replace(history, waited=PATIENCE - 10)

    assert next_step(answer, history, 1.0).seconds == PATIENCE
    assert next_step(answer, nearly, 1.0).seconds == 10


def test_less_than_a_second_is_believed_once():
    answer = judged(Verdict.THROTTLED, counted=False, retry_after=0.001, http_status=429)

    assert next_step(answer, tried(Verdict.THROTTLED, counted=False)).seconds == 0.001
    assert next_step(answer, tried(Verdict.THROTTLED, Verdict.THROTTLED, counted=False)).seconds == 1.0


def test_a_days_quota_is_waited_for_whatever_the_patience():
    answer = judged(Verdict.QUOTA_EXHAUSTED, counted=False, retry_after=50.0, scope=Scope.ACCOUNT)
    history = tried(Verdict.QUOTA_EXHAUSTED, counted=False)
    waited = History(**{f: getattr(history, f) for f in history.__struct_fields__} | {"waited": PATIENCE})

    assert next_step(answer, waited) == Retry(40_000.0, hold=40_000.0, patience=False)


def test_a_refused_key_halts_with_its_mend():
    after = next_step(
        judged(
            Verdict.DENIED, counted=False, scope=Scope.ACCOUNT, http_status=400, detail="API key not valid"
        ),
        tried(Verdict.DENIED, counted=False),
    )

    assert isinstance(after, Halt)
    assert after.reason.startswith("denied: ")
    assert "HTTP 400" in after.reason
    assert "check the key" in after.reason


def test_an_unknown_model_halts_the_job_but_not_for_a_rows_own():
    answer = judged(Verdict.NOT_FOUND, counted=False, scope=Scope.MODEL, http_status=404)
    history = tried(Verdict.NOT_FOUND, counted=False)

    assert isinstance(next_step(answer, history), Halt)
    assert next_step(answer, history, own_model=True).outcome is Outcome.FAILED


def test_a_bad_request_fails_its_row_at_once():
    answer = judged(Verdict.INVALID_REQUEST, counted=False, http_status=400, detail="Unknown name")
    after = next_step(answer, tried(Verdict.INVALID_REQUEST, counted=False))

    assert after.outcome is Outcome.FAILED
    assert after.reason == "invalid_request: the API rejected the request (Unknown name)"


def test_a_picture_that_is_gone_is_uploaded_once_more_and_no_oftener():
    gone = judged(Verdict.FILE_GONE, counted=False, http_status=403, detail="File abc may not exist")

    assert next_step(gone, tried(Verdict.FILE_GONE, counted=False)) == Retry()
    assert (
        next_step(gone, tried(Verdict.FILE_GONE, Verdict.OVERLOADED, Verdict.FILE_GONE, counted=False))
        == Retry()
    )
    after = next_step(gone, tried(Verdict.FILE_GONE, Verdict.FILE_GONE, counted=False))

    assert isinstance(after, Settle)
    assert after.outcome is Outcome.FAILED
    assert (
        after.reason
        == "file_gone: the API does not find the uploaded picture 2 times (File abc may not exist)"
    )


def test_variants_follow_the_counted_tries():
    assert [variant(tries) for tries in range(5)] == [
        "plain",
        "explicit",
        "image_only",
        "image_only",
        "image_only",
    ]


def test_every_verdict_has_a_next_step_and_a_sentence():
    for verdict in Verdict:
        for counted in (True, False):
            answer = judged(verdict, counted=counted)
            step = next_step(answer, tried(verdict, counted=counted))
            assert isinstance(step, Retry | Settle | Halt)
            assert reason(answer)
    assert halt_reason(judged(Verdict.DENIED, http_status=None, finish_reason="PUP_LIMITED_DISABLED"))
