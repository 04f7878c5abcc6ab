"""Every variable that retouch reads: those of options, and those that have none."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from docs.generate.commands import documented
from docs.generate.markdown import code, codes, table
from jobs.cli.command import log_params
from jobs.environment import DEFAULT_REDIS_URL, DEFAULT_STORE, DOTENV
from pipeline.gemini.client import BASE_URL
from pipeline.job.runlease import TTL
from workers.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_WORKER = Settings(redis_url="", slots=1)

_INTRO = f"""# Settings

An option on the command line overrides the environment, and the environment overrides the file `{DOTENV}` in the working
folder. The file has one `NAME=value` per line; no command changes it.
"""

#: Variable -> its default, and what it means.
OWN: dict[str, tuple[str, str]] = {
    "GEMINI_API_KEY": (
        "",
        "The API key. It is sent in a header and never appears in a URL, log or record.",
    ),
    "GOOGLE_API_KEY": ("", "The same. If both are set, this one is used, as in Google's SDK."),
    "GOOGLE_GEMINI_BASE_URL": (
        code(BASE_URL),
        "The API's base URL, as in Google's SDK. Set it to use a proxy or the emulator.",
    ),
    "RETOUCH_STORE": (
        code(DEFAULT_STORE),
        (
            "Where job folders are created without `--out`, and where jobs are registered for `retouch status`: a path or "
            "a URL (`s3://…`, `gs://…`, `az://…`). A worker that starts picks up every unfinished submitted job in it."
        ),
    ),
    "RETOUCH_REDIS_URL": (
        code(DEFAULT_REDIS_URL),
        "The Redis server of submitted jobs; `rediss://` for TLS. Everyone who uses the same server shares its jobs.",
    ),
    "RETOUCH_DOTENV": (code(DOTENV), "Read another file instead of `.env`; if empty, read none."),
    "RETOUCH_ROOT_MAP": (
        "",
        (
            "`/there=/here`: the folder `/there` of the submitting machine is mounted here as `/here`. Separate several with "
            "commas."
        ),
    ),
    "RETOUCH_LEASE_SECONDS": (
        f"`{_WORKER.lease:g}` for workers, `{TTL:g}` for `run` on an object store",
        (
            "How long a claim on rows lasts without a sign of life, and so how long it takes until a killed process is "
            "replaced. Raise it if machines may freeze for seconds. Use the same value on all workers."
        ),
    ),
    "RETOUCH_GRACE_SECONDS": (
        "the longest `--timeout` of its jobs plus 30",
        (
            "How long calls in flight may continue after a worker is told to stop. Calls that are given up count as "
            "`calls_unknown`."
        ),
    ),
    "RETOUCH_STALLED_SECONDS": (
        code(f"{_WORKER.stalled:g}"),
        (
            "If messages are waiting and a free worker has received none for this long, it reconnects. If that does not help, it "
            "exits with 1, so that its supervisor restarts it."
        ),
    ),
    "RETOUCH_NOTIFY_SECRET": (
        "",
        (
            "The secret that signs webhook messages, as defined by [Standard Webhooks](https://www.standardwebhooks.com). "
            "Workers need it too."
        ),
    ),
    "RETOUCH_KILL_AT": ("", "Only for retouch's own tests: kills the process at a step of a row."),
    "RETOUCH_FREEZE_AT": ("", "Only for retouch's own tests: freezes the process at a step of a row."),
}

_STANDARD = """## Standard variables

| variable | |
| --- | --- |
| `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | the proxy for the API and for pictures; only `http://` and `https://` proxies |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | trusted certificates, instead of those that come with `certifi` |
| `AWS_…`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_…` | credentials and endpoints of object stores, as their own tools use them |
| `AWS_ALLOW_HTTP`, `GOOGLE_ALLOW_HTTP`, `AZURE_ALLOW_HTTP` | `true` allows a plain http endpoint |
"""

_OF_OPTIONS = """## Variables of options

See [Commands](commands.md) for meanings and defaults. A switch is turned on by `1`, `true`, `yes` or `on`, and off by `0`,
`false`, `no`, `off` or an empty value.
"""

_NAME = re.compile(r"(?:RETOUCH|GEMINI|GOOGLE)_[A-Z_]*[A-Z]")


def page() -> str:
    """The page."""
    own = [[code(name), default, text] for name, (default, text) in OWN.items()]
    options = [
        [code(name), codes(options), codes(commands)]
        for name, (options, commands) in sorted(_options().items())
    ]
    return "\n".join(
        [
            _INTRO,
            "## Without an option\n",
            table(["variable", "default", ""], own),
            _STANDARD,
            _OF_OPTIONS,
            table(["variable", "option", "commands"], options),
        ]
    )


def named_in_code() -> set[str]:
    """Every variable of ours that stands as a text of its own in the code."""
    sources = [
        path for package in ("pipeline", "workers", "jobs") for path in (_ROOT / package).rglob("*.py")
    ]
    texts = {
        node.value
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if _NAME.fullmatch(text)}


def of_options() -> set[str]:
    """The variables that options are set by."""
    return set(_options())


def _options() -> dict[str, tuple[list[str], list[str]]]:
    """Variable -> its options, and the commands that have them."""
    found: defaultdict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for command, option in _declared():
        options, commands = found[str(option.envvar)]
        longest = max(option.opts, key=len)
        if longest not in options:
            options.append(longest)
        commands.append(command)
    return dict(found)


def _declared() -> Iterator[tuple[str, click.Option]]:
    common = [param for param in log_params() if isinstance(param, click.Option)]
    yield from (("every command", option) for option in common)
    names = {option.name for option in common}
    for command, declared in documented():
        for param in declared.params:
            if isinstance(param, click.Option) and param.envvar and param.name not in names:
                yield command.removeprefix("retouch "), param
