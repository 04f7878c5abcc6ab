"""What is typed wrong, asked for, or piped: sentences, exit codes, and nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from jobs.cli.table import COMMANDS, SECTIONS
from tests.e2e.typed import KEY, RETOUCH, Shell


@pytest.fixture
def shell(tmp_path) -> Shell:
    return Shell(tmp_path, GEMINI_API_KEY=KEY)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["rnu", "shop.csv"], "No such command 'rnu'. Did you mean 'run'?"),
        (["schedule", "ad"], "No such command 'ad'. Did you mean 'add'?"),
        (["run"], "Missing argument 'MANIFEST'"),
        (["run", "shop.csv", "--rpmm", "3"], "No such option '--rpmm'. Did you mean '--rpm'? (try"),
        (["run", "shop.csv", "--rpm", "many"], "--rpm: 'many' is not a number above 0"),
        (["run", "shop.csv", "--rpm"], "Option '--rpm' requires an argument"),
        (["run", "nowhere.csv"], "nowhere.csv does not exist"),
        (["check", "nowhere.csv"], "nowhere.csv does not exist"),
        (["check", "-"], "standard input is empty"),
        (["status", "no-such-job"], "no job 'no-such-job'"),
        (["watch", "no-such-job"], "no job 'no-such-job'"),
        (["results", "no-such-job"], "no job 'no-such-job'"),
        (["report", "no-such-job"], "no job 'no-such-job'"),
        (["cancel", "no-such-job"], "no job 'no-such-job'"),
        (["results", "x", "--outcome", "lost"], "--outcome: 'lost' is not one of"),
        (
            ["models", "--log-file", "no/such/folder/x.log"],
            "--log-file no/such/folder/x.log: cannot be written",
        ),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(shell, words, says):
    typed = shell.type(*words)

    assert typed.code == 2
    assert says in typed.err
    assert typed.err.startswith("retouch: ")
    assert typed.err.count("\n") == 1
    assert typed.out == ""


def test_nothing_typed_shows_the_help_and_is_bad_usage(shell):
    typed = shell.type()

    assert typed.code == 2
    assert "Usage: retouch" in typed.err
    assert typed.out == ""


def test_version(shell):
    typed = shell.type("--version")

    assert (typed.code, typed.err) == (0, "")
    assert typed.out.startswith("retouch 0.")


def test_help_lists_the_commands_and_no_others(shell):
    listed = sections(shell.type("--help").out)

    assert {heading: [line.split()[0] for line in listed[heading]] for heading in SECTIONS} == {
        heading: list(commands) for heading, commands in SECTIONS.items()
    }


def test_help_shows_options_in_sections(shell):
    shown = sections(shell.type("run", "--help").out)

    assert list(shown) == [
        "What to edit",
        "Pace",
        "Money",
        "Access",
        "Notifications",
        "Options",
        "General",
        "Examples",
    ]
    assert [line.split()[0] for line in shown["Money"] if line.startswith("--")] == [
        "--budget",
        "--attempts",
        "--confirm-above",
        "--[no-]yes",
    ]
    assert shown["General"][-1].startswith("-h, --help")


def sections(text: str) -> dict[str, list[str]]:
    """The lines of help by their heading, without their indentation."""
    parts = (part.splitlines() for part in text.split("\n\n"))
    return {
        lines[0].removesuffix(":"): [line.strip() for line in lines[1:]]
        for lines in parts
        if lines and lines[0].endswith(":") and not lines[0].startswith(" ")
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples_and_variables(shell, name):
    typed = shell.type(name, "--help")

    assert (typed.code, typed.err) == (0, "")
    assert "Examples:\n  " in typed.out
    assert f"retouch {name}" in typed.out.partition("Examples:")[2]
    options = [param for param in COMMANDS[name].declare().params if param.param_type_name == "option"]
    unwrapped = " ".join(typed.out.split())
    for param in options:
        assert f"env var: {param.envvar}" in unwrapped, param.name


def test_commands_and_options_are_completed_in_a_shell(shell):
    commands = shell.type(
        env={"_RETOUCH_COMPLETE": "bash_complete", "COMP_WORDS": "retouch w", "COMP_CWORD": "1"}
    )
    options = shell.type(
        env={"_RETOUCH_COMPLETE": "bash_complete", "COMP_WORDS": "retouch run --max", "COMP_CWORD": "2"}
    )

    assert commands.out.split() == ["plain,watch", "plain,worker"]
    assert options.out.split() == ["plain,--max-in-flight"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("run sh", "file"),
        ("submit sh", "file"),
        ("run --log-file sh", "file"),
        ("run --out sh", "dir"),
        ("results sh", "dir"),
    ],
)
def test_files_and_folders_are_completed_where_they_are_meant(shell, words, kind):
    typed = shell.type(
        env={
            "_RETOUCH_COMPLETE": "bash_complete",
            "COMP_WORDS": f"retouch {words}",
            "COMP_CWORD": str(len(words.split())),
        }
    )

    assert typed.out.split() == [f"{kind},sh"]


def test_a_log_file_is_accepted_before_and_after_the_command(shell, tmp_path):
    before = shell.type("--debug", "--log-file", "before.log", "status", "nope")
    after = shell.type("status", "nope", "--debug", "--log-file", "after.log")

    for typed, name in ((before, "before.log"), (after, "after.log")):
        assert typed.code == 2
        assert "no job 'nope'" in typed.err
        assert "Traceback" in (tmp_path / name).read_text()


def test_a_dotenv_file_is_read_and_the_environment_and_flags_beat_it(shell, tmp_path):
    (tmp_path / ".env").write_text("RETOUCH_MODEL=from-file\nRETOUCH_RPM=2\n")
    (tmp_path / "p.csv").write_text("prompt\na\n")

    def model(*words: str, **env: str) -> str:
        return shell.type("check", "p.csv", *words, env=env).out

    assert "note: from-file is not in the catalogue" in model()
    assert "note: from-environment is" in model(RETOUCH_MODEL="from-environment")
    assert "note: from-flag is" in model("--model", "from-flag", RETOUCH_MODEL="from-environment")
    assert "from-file" not in model(RETOUCH_DOTENV="")


@pytest.mark.parametrize("content", [b"RETOUCH_RPM=\xff\xfe\x00", "RETOUCH_RPM=1".encode("utf-16")])
def test_a_dotenv_file_that_is_no_text_is_named(shell, tmp_path, content):
    (tmp_path / ".env").write_bytes(content)

    typed = shell.type("models")

    assert typed.code == 2
    assert ".env: cannot be read" in typed.err


def test_variables_that_cannot_be_meant_are_named(shell):
    for name, value, says in [
        ("RETOUCH_RPM", "fast", "RETOUCH_RPM: 'fast' is not a number above 0"),
        ("RETOUCH_REUSE", "perhaps", "RETOUCH_REUSE: 'perhaps' is neither yes nor no"),
        ("RETOUCH_ATTEMPTS", "0", "RETOUCH_ATTEMPTS: 0 is not a whole number of 1 or more"),
    ]:
        typed = shell.type("check", "p.csv", env={name: value})
        assert (typed.code, says in typed.err) == (2, True), typed.err


def test_a_reader_that_goes_away_is_no_fault(shell, tmp_path):
    with subprocess.Popen(
        [RETOUCH, "models", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=shell.environment,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_an_internal_error_is_a_sentence_and_a_traceback_only_with_debug(shell):
    program = (
        "import sys, jobs.commands.models, jobs.cli.app\n"
        f"def broken(**_): raise ZeroDivisionError('with {KEY} inside')\n"
        "jobs.commands.models.show = broken\n"
        "sys.exit(jobs.cli.app.command_line(sys.argv[1:]))"
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            env=shell.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    plain, debug = run("models"), run("models", "--debug")

    assert plain.returncode == debug.returncode == 70
    assert "internal error: ZeroDivisionError" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert KEY not in plain.stderr + debug.stderr


def test_run_starts_without_what_it_does_not_need():
    loaded = modules_after("import jobs.cli.app, jobs.commands.run")

    assert (
        not {"redis", "celery", "pydantic", "pyarrow", "typer", "dotenv", "rich", "pygments", "obstore"}
        & loaded
    )


def test_help_imports_neither_transport_nor_storage():
    loaded = modules_after("import jobs.cli.app; jobs.cli.app.command_line(['run', '--help'])")

    assert not {"httpx", "aiohttp", "PIL", "obstore", "redis", "celery", "rich"} & loaded


def modules_after(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_standard_output_that_cannot_be_written_is_a_sentence(shell):
    (shell.folder / "shop.csv").write_text("prompt\na banner\n")
    for words in ("check shop.csv", "check shop.csv --json", "models", "status --json"):
        done = subprocess.run(
            ["sh", "-c", f'"{RETOUCH}" {words} > /dev/full'],
            cwd=shell.folder,
            env=shell.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, words
        assert done.stderr == (
            "retouch: standard output cannot be written (No space left on device): the rest of it is lost\n"
        )


def test_a_working_folder_that_is_gone_is_a_sentence(shell):
    done = subprocess.run(
        ["sh", "-c", f'mkdir gone && cd gone && rmdir ../gone && "{RETOUCH}" status'],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "retouch: the working folder does not exist any more: change to another one\n"


def test_a_name_that_is_not_utf_8_is_refused(shell):
    done = subprocess.run(
        [bytes(RETOUCH), b"check", b"sh\xf6p.csv"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"is not UTF-8: rename the file" in done.stderr


def test_results_are_printed_in_one_form(shell):
    typed = shell.type("results", "job", "--json", "--csv")

    assert (typed.code, typed.err) == (2, "retouch: --json and --csv: choose one of them\n")


def test_ctrl_c_while_the_program_starts_shows_no_traceback(shell):
    starting = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "jobs", "status"],
        cwd=shell.folder,
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with starting:
        assert starting.stderr is not None
        assert any("click" in line for line in starting.stderr)
        starting.send_signal(signal.SIGINT)
        out, err = starting.communicate(timeout=60)

    assert (starting.returncode, out) == (130, "")
    assert "Traceback" not in err
