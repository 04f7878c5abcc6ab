"""The API's address and key, both from the environment, as in Google's SDK."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from pipeline.errors import KeyMissing
from pipeline.gemini.client import BASE_URL, checked_key, root_of


class Access(msgspec.Struct, frozen=True):
    """The key and the API's root. ``str()`` and ``repr()`` do not show the key."""

    key: str
    base_url: str

    def __repr__(self) -> str:
        return f"Access(key=…, base_url={self.base_url!r})"

    __str__ = __repr__


def access(environment: Mapping[str, str] = os.environ) -> Access:
    """Key and root from the environment; ``GOOGLE_API_KEY`` wins over ``GEMINI_API_KEY``, as in Google's SDK.

    Raises:
        KeyMissing: there is no key.
        UsageError: the key or the root is malformed.
    """
    key = environment.get("GOOGLE_API_KEY", "").strip() or environment.get("GEMINI_API_KEY", "").strip()
    if not key:
        raise KeyMissing(
            "no API key: set GEMINI_API_KEY (get a key at https://aistudio.google.com/apikey), "
            "or try retouch without one with `retouch emulator`"
        )
    base_url = environment.get("GOOGLE_GEMINI_BASE_URL", "").strip() or BASE_URL
    root_of(base_url)
    return Access(checked_key(key), base_url)
