"""Makes text from outside fit for logs and records: one short line without anything that looks like a key."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from urllib.parse import quote

#: Characters of the API's words that a record or a log line may contain.
LONGEST = 300

_SHORTEST = 8
_MASK = "[hidden]"
_SECRETS = re.compile(
    r"AIza[\w\-]{8,}"  # Google API keys, the old form
    r"|\bAQ\.[\w\-]{8,}"  # and the new one
    r"|\bya29\.[\w\-.]+"  # OAuth tokens
    r"|(?<=://)[^/\s@]+@"  # user and password in a URL
    r"|(?i:\bbearer\s+)[\w\-.~+/]+=*"
    r"|(?i:(?:\b|_)(?:key|api_?key|x-goog-api-key|access_?token|token)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;)]{6,}",
)


def hidden(text: str, secret: str) -> str:
    """*text* without *secret*: in any case, in base64, quoted for a URL, or only begun where *text* was cut off.

    A secret shorter than any real key (a stand-in for the emulator) could be part of a word, so it is not hidden.
    """
    if len(secret) < _SHORTEST:
        return text
    whole, beginning = _patterns(secret)
    text = whole.sub(_MASK, text)
    for begun in beginning.finditer(text, max(0, len(text) - len(secret))):
        rest = text[begun.start() :]
        if re.fullmatch(re.escape(secret[: len(rest)]), rest, re.IGNORECASE):
            return text[: begun.start()] + _MASK
    return text


@lru_cache(maxsize=16)
def _patterns(secret: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """*secret* in all its forms, and every place where it may begin."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    forms = "|".join(re.escape(form) for form in (secret, encoded, quote(secret, safe="")))
    beginning = re.escape(secret[:_SHORTEST])
    return re.compile(rf"(?:{forms})=*", re.IGNORECASE), re.compile(rf"(?={beginning})", re.IGNORECASE)


def redacted(text: str, *secrets: str) -> str:
    """*text* on one line, at most 300 characters, without *secrets* and without what looks like one."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 8 * LONGEST]).split())
    for secret in secrets:
        line = hidden(line, secret)
    line = _SECRETS.sub(_MASK, line)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
