"""What one call returned: an :class:`Answer` with its pictures already decoded, or a :class:`Failure`."""

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
    #: The server's certificate is not trusted; trying again would not help.
    UNTRUSTED = "untrusted"


class Blob(msgspec.Struct):
    """One ``inlineData.data``, decoded.

    Attributes:
        data: the bytes; empty if *sound* is false, and until its string has ended.
        sound: false if it was empty, not base64, or too large.
    """

    data: bytes | bytearray
    sound: bool = True


class Answer(msgspec.Struct, kw_only=True):
    """An HTTP answer that arrived completely (or was abandoned because it was too big).

    Attributes:
        status: HTTP status; redirects are never followed, so they are answers too.
        reply: the body as the API defines it; ``None`` if it is not a JSON object.
        html: the body was an HTML page (from a gateway), not JSON.
        unfinished: the JSON ended in the middle, and no header had announced its length.
        too_big: a limit was exceeded and the rest was not read.
        blobs: decoded pictures by the index that replaces their base64 in ``reply``; of those that are thoughts,
            and of those that are not, only the last is kept.
        retry_after: the ``Retry-After`` header, unparsed.
        at: seconds since the epoch when the headers arrived (an HTTP date in *retry_after* is relative to it).
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
        begun: the first piece of the body was handed to the socket, which makes this a call.
        sent: the last piece was, or was about to be, so the call may have been paid for.
        detail: one line without secrets.
        status: HTTP status of an answer that began and did not arrive completely.
    """

    kind: FailureKind
    begun: bool = False
    sent: bool = False
    detail: str = ""
    status: int | None = None
    seconds: float = 0.0
