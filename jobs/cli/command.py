"""How a command is declared: options with their environment twins, examples, and what every command takes.

A command is a function that takes its options by name and returns an exit code (``None``: 0). It is named as
``module:function`` and imported when it is called. This is the one place where modules are imported late: ``run``
must make its first call in little more than the time that its transport takes to import, so that no command may
pay for what another needs (Celery, Redis, pyarrow), and neither help nor completion for any of it.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from jobs import logs, output
from jobs.cli.option_types import YesNo
from jobs.environment import PREFIX

#: Wide enough for a sentence and its variable, narrow enough for a terminal.
WIDTH = 100
#: Longer options have a line of their own, as click has it.
_NAMES = 30

#: The sections of help that several commands have.
MONEY, EVERYWHERE = "Money", "General"


def option(*declarations: str, env: str | None = None, **settings: Any) -> _Option:
    """An option that can also be set by its ``RETOUCH_…`` variable, which its help shows.

    Args:
        declarations: as click takes them, such as ``"--rpm"``.
        env: the variable, when it is not the option's own name.
        settings: as click takes them.
    """
    default = settings.get("default")
    if isinstance(default, float) and default.is_integer():
        settings["default"] = int(default)  # shown as 300, not as 300.0; its type makes it a float again
    made = _Option(declarations, show_envvar=True, **settings)
    made.envvar = env or PREFIX + made.name.upper()
    made.show_default = made.default is not None and not made.is_flag and "default" in settings
    return made


def under(heading: str, params: list[click.Parameter]) -> list[click.Parameter]:
    """*params*, which help shows in the section *heading*."""
    for param in params:
        if isinstance(param, _Option):
            param.heading = heading
    return params


def switch(name: str, *, env: str | None = None, **settings: Any) -> click.Option:
    """A flag ``--name``, with ``--no-name`` to take back what the environment set."""
    return option(f"--{name}/--no-{name}", env=env, default=False, type=YesNo(), **settings)


def json_option(what: str) -> click.Option:
    """The ``--json`` of a command that prints *what*."""
    return switch("json", help=f"Print {what} as JSON on standard output, and nothing else there.")


class Command(click.Command):
    """A command with examples, and with ``-v``, ``--debug`` and ``--log-file``.

    Args:
        work: ``module:function``, which is called with the values of *params*.
        params: its options and arguments.
        examples: command lines that are shown in its help.
    """

    def __init__(
        self,
        name: str,
        work: str,
        params: list[click.Parameter],
        *,
        text: str,
        examples: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            name,
            callback=_Late(work),
            params=[*params, *log_params()],
            help=text,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
        )
        self.examples = examples

    def invoke(self, ctx: click.Context) -> Any:
        logs.begin(ctx.ensure_object(logs.LogOptions))
        code = None
        try:
            code = super().invoke(ctx)
            output.flush()
        except BrokenPipeError:
            output.hush()
        return code

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            shown = param.get_help_record(ctx)
            if shown and isinstance(param, click.Option):
                # --help is click's own.
                heading = param.heading if isinstance(param, _Option) else EVERYWHERE
                sections.setdefault(heading, []).append(shown)
        write_sections(formatter, sections)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        write_examples(formatter, self.examples)


class Group(click.Group):
    """Commands under one name, with examples."""

    def __init__(
        self, name: str, commands: dict[str, click.Command], *, text: str, examples: tuple[str, ...]
    ) -> None:
        super().__init__(
            name,
            commands=commands,
            help=text,
            no_args_is_help=True,
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
        )
        self.examples = examples

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's call
        return list(self.commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        write_examples(formatter, self.examples)


class _Late:
    """A function that is imported when it is called."""

    def __init__(self, path: str) -> None:
        self.module, _, self.function = path.partition(":")

    def __call__(self, **values: Any) -> int | None:
        function = getattr(importlib.import_module(self.module), self.function)
        code: int | None = function(**values)
        return code


def write_sections(formatter: click.HelpFormatter, sections: dict[str, list[tuple[str, str]]]) -> None:
    """Write names with their descriptions, by heading; the descriptions of all sections begin in the same column."""
    width = min(_NAMES, max(len(name) for shown in sections.values() for name, _ in shown))
    for heading, shown in sections.items():
        with formatter.section(heading):
            formatter.write_dl([(name.ljust(width), text) for name, text in shown])


def write_examples(formatter: click.HelpFormatter, examples: tuple[str, ...]) -> None:
    """Write a section of command lines, unwrapped, so that they can be copied."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def log_params() -> list[click.Parameter]:
    """The options that are accepted before and after the name of every command."""
    return under(EVERYWHERE, _log_params())


def _log_params() -> list[click.Parameter]:
    return [
        option(
            "-v",
            "--verbose",
            is_flag=True,
            type=YesNo(),
            expose_value=False,
            callback=_keep,
            help="Log more.",
        ),
        option(
            "--debug",
            is_flag=True,
            type=YesNo(),
            expose_value=False,
            callback=_keep,
            help="Log everything, and show tracebacks of internal errors.",
        ),
        option(
            "--log-file",
            type=click.Path(dir_okay=False),
            expose_value=False,
            callback=_keep,
            help="Also write logs to this file.",
        ),
        option(
            "--log-format",
            type=click.Choice(("text", "json")),
            expose_value=False,
            callback=_keep,
            help="Log format: text for people or JSON for machines.",
        ),
    ]


class _Option(click.Option):
    heading = "Options"

    def get_help_spec(self, ctx: click.Context) -> str:
        """``--[no-]reuse``: the pair in half its length."""
        spec = super().get_help_spec(ctx)
        if self.secondary_opts:
            return self.opts[0].replace("--", "--[no-]", 1)
        return spec


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep a log option; one before the command's name holds unless it is given again after it."""
    if value:
        setattr(ctx.ensure_object(logs.LogOptions), param.name or "", value)
