"""The command line: how commands are found, and how their errors are reported.

Exit codes are those of ``exit-codes.md``. An internal error ends with 70 (``EX_SOFTWARE`` of sysexits.h),
so that a script never mistakes a bug for the state of a job.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from jobs import environment, logs, output
from jobs.cli.command import WIDTH, log_params, write_examples, write_sections
from jobs.cli.table import COMMANDS, SECTIONS
from jobs.exits import INTERNAL, INTERRUPTED
from jobs.masking import masked
from pipeline.errors import RetouchError, UsageError

log = logging.getLogger("retouch.cli")


_EXAMPLES = (
    "retouch check shop.csv                     find mistakes, estimate cost and time",
    "retouch run shop.csv --limit 5             edit the first five rows in this process",
    "retouch run photos/ --prompt 'white background' --budget 20",
    "retouch submit shop.csv                    hand the job to `retouch worker`, here or elsewhere",
    "retouch results JOB --outcome failed       see what went wrong",
)

_HELP = """Edit pictures in bulk with Google's Gemini: nothing lost, nothing paid for twice.

The API key is read from GEMINI_API_KEY or GOOGLE_API_KEY. Job folders are created in RETOUCH_STORE (default:
./retouch-jobs); submitted jobs use the Redis server at RETOUCH_REDIS_URL (default: redis://localhost:6379/0).
Every option can also be set by a RETOUCH_... variable, in the environment or in a .env file in the working
folder. JOB is a job's id or its folder.
"""

_CODES = """Exit codes: 0 every row is done; 1 ended, but some rows are not done (check: mistakes found); 2
wrong usage, nothing was called; 3 the job needs you; 130 interrupted; 70 an internal error.

Shell completion: put eval "$(_RETOUCH_COMPLETE=bash_source retouch)" into ~/.bashrc. For zsh, use zsh_source in
~/.zshrc; for fish, write the output of fish_source to ~/.config/fish/completions/retouch.fish.
"""


def main() -> NoReturn:
    """The console script ``retouch``."""
    output.open_what_is_closed()
    _leave(command_line(sys.argv[1:]))


def _leave(code: int) -> NoReturn:
    """End with *code*, as ``sys.exit`` does, but for tearing the interpreter down.

    An answer of an object store that nobody waits for any more (a command that was ended, say) may come at any
    moment to a thread of obstore's, which aborts the process when the interpreter is half gone.
    """
    # A further Ctrl-C, when everything has been printed, shows no traceback.
    with contextlib.suppress(OSError, UsageError, KeyboardInterrupt):
        output.flush()
    with contextlib.suppress(KeyboardInterrupt):
        atexit._run_exitfuncs()
    os._exit(code)


def command_line(arguments: Sequence[str]) -> int:
    """Run the command in *arguments*; the exit code. Every error becomes one sentence on standard error."""
    options = logs.LogOptions()
    try:
        environment.read_dotenv()
        return int(_carried_out(arguments, options) or 0)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        output.say(error.format_message())
        return 2
    except click.ClickException as error:
        output.say(masked(f"retouch: {_usage(error)}"))
        return 2
    except RetouchError as error:
        output.say(masked(f"retouch: {error}"))
        log.debug("command_failed", exc_info=error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the boundary: a person gets a sentence, never a traceback
        return _internal(error, options)


def _carried_out(arguments: Sequence[str], options: logs.LogOptions) -> int | None:
    code: int | None = retouch().main(
        list(arguments), prog_name="retouch", standalone_mode=False, obj=options
    )
    return code


def retouch() -> click.Group:
    """The program as a group of click commands."""
    return _Retouch(
        "retouch",
        help=_HELP,
        epilog=_CODES,
        params=[*log_params(), _version()],
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
    )


class _Retouch(click.Group):
    """Finds commands in :data:`COMMANDS`, and declares only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's call
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        listed = COMMANDS.get(cmd_name)
        return None if listed is None else listed.declare()

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.exceptions.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The commands before the options.
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        write_sections(
            formatter,
            {
                heading: [(name, listed.text) for name, listed in commands.items()]
                for heading, commands in SECTIONS.items()
            },
        )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, _EXAMPLES)
        super().format_epilog(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [
            CompletionItem(name, help=listed.text)
            for name, listed in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


def _version() -> click.Option:
    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            from importlib.metadata import version  # noqa: PLC0415 - 30 ms that only --version needs

            output.write_line(f"retouch {version('retouch')}")
            output.flush()
            ctx.exit()

    return click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version and exit.",
    )


def _usage(error: click.ClickException) -> str:
    """One sentence: the option or the variable at fault, what is wrong with it, and where help is."""
    context = getattr(error, "ctx", None)
    hint = f" (try `{context.command_path} --help`)" if context else ""
    if isinstance(error, click.BadParameter) and error.param is not None and error.message:
        return f"{_source(error)}: {error.message.rstrip('.')}{hint}"
    if isinstance(error, click.NoSuchOption):
        near = get_close_matches(error.option_name, error.possibilities or (), n=1)
        meant = f". Did you mean '{near[0]}'?" if near else ""
        if context is not None and any(param.name == "words" for param in context.command.params):
            hint = f"; options of `retouch submit` stand after --, with the manifest{hint}"
        return f"No such option '{error.option_name}'{meant}{hint}"
    return f"{error.format_message().rstrip('.')}{hint}"


def _source(error: click.BadParameter) -> str:
    param, context = error.param, error.ctx
    if param is None or param.name is None:
        return "value"
    from_environment = click.core.ParameterSource.ENVIRONMENT
    if context is not None and context.get_parameter_source(param.name) is from_environment:
        return str(param.envvar)
    return param.opts[0] if isinstance(param, click.Option) else param.name.upper()


def _internal(error: Exception, options: logs.LogOptions) -> int:
    if isinstance(error, FileNotFoundError) and not environment.has_working_folder():
        output.say("retouch: the working folder does not exist any more: change to another one")
        return 2
    output.say(
        masked(
            f"retouch: internal error: {type(error).__name__}: {error}. Finished rows are kept. Please report it"
            + (":" if options.debug else "; --debug shows the traceback.")
        )
    )
    if options.debug:
        import traceback  # noqa: PLC0415 - nobody else needs it

        output.say(masked("".join(traceback.format_exception(error))))
    return INTERNAL
