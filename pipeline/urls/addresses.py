"""Checks of URLs without resolving them, and which addresses belong to the public internet. Pure."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable

import httpx

from pipeline.errors import InvalidInput

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Global according to some versions of ``ipaddress``: protocol assignments (a cloud's metadata service is at
#: 192.0.0.192) and the relays of 6to4.
_SPECIAL = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24"))

#: Replaces a value that may give access.
HIDDEN = "[hidden]"

#: User and password before a host, even in a malformed URL. ``C:/`` is not a scheme, and in ``abfss://`` Azure puts a
#: container before the @.
_USER = re.compile(r"((?<![A-Za-z0-9+.-])(?!abfss?:)[A-Za-z][A-Za-z0-9+.-]+:/+|\A//(?=[^/?#@]*:))[^/?#]*@")
_SECRET_NAME = re.compile(
    r"(?i)sig|token|key|secret|pass|pwd|auth|cred|polic|hash|hmac|session|security|jwt|code|access"
)
#: Names of parameters that say which picture is meant.
_PICTURE_NAME = re.compile(
    r"(?i)(?:\A|[_-])(?:id|sku|file|filename|name|path|image|img|photo|picture|asset|product)\Z"
)
#: Words and numbers; a long mixture of letters and digits may be a token, whatever its name.
_PLAIN_VALUE = re.compile(r"[A-Za-z,._ -]{0,20}|[0-9.,:x_-]{0,14}|[A-Za-z0-9]{0,7}")
_LONGEST_NAME = 100

#: Decides whether an address may be connected to.
Judge = Callable[[str], bool]


def check_url(url: str | httpx.URL, *, allow_private: bool = False) -> httpx.URL:
    """*url*, parsed; nothing is resolved or fetched.

    Raises:
        InvalidInput: ``bad_url``, ``unsupported`` or, if that is clear without resolving, ``private_address``.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        # A malformed URL may contain a password anywhere before its last @.
        raise InvalidInput(
            "bad_url", f"{shown(str(url).rpartition('@')[2])!r} is not a URL: correct it"
        ) from error
    if parsed.scheme not in ("http", "https"):
        what = f"{shown(url)} is not an http:// or https:// URL"
        raise InvalidInput("unsupported", f"{what}: use such a URL, or a path")
    if not parsed.host:
        raise InvalidInput("bad_url", f"{shown(url)} has no host: correct it")
    if not allow_private and _plainly_private(parsed.host):
        raise private(parsed.host)
    return parsed


def shown(url: str | httpx.URL) -> str:
    """*url* for messages: shortened, without credentials, and without query and fragment, which may be signatures."""
    address = str(url).partition("?")[0].partition("#")[0]
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"[:200]


def traceable(name: str) -> str:
    """A picture's *name* for records: it identifies the picture and gives nobody access; a path stays as it is.

    A URL loses user, password and fragment, and the values in its query that may be a signature or a token, by the
    name of the parameter or because they are too long or too mixed to be a plain word or number.
    """
    if name[:5].lower() == "data:":
        return f"{name.partition(',')[0][:_LONGEST_NAME]},…"
    bare = without_user(name)
    if "://" not in bare:
        return bare
    address, asked, query = bare.partition("#")[0].partition("?")
    return address + asked + "&".join(map(_without_secret, query.split("&"))) if asked else address


def without_user(name: str) -> str:
    """*name* without the user and password of a URL, even of a malformed one."""
    bare = _USER.sub(r"\1", name)
    if "://" in bare and "@" in bare and not _parses(bare):
        scheme, separator, rest = bare.partition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"
    return bare


def _parses(url: str) -> bool:
    try:
        httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        return False
    return True


def _without_secret(parameter: str) -> str:
    name, equals, value = parameter.partition("=")
    if not equals:
        name, value = "", name
    if _PLAIN_VALUE.fullmatch(value) and not _SECRET_NAME.search(name):
        kept = value
    elif _PICTURE_NAME.search(name) and not _SECRET_NAME.search(name) and re.fullmatch(r"[\w.,/%-]+", value):
        kept = value[:_LONGEST_NAME]
    else:
        kept = HIDDEN
    return f"{name[:_LONGEST_NAME]}{equals}{kept}"


def is_public(address: str) -> bool:
    """Whether *address* (IPv4 or IPv6, not a name) belongs to the public internet."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _embedded(ip)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    elif any(ip in network for network in _SPECIAL):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _embedded(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to *ip* are sent to: mapped, 6to4 or NAT64."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour


def private(host: str) -> InvalidInput:
    """The error for a *host* that is not public."""
    mend = "use a public URL, or pass --allow-private-urls"
    return InvalidInput("private_address", f"{host[:200]} is not an address on the public internet: {mend}")


def _plainly_private(host: str) -> bool:
    """Whether the *host* of a URL is clearly private; a name is not, whatever it resolves to."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return not is_public(str(ipaddress.ip_address(host.partition("%")[0])))
    except ValueError:
        pass
    try:
        # 127.1, 0177.0.0.1, 0x7f000001 and 2130706433 all mean this machine; no public address is written so.
        socket.inet_aton(host.rstrip("."))
    except (OSError, ValueError):
        return False
    return True
