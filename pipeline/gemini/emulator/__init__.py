"""A local stand-in for the image API over real HTTP, with faults on request and a ledger of every call.

Tests judge the client by it, so it shares no code with the client: its catalogue, its data structures and its checks
are its own, based on gemini-api.md. In a test::

    async with Emulator(Options(rules=(rule("text_only", times_per_token=2),))) as emulator:
        ...

without a loop ``with in_thread(Options()) as emulator``; as a process ``python -m pipeline.gemini.emulator``.
"""

from __future__ import annotations

from pipeline.gemini.emulator.background import in_thread, serve
from pipeline.gemini.emulator.canned import CannedServer
from pipeline.gemini.emulator.latency import Latency
from pipeline.gemini.emulator.ledger import Call, Ledger, Upload
from pipeline.gemini.emulator.mark import read_mark
from pipeline.gemini.emulator.options import CannedOptions, Options, server_tls
from pipeline.gemini.emulator.painting import Studio
from pipeline.gemini.emulator.request import token_of
from pipeline.gemini.emulator.rule_file import load_rules, parse_fault, rule
from pipeline.gemini.emulator.rules import Rule
from pipeline.gemini.emulator.server import Emulator

__all__ = [
    "Call",
    "CannedOptions",
    "CannedServer",
    "Emulator",
    "Latency",
    "Ledger",
    "Options",
    "Rule",
    "Studio",
    "Upload",
    "in_thread",
    "load_rules",
    "parse_fault",
    "read_mark",
    "rule",
    "serve",
    "server_tls",
    "token_of",
]
