"""What one answer means, and what it affects."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.attempt import Tokens, Verdict


class Scope(StrEnum):
    """What a verdict affects: which other calls would get the same answer."""

    NONE = "none"
    ROW = "row"
    MODEL = "model"
    ACCOUNT = "account"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, or its absence, judged by the table of ``verdicts.md``.

    Attributes:
        scope: ``account``: every call, until a person fixes it; ``model``: every call to this model;
            ``row``: this row alone; ``none``: not even this row's next call.
        counted: it uses up one of the row's tries.
        unknown: the request was sent and its outcome is not known, so it may have been paid for.
        too_short: our own deadline left no time to send it.
        final: the row would get the same answer again, so it is not tried again.
        retry_after: seconds that the API asks us to wait.
        finish_reason: of the candidate, or the prompt's block reason.
        detail: what the API said, at most 300 characters, without anything that looks like a key.
        picture: the bytes as received, not yet verified; only with :attr:`Verdict.IMAGE`.
        images: pictures in the answer, drafts included: all of them are billed (gemini-api.md 1.2).
        text: what the model said with or instead of a picture, without its thoughts.
        tokens: ``None`` if the answer does not say.
    """

    verdict: Verdict
    scope: Scope = Scope.NONE
    counted: bool = True
    unknown: bool = False
    too_short: bool = False
    final: bool = False
    retry_after: float | None = None
    finish_reason: str | None = None
    http_status: int | None = None
    detail: str | None = None
    picture: bytes | bytearray | None = None
    images: int = 0
    text: str | None = None
    tokens: Tokens | None = None
    model_version: str | None = None
