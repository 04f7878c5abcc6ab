"""The options of ``submit`` in a schedule: read by the parser of ``submit`` itself, and kept as they were typed.

Only what was given is kept, on the command line or in the environment of ``schedule add``; the environment of the
scheduler does not matter.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from jobs.cli.declared.edit import submit
from jobs.cli.options import asked_for
from jobs.job_options import JobOptions
from jobs.manifests import opened_manifest
from jobs.notifying import notify_asked
from jobs.opening import check_options
from pipeline.errors import ManifestError, UsageError
from pipeline.manifest import open_pictures

_TYPED = frozenset({ParameterSource.COMMANDLINE})
_GIVEN = _TYPED | {ParameterSource.ENVIRONMENT}
#: Parameters of ``submit`` that are about its own output.
_NOT_OF_THE_JOB = frozenset({"json", "verbose", "debug", "log_file"})
_WEBHOOK = "notify"
#: Parameters that name a place, which must mean the same from any working folder.
_PLACES = ("manifest", "out")


def given(words: Sequence[str]) -> dict[str, Any]:
    """The options that *words* and the environment give, in the form in which they are kept.

    Raises:
        click.ClickException: as ``submit`` does.
        UsageError: they cannot be meant by a schedule.
    """
    return _kept(submit(), words, _GIVEN)


def changed(options: dict[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """*options*, with those in *words* replaced; the manifest need not be named again.

    Raises:
        click.ClickException: as ``submit`` does.
        UsageError: they cannot be meant by a schedule.
    """
    parser = submit()
    for param in parser.params:
        param.required = False
    return options | _kept(parser, words, _TYPED)


def check(options: dict[str, Any], *, incremental: bool | None) -> bool:
    """Refuse options with which every run would fail; whether runs are incremental.

    Args:
        options: as kept.
        incremental: as asked for; ``None``: where the manifest is a folder or a glob.

    Raises:
        UsageError, ManifestError: as ``submit`` does.
    """
    asked = asked_of(options)
    check_options(asked)
    notify_asked(asked)
    try:
        open_pictures(asked.manifest, prompt=asked.prompt)
    except ManifestError:
        if incremental:
            raise UsageError(
                f"--incremental: {asked.manifest} is not a folder of pictures or a glob; without --incremental "
                "each run edits every row"
            ) from None
        # Opened for its errors.
        with opened_manifest(asked):
            return False
    return incremental is not False


def asked_of(options: dict[str, Any]) -> JobOptions:
    """The options of a run.

    Raises:
        UsageError: a kept option, or its value, is not known to this version.
    """
    parser = submit()
    context = click.Context(parser, info_name="retouch submit")
    params = {param.name: param for param in parser.params}
    strange = sorted(options.keys() - params.keys())
    if strange:
        raise UsageError(
            f"the option --{strange[0].replace('_', '-')} is not known to this version: add the schedule again"
        )
    try:
        return asked_for({name: params[name].type_cast_value(context, options[name]) for name in options})
    except click.BadParameter as error:
        raise UsageError(f"the schedule's options are no longer valid: {error.message}") from error


def as_typed(options: dict[str, Any]) -> str:
    """*options* as one would type them after ``submit``; of a webhook, which may be a secret, only the host."""
    words = [str(options["manifest"])]
    for param in submit().params:
        if isinstance(param, click.Option) and param.name in options:
            words += _typed(param, options[param.name])
    return shlex.join(words)


def _typed(param: click.Option, value: Any) -> list[str]:
    if param.is_flag:
        yes = param.type_cast_value(click.Context(submit()), value)
        return [param.opts[0] if yes else param.secondary_opts[0]]
    if param.name == _WEBHOOK:
        parts = urlsplit(value)
        value = f"{parts.scheme}://{parts.hostname}/…"
    values = value if isinstance(value, list | tuple) else [value]
    return [word for one in values for word in (param.opts[0], str(one))]


def _kept(parser: click.Command, words: Sequence[str], sources: frozenset[ParameterSource]) -> dict[str, Any]:
    # Refuses wrong values; kept are the values as typed, which the parser can read again.
    context = parser.make_context("retouch submit", list(words))
    typed, _, _ = parser.make_parser(context).parse_args(list(words))
    found = {param.name: param.consume_value(context, typed) for param in parser.params if param.name}
    kept = {
        name: value
        for name, (value, source) in found.items()
        if name not in _NOT_OF_THE_JOB and source in sources
    }
    if kept.get("manifest") == "-":
        raise UsageError(
            "a schedule cannot read standard input, which comes once: name a file, a folder or a glob"
        )
    return kept | {name: _absolute(kept[name]) for name in _PLACES if kept.get(name)}


def _absolute(place: str) -> str:
    return place if "://" in place else os.path.abspath(Path(place).expanduser())  # noqa: PTH100 - links stay
