"""Every command with its options, variables, defaults and examples."""

from __future__ import annotations

from collections.abc import Iterator

import click

from docs.generate.markdown import code, prose, table
from jobs.cli.app import retouch
from jobs.cli.command import Command, log_params

_INTRO = """# Commands

Every option can also be set by its variable. An option on the command line overrides the environment, and the environment
overrides the `.env` file. `--no-x` turns off a switch `--[no-]x` that the environment turned on. With `--json`, a command
prints only JSON to standard output; messages go to standard error. See also [Exit codes](exit-codes.md).

`JOB` is a job's id, as listed by `retouch status`, or its folder (a path or URL).

For completion in bash, put this into `~/.bashrc`. For zsh, use `zsh_source` in `~/.zshrc`; for fish, write the output of
`fish_source` to `~/.config/fish/completions/retouch.fish`:

```bash
eval "$(_RETOUCH_COMPLETE=bash_source retouch)"
```
"""

_COMMON = frozenset(param.name for param in log_params())


def page() -> str:
    """The page."""
    group = retouch()
    with click.Context(group, info_name="retouch") as context:
        parts = [_INTRO, "## Options of every command\n", _options(log_params(), context)]
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command:
                parts += _command(command, context, 2)
    return "\n".join(parts)


def documented() -> Iterator[tuple[str, click.Command]]:
    """The full name of every command, those within others included, and the command."""
    group = retouch()
    with click.Context(group, info_name="retouch") as context:
        yield from _walk(group, context)


def _walk(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        with click.Context(command, info_name=name, parent=context) as own:
            yield own.command_path, command
            if isinstance(command, click.Group):
                yield from _walk(command, own)


def _command(command: click.Command, parent: click.Context, level: int) -> Iterator[str]:
    with click.Context(command, info_name=command.name, parent=parent) as context:
        yield f"{'#' * level} {context.command_path}\n"
        yield prose((command.help or "").replace("\b", "")) + "\n"
        usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
        yield f"```text\n{usage}\n```\n"
        own = [param for param in command.params if param.name not in _COMMON]
        if any(isinstance(param, click.Option) for param in own):
            yield _options(own, context)
        yield from _examples(command)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                if below:
                    yield from _command(below, context, level + 1)


def _examples(command: click.Command) -> Iterator[str]:
    if isinstance(command, Command) and command.examples:
        lines = "\n".join(command.examples)
        yield f"```sh\n{lines}\n```\n"


def _options(params: list[click.Parameter], context: click.Context) -> str:
    options = [param for param in params if isinstance(param, click.Option)]
    return table(
        ["option", "variable", "default", ""],
        [
            [
                code(_spec(one, context)),
                code(one.envvar or ""),
                _default(one),
                (one.help or "").replace("<", "&lt;"),
            ]
            for one in options
        ],
    )


def _spec(option: click.Option, context: click.Context) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names.replace("--", "--[no-]", 1) if option.secondary_opts else names
    return f"{names} {option.make_metavar(context)}"


def _default(option: click.Option) -> str:
    return code(option.default) if option.show_default and option.default not in (None, "") else ""
