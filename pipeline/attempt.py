"""One call for a row: what was tried, what came of it, what it cost; pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """What came back; a fixed set of words (``verdicts.md``)."""

    IMAGE = "image"
    BAD_IMAGE = "bad_image"
    UNCHANGED = "unchanged"
    TRUNCATED = "truncated"
    TEXT_ONLY = "text_only"
    TEXT = "text"
    NO_IMAGE = "no_image"
    BLOCKED = "blocked"
    NETWORK = "network"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    INVALID_REQUEST = "invalid_request"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    FILE_GONE = "file_gone"
    #: The process died between the intent and the record: the call may have been paid for.
    INTERRUPTED = "interrupted"


class Variant(StrEnum):
    """How the prompt was phrased."""

    PLAIN = "plain"
    EXPLICIT = "explicit"
    IMAGE_ONLY = "image_only"


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one call by kind, as the API counted it (gemini-api.md 3.5).

    Attributes:
        input: the prompt and the pictures sent.
        output_text: the text in the answer.
        output_image: the pictures in the answer, including drafts.
        thoughts: the model's thinking.
        total: all of these, as reported by the API.
    """

    input: int = 0
    output_text: int = 0
    output_image: int = 0
    thoughts: int = 0
    total: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One call, or one that was never begun because the connection or an upload failed.

    Attributes:
        n: the attempt's number in its row, from 1, whether it counted or not.
        started_at: when the call started.
        seconds: from the start of the call to the end of the answer.
        verdict: what came back.
        counted: whether it used up one of the row's ``--attempts``.
        prompt_variant: how the prompt was phrased.
        http_status: the HTTP status; ``None`` if there was no answer.
        finish_reason: the API's word for why the model stopped, or why it refused the prompt.
        step: ``edit``; ``upload``: a picture that no request can hold could not be sent ahead, so that there was no
            call.
        lane: always ``sync``: an answer at once.
        tokens: the usage; ``None`` if the answer does not contain it.
        unknown: whether the request was sent and never answered, and so may have been paid for.
        cost_usd: ``None`` if the price or the outcome is unknown; 0 if the API certainly charged nothing.
        begun: whether any of the request was sent, which makes this a call.
        detail: the API's message, shortened; never contains a key or a prompt.
    """

    n: int
    started_at: str
    seconds: float
    verdict: Verdict
    counted: bool
    prompt_variant: Variant
    http_status: int | None = None
    finish_reason: str | None = None
    step: str = "edit"
    lane: str = "sync"
    tokens: Tokens | None = None
    cost_usd: float | None = None
    unknown: bool = False
    begun: bool = True
    detail: str | None = None

    @property
    def unpriced(self) -> bool:
        """Whether it was answered, and nobody knows at what price."""
        return self.begun and not self.unknown and self.cost_usd is None
