"""What an object store's refusals mean, and how to fix them. Pure.

obstore's errors are text around an HTTP status and, usually, the store's own code in XML or JSON. Codes: S3's list of
error responses, Azure's "Common REST API error codes", Google's "HTTP status and error codes".
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pipeline.gemini.redact import redacted
from pipeline.store.providers import PROVIDERS

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*(\w+)\s*</Code>")
_REGION = re.compile(r"<Region>([\w-]+)</Region>|expecting '([\w-]+)'")
_ENDPOINT = re.compile(r"Error performing \w+ (https?://[^/\s?]+)")
_QUERY = re.compile(r"(https?://[^\s?]+)\?\S+")

_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|bucket does not exist")
#: As HTTP says it, and obstore's store in memory.
_EMPTY = re.compile(r"status code: 416|only 0 bytes long")

#: A pattern in the error, what it means, and the fix; {credentials} and {rights} are those of the store.
_MEANINGS = tuple(
    (re.compile(pattern), why, mend)
    for pattern, why, mend in (
        (
            r"ExpiredToken|TokenRefreshRequired|RequestExpired|oken (?:included in the request )?(?:is|has) expired",
            "the credentials have expired",
            "renew them: {credentials}",
        ),
        (r"RequestTimeTooSkewed", "this machine's clock is wrong", "set it"),
        (
            r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|AuthenticationFailed|code: 401|lacked valid",
            "the credentials are not accepted",
            "check {credentials}",
        ),
        (
            r"169\.254\.169\.254|169\.254\.170\.2|metadata\.google\.internal|token request|NoCredentialsError",
            "no credentials were found",
            "set {credentials}",
        ),
        (r"NotImplemented|status code: 501", "it does not support conditional puts", "use a store that does"),
        (
            r"SlowDown|status code: 429|status code: 503|ServerBusy",
            "it asks to slow down",
            "fewer calls at once help",
        ),
        (r"status code: 5\d\d", "it has an internal error", "try again later"),
        (r"status code: 403", "these credentials do not allow it", "they need {rights}"),
        (
            r"error sending request|dns error|[Cc]onnection refused|timed out|operation timed",
            "it cannot be reached",
            "check the network and the endpoint",
        ),
    )
)


class Said(Exception):  # noqa: N818 - it is no error of its own
    """What the library said, without possible secrets: the cause that ``--debug`` shows."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(said(error))


def http_status_of(error: BaseException) -> int | None:
    """The HTTP status in *error*, if there is one."""
    found = _STATUS.search(str(error))
    return int(found[1]) if found else None


def is_no_bucket(error: BaseException) -> bool:
    """Whether the bucket itself is missing, not just an object."""
    return bool(_NO_BUCKET.search(str(error)))


def is_empty(error: BaseException) -> bool:
    """Whether part of an empty object was requested."""
    return bool(_EMPTY.search(str(error)))


def sentence(url: str, what: str, error: BaseException) -> str:
    """The message for users when *what* (write, read, list, delete) failed at *url*."""
    why, mend = _meaning(url, str(error))
    return f"{url}: cannot {what} ({why}); {mend}"


def said(error: BaseException) -> str:
    """What the library said, on one line and without the signatures in URLs."""
    return redacted(_QUERY.sub(r"\1?…", str(error).partition("Debug source")[0]))


def _meaning(url: str, text: str) -> tuple[str, str]:
    parts = urlsplit(url)
    provider = PROVIDERS[parts.scheme]
    if _NO_BUCKET.search(text):
        return f"there is no bucket {parts.netloc}", "create it, or correct its name"
    if "builder error" in text and "http://" in text:
        return (
            "its endpoint is plain http",
            f"use https, or allow it with {provider.variables}_ALLOW_HTTP=true",
        )
    region = _wrong_region(text)
    if region:
        return f"the bucket is in {region}", "set AWS_REGION to the bucket's region"
    for pattern, why, mend in _MEANINGS:
        if pattern.search(text):
            where = _ENDPOINT.search(text) if why == "it cannot be reached" else None
            return (
                why + (f" at {where[1]}" if where else ""),
                mend.format(credentials=provider.credentials, rights=provider.rights),
            )
    code = _CODE.search(text)
    return (code[1] if code else said(Exception(text))), "check the store and its settings"


def _wrong_region(text: str) -> str | None:
    if not re.search(
        r"AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint|redirect without LOCATION",
        text,
    ):
        return None
    found = _REGION.search(text)
    return (found[1] or found[2]) if found else "another region"
