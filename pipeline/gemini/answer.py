"""What came back of one call: an :class:`Answer` with its pictures already decoded, or a :class:`Failure`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from pipeline.gemini.wire import Reply


class FailureKind(StrEnum):
    """Why no answer came."""

    NETWORK = "network"
    TIMEOUT = "timeout"
    #: It was not sent within a deadline for the whole that is shorter than the one for a connection alone.
    TOO_SHORT = "too_short"
    #: The server's certificate is not trusted: no try will change that.
    UNTRUSTED = "untrusted"


class Blob(msgspec.Struct):
    """One ``inlineData.data``, decoded.

    Attributes:
        data: the bytes; empty where *sound* is false, and until its string has ended.
        sound: false when it was empty, not base64, or past the bound.
    """

    data: bytes | bytearray
    sound: bool = True


class Answer(msgspec.Struct, kw_only=True):
    """An HTTP answer that came whole (or was given up as too big).

    Attributes:
        status: HTTP status; redirects are answers too, they are never followed.
        reply: the body as the API's shape; ``None`` when it is not a JSON object of any kind.
        html: the body was a page (a gateway's), not JSON.
        unfinished: the JSON ended in the middle, and nothing had announced how long it would be.
        too_big: a bound was passed and the rest was not read.
        blobs: decoded pictures by the index that ``reply`` names in place of their base64; only the last
            that is not a thought, and the last that is, are kept.
        retry_after: the ``Retry-After`` header as it stood.
        at: seconds since the epoch when the headers came (an HTTP date in *retry_after* is relative to it).
        seconds: from the start of sending to the end of the answer, without the wait for a turn to read it.
    """

    status: int
    reply: Reply | None = None
    html: bool = False
    unfinished: bool = False
    too_big: bool = False
    blobs: Mapping[int, Blob] = {}
    retry_after: str | None = None
    at: float = 0.0
    seconds: float = 0.0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """No answer.

    Attributes:
        begun: the first piece of the body was handed over: this was a call.
        sent: the last piece was, or was about to be: it may be paid for.
        detail: one line without secrets.
        status: HTTP status of an answer that began and did not come whole.
    """

    kind: FailureKind
    begun: bool = False
    sent: bool = False
    detail: str = ""
    status: int | None = None
    seconds: float = 0.0
