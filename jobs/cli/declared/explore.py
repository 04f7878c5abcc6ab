"""The tools: ``models``, ``doctor``, ``emulator``."""

from __future__ import annotations

import click

from jobs.cli.command import Command, json_option, option
from jobs.cli.option_types import Number, Rule, Text, YesNo
from jobs.cli.options import place_params


def models() -> Command:
    """``retouch models``."""
    return Command(
        "models",
        "jobs.commands.models:show",
        [json_option("the catalogue")],
        text="List the image models with their state, sizes, aspect ratios and prices, and the date of these facts.",
        examples=("retouch models", "retouch models --json | jq -r '.models[].id'"),
    )


def doctor() -> Command:
    """``retouch doctor``."""
    return Command(
        "doctor",
        "jobs.doctor.command:diagnose",
        [*place_params(), json_option("all findings")],
        text="""Check that everything works: key, model and sizes, store, Redis, workers, schedules, clock,
    versions, proxy and certificates. Costs nothing, changes nothing, and says how to fix each problem.

    Exit code: 0 no faults, 1 some.
    """,
        examples=(
            "retouch doctor",
            "retouch doctor --out s3://bucket/spring --image-size 4K",
            "retouch doctor --json | jq -r '.findings[] | select(.grade != \"ok\") | .mend'",
        ),
    )


def emulator() -> Command:
    """``retouch emulator``."""
    return Command(
        "emulator",
        "jobs.commands.emulator:serve",
        _emulator_params(),
        text="""Start a local stand-in for the API. It draws over the pictures it receives, simulates faults,
    and lists every call at /ledger. It prints its URL first; set GOOGLE_GEMINI_BASE_URL to it.
    """,
        examples=(
            "retouch emulator --latency lognormal:12:0.5 --fault 'text_only every=10'",
            "GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080 GEMINI_API_KEY=any retouch run shop.csv",
        ),
    )


def _emulator_params() -> list[click.Parameter]:
    def own(name: str, **settings: object) -> click.Option:
        variable = "RETOUCH_EMULATOR_" + name.removeprefix("--").upper().replace("-", "_")
        return option(name, env=variable, **settings)

    return [
        own("--host", default="127.0.0.1", help="Address to listen on."),
        own("--port", type=Number(int, least=0), default=8080, help="Port to listen on; 0 picks a free one."),
        own(
            "--latency",
            default="0",
            help="Time of each call in seconds: 2.5, uniform:1:3 or lognormal:12:0.5.",
        ),
        own(
            "--rules",
            type=click.Path(dir_okay=False),
            help="File with the faults to simulate, in TOML or JSON.",
        ),
        own(
            "--fault",
            type=Rule(),
            multiple=True,
            help="One fault to simulate, such as 'text_only every=3'; repeatable.",
        ),
        own("--rpm", type=Number(int, least=1), help="Calls allowed per minute; more get a 429."),
        own("--key", type=Text(), help="The only API key to accept; by default any."),
        own("--format", type=click.Choice(("png", "jpeg")), default="png", help="Format of the pictures."),
        own(
            "--shrink",
            type=Number(int, least=1),
            default=1,
            help="Divide width and height of the pictures by this.",
        ),
        own("--seed", type=Number(int), default=0, help="Seed of random latencies and faults."),
        own(
            "--ledger", type=click.Path(dir_okay=False), help="Write every call to this file, as JSON lines."
        ),
        own(
            "--canned",
            is_flag=True,
            type=YesNo(),
            help="Send the same prebuilt answer to every call, for benchmarks.",
        ),
        own("--certificate", type=click.Path(dir_okay=False), help="PEM file, to serve https."),
        own("--private-key", type=click.Path(dir_okay=False), help="PEM file, to serve https."),
    ]
