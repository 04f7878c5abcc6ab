"""The types of option values; each refuses a wrong one in a sentence that says what is expected."""

from __future__ import annotations

import math
from typing import Any

import click
from click.shell_completion import CompletionItem


class Number(click.ParamType[Any]):
    """A finite number within bounds.

    Args:
        kind: ``int`` or ``float``.
        least: the smallest valid value.
        above: values must be greater than this.
        none: accept the word ``none``, which overrides what the environment set.
        nothing: the value of ``none``, where it must differ from that of an option not given.
    """

    def __init__(
        self,
        kind: type[int] | type[float],
        *,
        least: float | None = None,
        above: float | None = None,
        none: bool = False,
        nothing: float | None = None,
    ) -> None:
        self.kind = kind
        self.name = "integer" if kind is int else "number"
        self.least = least
        self.above = above
        self.none = none
        self.nothing = nothing

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and self.none and value.strip().lower() == "none":
            return self.nothing
        try:
            number = self.kind(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not {self._meant()}", param, ctx)
        if not math.isfinite(number) or not self._within(number):
            self.fail(f"{value} is not {self._meant()}", param, ctx)
        return number

    def _within(self, number: float) -> bool:
        return (self.least is None or number >= self.least) and (self.above is None or number > self.above)

    def _meant(self) -> str:
        what = "a whole number" if self.kind is int else "a number"
        if self.least is not None:
            what += f" of {self.least} or more"
        if self.above is not None:
            what += f" above {self.above}"
        return what + (", or none" if self.none else "")


class YesNo(click.types.BoolParamType):
    """A switch, which the environment may set to yes or no."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        meant = self.str_to_bool(value)
        if meant is None:
            self.fail(f"{value!r} is neither yes nor no: use 1 or 0", param, ctx)
        return meant


class Text(click.ParamType[str]):
    """Text that is not empty: an empty one is probably a shell variable that was not set.

    Args:
        completed: what the shell completes: ``file`` or ``dir``; ``None``: nothing.
    """

    name = "text"

    def __init__(self, completed: str | None = None) -> None:
        self.completed = completed

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        if self.completed is None:
            return super().shell_complete(ctx, param, incomplete)
        return [CompletionItem(incomplete, type=self.completed)]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            # Python represents undecodable bytes as lone surrogates, which none of our files could hold.
            self.fail(f"{value!r} is not UTF-8: rename the file, or write it in UTF-8", param, ctx)
        if not text.strip():
            self.fail("is empty: give a value, or leave the option out", param, ctx)
        return text


class FailureBound(click.ParamType[Any]):
    """A number of rows, or a share of them: ``20``, ``5%``; ``none`` overrides what the environment set."""

    name = "bound"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pipeline.notify.event import Bound  # noqa: PLC0415 - help has no need of it

        text = str(value).strip()
        if text.lower() == "none":
            return None
        number, share = text.removesuffix("%").strip(), text.endswith("%")
        try:
            bound = Bound(share=float(number) / 100) if share else Bound(rows=int(number))
        except ValueError:
            bound = Bound()
        if (
            not (0 <= bound.share < 1 if bound.share is not None else (bound.rows or 0) >= 0)
            or bound == Bound()
        ):
            self.fail(
                f"{text!r} is neither a number of rows, such as 20, nor a share, such as 5%", param, ctx
            )
        return bound


class Rule(Text):
    """A rule of the emulator; several in its variable are separated by semicolons, since a rule contains spaces."""

    name = "rule"
    envvar_list_splitter = ";"
