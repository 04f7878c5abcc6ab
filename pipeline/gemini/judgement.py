"""What one answer was, and whom it concerns."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.attempt import Tokens, Verdict


class Scope(StrEnum):
    """Whom a verdict concerns: where else it would be met, too."""

    NONE = "none"
    ROW = "row"
    MODEL = "model"
    ACCOUNT = "account"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, or its absence, judged by the table of ``verdicts.md``.

    Attributes:
        scope: ``account``: every call meets it, it needs you; ``model``: every call to this model does;
            ``row``: this row's doing; ``none``: nobody's.
        counted: it uses up one of the row's tries.
        unknown: the request was sent and its outcome is not known: it may have been paid for.
        too_short: our own deadline left no time to send it.
        final: the same row would meet it again: no further try.
        retry_after: seconds that the API asks for.
        finish_reason: of the candidate, or the prompt's block reason.
        detail: what the API said, at most 300 characters, without anything that looks like a key.
        picture: bytes as they came, not yet verified; with :attr:`Verdict.IMAGE` alone.
        images: pictures in the answer, drafts included: all of them are billed (gemini-api.md 1.2).
        text: what the model said beside or instead of a picture; thoughts are not part of it.
        tokens: ``None`` when the answer does not say.
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
