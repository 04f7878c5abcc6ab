"""Text of others made fit for logs and records: one line, short, and without anything that looks like a key."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from urllib.parse import quote

#: Longest text that a record or a log line carries of what the API said.
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
    """*text* without *secret*, in whatever case, in base64, quoted for a URL, or begun where the text was cut off.

    A secret shorter than any key (a stand-in for the emulator) would be found in words, and is let be.
    """
    return _forms(secret).sub(_MASK, text) if len(secret) >= _SHORTEST else text


@lru_cache(maxsize=16)
def _forms(secret: str) -> re.Pattern[str]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    whole = "|".join(re.escape(form) for form in (secret, encoded, quote(secret, safe="")))
    begun, rest = secret[:_SHORTEST], secret[_SHORTEST:]
    cut = re.escape(begun) + "".join(f"(?:{re.escape(letter)}" for letter in rest) + ")?" * len(rest)
    return re.compile(rf"(?:{whole})=*|{cut}\Z", re.IGNORECASE)


def redacted(text: str, *secrets: str) -> str:
    """*text* on one line, at most 300 characters, without *secrets* and without what looks like one."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 8 * LONGEST]).split())
    for secret in secrets:
        line = hidden(line, secret)
    line = _SECRETS.sub(_MASK, line)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
