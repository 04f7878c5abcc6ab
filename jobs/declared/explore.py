"""The commands to find out with: ``models``, ``doctor``, ``emulator``."""

from __future__ import annotations

import click

from jobs.command import Command, json_option, option
from jobs.option_types import Number, Rule, Text, YesNo
from jobs.options import place_params


def models() -> Command:
    """``retouch models``."""
    return Command(
        "models",
        "jobs.models:show",
        [json_option("the catalogue")],
        text="Show the image models: their state, sizes, aspect ratios and prices, and of which day that is.",
        examples=("retouch models", "retouch models --json | jq -r '.models[].id'"),
    )


def doctor() -> Command:
    """``retouch doctor``."""
    return Command(
        "doctor",
        "jobs.doctor.command:diagnose",
        [*place_params(), json_option("every finding")],
        text="""Look whether everything is in place: key, model and sizes, store, Redis, workers, schedules, clock,
    versions, proxy and certificates. It costs nothing, changes nothing, and says of each fault how to mend it.

    Exit code: 0 nothing is at fault, 1 something is.
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
        "jobs.emulator:serve",
        _emulator_params(),
        text="""Start a local stand-in for the API. It edits pictures visibly, orders faults, and keeps a ledger of
    every call at /ledger. Its URL is printed first; give it to retouch as GOOGLE_GEMINI_BASE_URL.
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
        own("--host", default="127.0.0.1", help="Where to listen."),
        own("--port", type=Number(int, least=0), default=8080, help="0 takes a free one."),
        own("--latency", default="0", help="Seconds: 2.5, uniform:1:3 or lognormal:12:0.5."),
        own("--rules", type=click.Path(dir_okay=False), help="Faults to order, in TOML or JSON."),
        own(
            "--fault",
            type=Rule(),
            multiple=True,
            help="One rule, such as 'text_only every=3'; repeatable.",
        ),
        own("--rpm", type=Number(int, least=1), help="Calls in any minute; more get a 429."),
        own("--key", type=Text(), help="The only key that is let in."),
        own("--format", type=click.Choice(("png", "jpeg")), default="png", help="Of the pictures."),
        own("--shrink", type=Number(int, least=1), default=1, help="Divides the edges of the pictures."),
        own("--seed", type=Number(int), default=0, help="Of latencies and chances."),
        own("--ledger", type=click.Path(dir_okay=False), help="Write every call here, as JSON lines."),
        own(
            "--canned",
            is_flag=True,
            type=YesNo(),
            help="One prebuilt body for every call, for benchmarks.",
        ),
        own("--certificate", type=click.Path(dir_okay=False), help="PEM, for https."),
        own("--private-key", type=click.Path(dir_okay=False), help="PEM, for https."),
    ]
