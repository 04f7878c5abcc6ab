"""``python -m pipeline.gemini.emulator``: prints its URL as the first line of its output, then serves."""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import RetouchError, UsageError
from pipeline.gemini.emulator.background import serve
from pipeline.gemini.emulator.latency import Latency
from pipeline.gemini.emulator.options import CannedOptions, Options, server_tls
from pipeline.gemini.emulator.painting import Studio
from pipeline.gemini.emulator.rule_file import load_rules, parse_fault


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; 2 for options that cannot be meant."""
    try:
        asyncio.run(_serve(options_of(_parser().parse_args(arguments))))
    except RetouchError as error:
        sys.stderr.write(f"emulator: {error}\n")
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    return 0


async def _serve(options: Options | CannedOptions) -> None:
    task = asyncio.current_task()
    if task:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await serve(options, _announce)


def _announce(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="emulator", description="A local stand-in for the image API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", default="0", help="2.5, uniform:1:3 or lognormal:12:0.5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--certificate", type=Path, help="PEM, for https")
    parser.add_argument("--private-key", type=Path, help="PEM, for https")
    parser.add_argument(
        "--canned", action="store_true", help="one prebuilt body for every call, for benchmarks"
    )
    parser.add_argument("--key", help="the only key let in; without it every key but 'wrong'")
    parser.add_argument("--rules", type=Path, help="a rule file, TOML or JSON")
    parser.add_argument(
        "--fault", action="append", default=[], help="one rule: 'text_only every=3'; repeatable"
    )
    parser.add_argument("--rpm", type=int, help="calls in any minute")
    parser.add_argument("--format", choices=("png", "jpeg"), default="png", help="of the pictures")
    parser.add_argument("--shrink", type=int, default=1, help="divides the edges of the pictures")
    parser.add_argument("--ledger", type=Path, help="write every call to this file, as JSON lines")
    return parser


def options_of(given: argparse.Namespace) -> Options | CannedOptions:
    """The options that a command line means."""
    tls = _tls(given.certificate, given.private_key)
    latency = Latency.parse(given.latency)
    if given.canned:
        if given.key or given.rules or given.fault or given.rpm or given.ledger:
            raise UsageError(
                "--canned answers everything alike: leave out --key, --rules, --fault, --rpm, --ledger"
            )
        return CannedOptions(
            host=given.host, port=given.port, seed=given.seed, latency=latency, ssl_context=tls
        )
    rules = load_rules(given.rules) if given.rules else ()
    return Options(
        host=given.host,
        port=given.port,
        key=given.key,
        rules=(*rules, *map(parse_fault, given.fault)),
        seed=given.seed,
        latency=latency,
        rpm=given.rpm,
        studio=Studio(format=given.format, shrink=given.shrink),
        ledger_file=given.ledger,
        ssl_context=tls,
    )


def _tls(certificate: Path | None, private_key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and private_key is None:
        return None
    if certificate is None or private_key is None:
        raise UsageError("--certificate and --private-key belong together")
    return server_tls(certificate, private_key)


if __name__ == "__main__":
    sys.exit(main())
