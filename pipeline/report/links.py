"""Addresses: what a page may load and what it may link to.

A manifest may name anything as a picture, including ``javascript:`` and other people's servers. A report only loads
files next to it; a remote picture is a link that users may follow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from pipeline.record import InputPicture
from pipeline.report.markup import Url
from pipeline.urls.addresses import shown as without_secrets

#: From the name of an input in a record to its address; ``None`` if it cannot be shown.
InputLinks = Callable[[str], str | None]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_FILE = re.compile(r"file:///[^\s\\<>\"'?#]+\Z")
_DATA = re.compile(r"data:image/(?:png|jpeg|webp|gif|avif);base64,[A-Za-z0-9+/]+={0,2}\Z")
_RELATIVE = re.compile(r"(?!//)[^\s\\<>\"'?#\x00-\x1f]+\Z")
#: Formats that browsers do not display: a broken picture would look like our fault.
_NOT_DRAWN = re.compile(r"(?i)\.(?:tiff?|heic|heif|psd|dng|cr2|nef|tga|pcx|sgi|qoi|jp2|p[bgpn]m)\Z")


class Shown(NamedTuple):
    """How an input is shown: *src* is displayed, *href* is the target of a link, *label* is its name."""

    label: str
    src: Url | None
    href: Url | None


def output(path: str, up: str) -> Url:
    """The address of a picture of the job folder; *up* leads from the page to the folder.

    File names contain ``%XX`` literally for special characters of an id, so ``%`` itself must be encoded.
    """
    return Url(up + quote(path.lstrip("/"), safe="/", errors="replace"))


def is_drawn(path: str) -> bool:
    """Whether browsers draw the picture *path*."""
    return not _NOT_DRAWN.search(path)


def page(path: str) -> Url:
    """The address of a page or an anchor of this report; *path* is ours, never a manifest's."""
    return Url(path)


def shown(picture: InputPicture, inputs: InputLinks, up: str) -> Shown:
    """How *picture* is shown: as a picture if it is local and can be displayed, as a link if remote, or by name."""
    remote = _remote(picture.path)
    if remote:
        return Shown(_remote_label(remote), None, remote)
    if picture.path.startswith("data:"):
        return Shown("inline data", None, None)
    address = checked(inputs(picture.path), up)
    drawn = address if address and is_drawn(picture.path) else None
    label = without_secrets(picture.path) if "://" in picture.path else picture.path
    return Shown(label, drawn, address)


def checked(reference: str | None, up: str) -> Url | None:
    """*reference* if it is ``file:``, a picture as ``data:``, or relative; *up* makes it relative to the page."""
    if not reference:
        return None
    if _FILE.match(reference) or _DATA.match(reference):
        return Url(reference)
    if _SCHEME.match(reference) or not _RELATIVE.match(reference):
        return None
    return Url(reference if reference.startswith("/") else up + reference)


def local_inputs(root: Path, folder: Path, *, outside: bool = False) -> InputLinks:
    """Find inputs on this machine, for :func:`pipeline.report.write_html`.

    The address is relative if *root* and *folder* have a parent in common, so that both can be moved or shared
    together; otherwise it is a ``file:`` address.

    Args:
        root: what the manifest's paths are relative to.
        folder: the job folder.
        outside: also show pictures outside *root* (``--allow-outside``).
    """
    base, home = root.resolve(), folder.resolve()

    def find(path: str) -> str | None:
        try:
            target = (base / path.replace("\\", "/")).resolve()
            seen = target.is_file() and (outside or target.is_relative_to(base))
        except (OSError, ValueError, RuntimeError):  # a name too long, a NUL, a loop of links
            return None
        if not seen:
            return None
        if Path(os.path.commonpath([home, target])) == Path(target.anchor):
            return target.as_uri()
        return quote(os.fsencode(os.path.relpath(target, home)), safe="/")

    return find


def _remote(path: str) -> Url | None:
    if not path.lower().startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(path)
    except ValueError:
        return None
    return Url(path) if parts.hostname and not re.search(r"[\s\\<>\"]", path) else None


def _remote_label(address: Url) -> str:
    """Host and path, without a misleading ``user@`` and without the signature in the query."""
    parts = urlsplit(address)
    return f"{parts.hostname}{parts.path}"
