"""``python -m benchmarks``: measure everything, or what is named, and print it as Markdown."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import machine, report
from benchmarks.check import check
from benchmarks.compare import compare
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Result
from benchmarks.in_flight import in_flight
from benchmarks.keeping import keeping
from benchmarks.reading import reading
from benchmarks.schedule import schedule
from benchmarks.sizes import FULL, QUICK, USUAL, Sizes
from benchmarks.stage import Stage
from benchmarks.start import start
from benchmarks.status import status

BENCHMARKS: dict[str, Callable[[Stage], Result]] = {
    "compare": compare,
    "in-flight": in_flight,
    "schedule": schedule,
    "start": start,
    "status": status,
    "check": check,
    "keeping": keeping,
    "manifest": reading,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when everything was measured and every bound holds, else 1."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.list:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:<10} {(benchmark.__doc__ or '').splitlines()[0]}")
        return 0
    unknown = set(given.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    return _measure(given.names or list(BENCHMARKS), sizes_of(given), given.into)


def sizes_of(given: argparse.Namespace) -> Sizes:
    """The sizes that the command line means."""
    base = QUICK if given.quick else FULL if given.full else USUAL
    chosen = {"rounds": given.rounds, "calls": given.calls, "rows": given.rows}
    return dataclasses.replace(base, **{name: value for name, value in chosen.items() if value})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure; everything unless given")
    parser.add_argument("--list", action="store_true", help="say what there is to measure")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--full", action="store_true", help="at the sizes of issue 2: longer")
    sizes.add_argument("--quick", action="store_true", help="see that everything works; figures mean nothing")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="rounds of compare and check")
    parser.add_argument(
        "--calls", type=_several, metavar="N", help="calls of each subject in each round of compare"
    )
    parser.add_argument("--rows", type=_several, metavar="N", help="rows of the large job and manifest")
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FOLDER",
        help="where results.md and .json go; benchmarks/ if all is measured",
    )
    return parser


def _measure(names: Sequence[str], sizes: Sizes, into: Path | None) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every process is ended
    described = machine.description()
    results = []
    for name in names:
        _say(f"{name} …")
        results.append(_one(name, sizes))
        _say(f"{name}: {results[-1].seconds:.0f} s{''.join(f'; {why}' for why in results[-1].failed)}")
    print(report.markdown(described, sizes, results), flush=True)
    complete = sizes.judged and set(names) == set(BENCHMARKS)
    folder = into or (Path(__file__).parent if complete else None)
    if folder:
        report.write(folder, described, sizes, results)
        _say(f"written to {folder / 'results.md'} and results.json")
    else:
        _say("not written, since this is a part, or quick: --into FOLDER writes it all the same")
    return 0 if all(result.sound for result in results) else 1


def _one(name: str, sizes: Sizes) -> Result:
    """One benchmark, on a stage of its own; what ends it does not end the others."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="retouch-benchmark-", ignore_cleanup_errors=True) as folder:
        try:
            result = BENCHMARKS[name](Stage(Path(folder), sizes))
        except BenchmarkError as error:
            result = Result(name, "", failed=[str(error)])
    result.seconds = time.monotonic() - began
    return result


def _positive(text: str) -> int:
    return _at_least(1, text)


def _several(text: str) -> int:
    return _at_least(2, text)


def _at_least(least: int, text: str) -> int:
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"at least {least}")
    return number


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
