"""Text of others made fit for logs and records: one line, short, and without anything that looks like a key."""

from __future__ import annotations

import re

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


def hidden(text: bytes | bytearray, secret: str) -> bytes | bytearray:
    """*text* without *secret*; one shorter than any key (a stand-in for the emulator) would be found in words."""
    return text.replace(secret.encode(), _MASK.encode()) if len(secret) >= _SHORTEST else text


def redacted(text: str, *secrets: str) -> str:
    """*text* on one line, at most 300 characters, without *secrets* and without what looks like one."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 8 * LONGEST]).split())
    for secret in secrets:
        line = hidden(line.encode(), secret).decode()
    line = _SECRETS.sub(_MASK, line)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
