"""What can be set on an emulator."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.gemini.emulator.latency import Latency
from pipeline.gemini.emulator.painting import Studio
from pipeline.gemini.emulator.rules import Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Settings of the emulator that edits pictures.

    Attributes:
        port: 0 takes a free one.
        key: the only key that is let in; None lets in every key but ``wrong``.
        rules: the answers to order, first match first.
        seed: of latencies and of probabilities in rules.
        rpm: calls in any minute; beyond it a 429 says when to come again.
        ledger_size: how many calls are kept in memory.
        ledger_file: a file to which every call is written as a line of JSON.
    """

    host: str = "127.0.0.1"
    port: int = 0
    key: str | None = None
    rules: tuple[Rule, ...] = ()
    seed: int = 0
    latency: Latency = field(default_factory=Latency)
    rpm: int | None = None
    studio: Studio = field(default_factory=Studio)
    ledger_size: int = 100_000
    ledger_file: Path | None = None
    ssl_context: ssl.SSLContext | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CannedOptions:
    """Settings of the server that answers every call with one prebuilt body."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    latency: Latency = field(default_factory=Latency)
    ssl_context: ssl.SSLContext | None = None


def server_tls(certificate: Path, private_key: Path) -> ssl.SSLContext:
    """A TLS context from PEM files."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, private_key)
    return context
