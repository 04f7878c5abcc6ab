"""The network: the proxy and certificates that the environment names for calls to the API."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import msgspec

from jobs.doctor.finding import Finding, fault, ok

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How the API is reached.

    Attributes:
        proxy: the proxy's address without its password; ``None``: there is none, or NO_PROXY applies.
        certificates: the variables that name trusted certificates, with their values.
        absent: those of them whose file does not exist.
    """

    proxy: str | None
    certificates: dict[str, str]
    absent: tuple[str, ...]


def read(base_url: str) -> Way:
    """What the environment says about the way to *base_url*."""
    parts = urlsplit(base_url)
    named = getproxies_environment()
    proxy = named.get(parts.scheme) or named.get("all")
    if proxy and proxy_bypass(parts.netloc.rpartition("@")[2]):
        proxy = None
    certificates = {name: os.environ[name] for name in _CERTIFICATES if os.environ.get(name)}
    return Way(
        proxy=_address(proxy) if proxy else None,
        certificates=certificates,
        absent=tuple(name for name, path in certificates.items() if not Path(path).exists()),
    )


def judge(way: Way) -> list[Finding]:
    """Judge the settings; whether they work is seen when the API is asked."""
    if way.absent:
        named = " and ".join(f"{name}={way.certificates[name]}" for name in way.absent)
        return [fault("network", f"{named}: the file does not exist", "fix or unset it")]
    by = f"through the proxy {way.proxy}" if way.proxy else "without a proxy"
    trusted = " and ".join(f"{name}={path}" for name, path in way.certificates.items()) or "certifi's list"
    return [ok("network", f"{by}; certificates are verified with {trusted}")]


def _address(proxy: str) -> str:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
