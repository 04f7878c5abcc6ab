"""HTML that is escaped by construction: the only place where text becomes markup.

:func:`tag` escapes every child and every attribute that is not :class:`Html` already, and accepts addresses only as
:class:`Url`, which only :mod:`pipeline.report.links` makes. So no page can forget to escape, and there is no need for
a template engine, whose safety depends on a setting.
"""

from __future__ import annotations

import re


class Html(str):
    """Markup that is safe to put into a page unchanged."""

    __slots__ = ()


class Url(str):
    """An address that was checked, so that a page may load it or link to it."""

    __slots__ = ()


Child = str | None
Value = str | int | bool | None

_VOID = frozenset({"img", "meta"})
_ADDRESSES = frozenset({"href", "src"})
_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
#: Markup; controls; bidi controls, which change how a text reads; lone surrogates (not UTF-8).
_UNSAFE = re.compile(r"[&<>\"'\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escape(text: str) -> Html:
    """*text* as markup that shows exactly these characters, even between quotes.

    Controls and bidi overrides are shown as code points instead of taking effect.
    """
    if isinstance(text, Html):
        return text
    return Html(_UNSAFE.sub(_shown, text))


def tag(name: str, /, *children: Child, **attributes: Value) -> Html:
    """An element. ``None`` and ``False`` leave a child or an attribute out; ``class_`` is ``class``.

    Raises:
        TypeError: an address is not a :class:`Url`, or an attribute would hold a script or a style.
    """
    head = f"<{name}{_attributes(attributes)}>" if attributes else f"<{name}>"
    if name in _VOID:
        return Html(head)
    return Html(f"{head}{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """*children* one after the other, each escaped unless it is markup."""
    return Html("".join([child if type(child) is Html else escape(child) for child in children if child]))


def _attributes(attributes: dict[str, Value]) -> str:
    parts = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        if name in _ADDRESSES and not isinstance(value, Url):
            raise TypeError(f"{name} takes a Url, not {type(value).__name__}")
        if name == "style" or name.startswith("on"):
            raise TypeError(f"attribute {name} is never written")
        parts.append(f" {name}" if value is True else f' {name}="{escape(str(value))}"')
    return "".join(parts)


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    return _SPECIAL.get(character) or f"⟨U+{ord(character):04X}⟩"
