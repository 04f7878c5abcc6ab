"""Hides the keys and passwords of the environment in all output."""

from __future__ import annotations

import os
import re

from jobs.environment import KEYS, URLS_WITH_PASSWORDS

_MASK = "[hidden]"
#: Shorter values would mask ordinary words.
_SECRET_LENGTH = 6
_PASSWORD = re.compile(r"://[^/@:\s]*:([^@/\s]+)@")


def masked(text: str) -> str:
    """*text* without the keys and passwords of this process's environment."""
    for secret in _secrets():
        text = text.replace(secret, _MASK)
    return text


def _secrets() -> list[str]:
    found = [os.environ.get(name, "") for name in KEYS]
    for name in URLS_WITH_PASSWORDS:
        found += _PASSWORD.findall(os.environ.get(name, ""))
    return [secret for secret in found if len(secret) >= _SECRET_LENGTH]
