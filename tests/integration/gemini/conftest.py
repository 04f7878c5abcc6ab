"""What the tests of the API's edge share."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.picture import SentPicture
from tests.integration.gemini.wire import PROXY_NAMES, picture


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_NAMES, *map(str.upper, PROXY_NAMES), "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def large(tmp_path: Path) -> SentPicture:
    """More than sockets and buffers of two sides hold."""
    path = tmp_path / "large"
    path.write_bytes(bytes(24 << 20))
    return picture(path)
