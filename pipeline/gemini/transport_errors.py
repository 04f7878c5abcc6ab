"""What can break on the wire, and how a failure names it."""

from __future__ import annotations

import ssl

import aiohttp
import httpx

from pipeline.gemini.answer import FailureKind
from pipeline.gemini.redact import redacted

#: Everything that the transport raises. The class of an error does not tell what was sent: a connection lost after
#: the body is reported as a failure to connect. Only :class:`pipeline.gemini.upload.Upload` knows.
TRANSPORT_ERRORS = (httpx.HTTPError, aiohttp.ClientError, OSError)

# Errors whose own text means nothing to a user.
_PLAIN: dict[type[BaseException], str] = {
    aiohttp.ServerDisconnectedError: "the server closed the connection without an answer",
    aiohttp.ClientPayloadError: "the answer ended before it was complete",
    aiohttp.http_exceptions.ContentLengthError: "the answer is shorter than it announced",
    aiohttp.http_exceptions.TransferEncodingError: "the answer ended before it was complete",
    aiohttp.http_exceptions.BadStatusLine: "the answer is not HTTP",
    aiohttp.http_exceptions.BadHttpMessage: "the answer is not HTTP",
}


def failure_kind(error: Exception) -> FailureKind:
    """Why no answer came."""
    untrusted = isinstance(_root_cause(error), ssl.SSLCertVerificationError)
    return FailureKind.UNTRUSTED if untrusted else FailureKind.NETWORK


def error_text(error: Exception, key: str) -> str:
    """What went wrong, without *key*. Taken from the root cause, because the transport's own classes mislead."""
    cause = _root_cause(error)
    plain = next((text for kind, text in _PLAIN.items() if isinstance(cause, kind)), None)
    return plain or redacted(f"{type(cause).__name__}: {cause}", key)


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error
