"""``make demo``: the whole program on real pictures, without a key.

Starts an embedded Redis-compatible server, a Celery worker as a process of its own, and the emulator in place of the
API; then runs the commands that a user would type. Keys and settings of the environment are ignored.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from jobs.children import Child, answers, free_port, redis_server, retouch

HERE = Path(__file__).resolve().parent.parent
MANIFEST = "examples/manifest.csv"
#: Below the folder of the checkout; nothing in it is ever deleted.
RESULTS = "demo"

#: Common faults of the API: text or nothing instead of a picture, overload, a rate limit.
FAULTS = (
    "text_only contains=seamless times=1",
    "status code=503 contains=galaxies times=1",
    "no_image contains=red times=1",
    "rate_limited retry_delay=1.5 contains=banner times=1",
)


def main() -> int:
    """Run the demo; 0 when every row was done."""
    os.chdir(HERE)
    _say("An embedded Redis-compatible server, a worker and a stand-in for the API are started.")
    with tempfile.TemporaryDirectory(prefix="retouch-demo-") as scratch, _server(Path(scratch)) as redis:
        environment = _environment(redis)
        with _process("emulator", _emulator(), environment) as emulator:
            environment |= {"GOOGLE_GEMINI_BASE_URL": emulator.announced(), "GEMINI_API_KEY": "demo"}
            with _process(
                "worker", [*retouch("worker"), "--max-in-flight", "4"], environment, announces=False
            ):
                return _commands(environment)


def _commands(environment: dict[str, str]) -> int:
    """The commands that a user would type."""
    _type(environment, "check", MANIFEST)
    submitted = _type(environment, "submit", MANIFEST, "--json", capture=True)
    job = msgspec.json.decode(submitted.stdout)
    watched = _type(environment, "watch", job["job"])
    _type(environment, "results", job["job"])
    _say("")
    _say("Open the report to see every picture before and after:")
    _say(f"  {Path(job['out'], 'report.html')}")
    _say(
        "The same job in one process, with a key of yours (https://aistudio.google.com/apikey), for real money:"
    )
    _say(f"  GEMINI_API_KEY=… .venv/bin/retouch run {MANIFEST} --budget 1")
    return watched.returncode


def _type(
    environment: dict[str, str], *words: str, capture: bool = False
) -> subprocess.CompletedProcess[bytes]:
    _say(f"\n$ retouch {shlex.join(words)}")
    done = subprocess.run(  # noqa: S603 - our own command
        retouch(*words), env=environment, check=False, stdout=subprocess.PIPE if capture else None
    )
    if capture:
        sys.stdout.buffer.write(done.stdout)
        sys.stdout.flush()
    return done


def _emulator() -> list[str]:
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    return [*retouch("emulator"), "--port", "0", "--latency", "lognormal:3:0.4", *faults]


def _environment(redis: str) -> dict[str, str]:
    """The environment without any key, and without a setting that would make this another demo."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RETOUCH_", "GOOGLE_", "GEMINI_")) and "proxy" not in name.lower()
    }
    return kept | {
        "RETOUCH_DOTENV": "",
        "RETOUCH_REDIS_URL": redis,
        "RETOUCH_STORE": str(HERE / RESULTS),
    }


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with _process("server", redis_server(folder, port), dict(os.environ), announces=False) as server:
        if not answers(url, server):
            raise SystemExit("the embedded server did not start: see demo/server.log")
        yield url


@contextlib.contextmanager
def _process(
    name: str, command: list[str], environment: dict[str, str], *, announces: bool = True
) -> Iterator[Child]:
    """*command* as a process of its own, with its messages in a file."""
    log = HERE / RESULTS / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as messages:
        child = Child(name, command, environment, said=messages, announces=announces)
        try:
            yield child
        finally:
            child.end(30)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
