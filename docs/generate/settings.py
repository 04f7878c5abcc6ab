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
from jobs.command import log_params
from jobs.environment import DEFAULT_REDIS_URL, DEFAULT_STORE, DOTENV
from pipeline.gemini.client import BASE_URL
from pipeline.job.runlease import TTL
from workers.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_WORKER = Settings(redis_url="", slots=1)

_INTRO = f"""# Settings

A flag beats the environment, and the environment beats the file `{DOTENV}` in the working folder. The file has a line
`NAME=value` each; no command changes it.
"""

#: Variable -> its default, and what it means.
OWN: dict[str, tuple[str, str]] = {
    "GEMINI_API_KEY": (
        "",
        "The key to the API. It travels in a header and appears in no URL, log or record.",
    ),
    "GOOGLE_API_KEY": ("", "The same; it wins if both are set, as in Google's SDK."),
    "GOOGLE_GEMINI_BASE_URL": (
        code(BASE_URL),
        "The API's root, as in Google's SDK: a proxy or the emulator goes here.",
    ),
    "RETOUCH_STORE": (
        code(DEFAULT_STORE),
        (
            "Where job folders go when no `--out` is given, and where the jobs of `retouch status` are registered: a path or "
            "a URL (`s3://…`, `gs://…`, `az://…`). A worker that starts takes up every unfinished submitted job of its store."
        ),
    ),
    "RETOUCH_REDIS_URL": (
        code(DEFAULT_REDIS_URL),
        "Broker and live state of submitted jobs; `rediss://` for TLS. All who share it share their jobs.",
    ),
    "RETOUCH_DOTENV": (code(DOTENV), "Another file in its place; empty: none is read."),
    "RETOUCH_ROOT_MAP": (
        "",
        (
            "`/there=/here`: where a folder of the machine that submitted is mounted on this one. Several are separated by "
            "commas."
        ),
    ),
    "RETOUCH_LEASE_SECONDS": (
        f"`{_WORKER.lease:g}` for workers, `{TTL:g}` for `run` on an object store",
        (
            "For how long a claim holds without a sign of life: so long it takes until another goes on for one that was "
            "killed. Longer for machines that stand still for seconds; all workers should have the same."
        ),
    ),
    "RETOUCH_GRACE_SECONDS": (
        "the longest `--timeout` of its jobs and a little more",
        (
            "For how long calls in flight may go on when a worker is told to end. Calls that are given up count as "
            "`calls_unknown`."
        ),
    ),
    "RETOUCH_STALLED_SECONDS": (
        code(f"{_WORKER.stalled:g}"),
        (
            "Messages lie in the queue, threads are free and none has come for so long: the worker's consumer is restarted; "
            "if that does not help, the worker ends with 1, for its supervisor."
        ),
    ),
    "RETOUCH_NOTIFY_SECRET": (
        "",
        (
            "Signs what webhooks are sent, as [Standard Webhooks](https://www.standardwebhooks.com) have it. Workers need it, "
            "too."
        ),
    ),
    "RETOUCH_KILL_AT": ("", "For the tests of retouch alone: kills the process at a step of a row."),
    "RETOUCH_FREEZE_AT": ("", "For the tests of retouch alone: stops the process at a step of a row."),
}

_STANDARD = """## As everywhere

| variable | |
| --- | --- |
| `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | the proxy to the API and to pictures; `http://` and `https://` proxies alone |
| `SSL_CERT_FILE`, `SSL_CERT_DIR` | certificates that are trusted, in place of those that come with `certifi` |
| `AWS_…`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_…` | credentials and endpoints of object stores, as their own tools read them |
| `AWS_ALLOW_HTTP`, `GOOGLE_ALLOW_HTTP`, `AZURE_ALLOW_HTTP` | `true`: the endpoint may be plain http |
"""

_OF_OPTIONS = """## Of options

[Commands](commands.md) has their meanings and defaults. A switch is set by `1`, `true`, `yes` or `on`, and taken back by
`0`, `false`, `no`, `off` or nothing.
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
            table(["variable", "option", "of"], options),
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
