"""The API: is there a key, is it accepted, does the model exist and make pictures? Costs nothing."""

from __future__ import annotations

import os
import time

import msgspec

from jobs.doctor.finding import Finding, fault, ok, warning
from jobs.environment import KEYS
from pipeline.attempt import Verdict
from pipeline.errors import KeyMissing, UsageError
from pipeline.gemini.access import access
from pipeline.gemini.client import Client
from pipeline.gemini.description import Description, describe
from pipeline.models import catalogue, fault_of_id
from pipeline.urls.addresses import shown

#: The method that a model must offer.
_METHOD = "generateContent"
_MENDS = {
    Verdict.DENIED: "make a key at https://aistudio.google.com/apikey and set GEMINI_API_KEY; also check the "
    "project's billing and region",
    Verdict.NOT_FOUND: "choose a model that `retouch models` lists, with --model or RETOUCH_MODEL",
    Verdict.NETWORK: "check the network, HTTPS_PROXY and NO_PROXY, SSL_CERT_FILE (if a proxy inspects TLS), and "
    "GOOGLE_GEMINI_BASE_URL",
    Verdict.THROTTLED: "wait a minute, and set --rpm below the project's limit",
    Verdict.QUOTA_EXHAUSTED: "wait until midnight Pacific time, or ask for a higher quota",
    Verdict.OVERLOADED: "wait and try again; running jobs wait by themselves",
}


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about the API.

    Attributes:
        keys: the variables that hold a key.
        alike: whether they hold the same key.
        unusable: why the API was not asked: no key, or a key, proxy or URL that is not valid.
        missing: whether that is because there is no key.
        where: the API's root, without a password.
        skew: seconds by which the server's clock is ahead of ours.
    """

    model: str
    keys: tuple[str, ...] = ()
    alike: bool = True
    unusable: str | None = None
    missing: bool = False
    where: str = ""
    described: Description | None = None
    seconds: float = 0.0
    skew: float | None = None


async def read(model: str, seconds: float) -> Api:
    """Ask the API about *model*, which costs nothing; give up after *seconds*."""
    found = {name: os.environ[name].strip() for name in KEYS if os.environ.get(name, "").strip()}
    known = Api(model=model, keys=tuple(found), alike=len(set(found.values())) < 2)
    try:
        keys = access()
        known = msgspec.structs.replace(known, where=shown(keys.base_url))
        if fault_of_id(model):
            return msgspec.structs.replace(known, unusable=fault_of_id(model))
        async with Client(key=keys.key, base_url=keys.base_url, max_in_flight=1) as client:
            began, clock = time.time(), time.monotonic()
            described = await describe(client, model.removeprefix("models/"), seconds)
            took = time.monotonic() - clock
    except (KeyMissing, UsageError) as error:
        return msgspec.structs.replace(known, unusable=str(error), missing=isinstance(error, KeyMissing))
    # The header has whole seconds, rounded down.
    skew = None if described.date is None else described.date + 0.5 - (began + took / 2)
    return msgspec.structs.replace(known, described=described, seconds=took, skew=skew)


def judge(api: Api) -> list[Finding]:
    """What *api* means for jobs."""
    if api.unusable or api.described is None:
        check, text = ("key", "no API key") if api.missing else ("api", api.unusable or "it was not asked")
        mend = (
            "make a key at https://aistudio.google.com/apikey and set GEMINI_API_KEY; `retouch emulator` needs none"
            if api.missing
            else "fix this, then run `retouch doctor` again"
        )
        return [fault(check, text, mend)]
    refused = api.described.refused
    if refused is None:
        return [_key(api), _model(api)]
    said = f": {refused.detail}" if refused.detail else ""
    if refused.verdict is Verdict.NOT_FOUND:
        return [_key(api), fault("model", f"{api.model} does not exist{said}", _MENDS[Verdict.NOT_FOUND])]
    status = f" (HTTP {refused.http_status})" if refused.http_status else ""
    if refused.verdict is Verdict.DENIED:
        text = f"{api.where} refuses the key in {_named(api)}{status}{said}"
        return [fault("key", text, _MENDS[Verdict.DENIED])]
    mend = _MENDS.get(refused.verdict, _MENDS[Verdict.NETWORK])
    passing = refused.verdict in (Verdict.THROTTLED, Verdict.QUOTA_EXHAUSTED, Verdict.OVERLOADED)
    text = f"{api.where} does not answer like the API{status}{said}"
    return [warning("api", text, mend) if passing else fault("api", text, mend)]


def _key(api: Api) -> Finding:
    text = f"{api.where} accepts the key in {_named(api)} ({api.seconds * 1000:.0f} ms)"
    if len(api.keys) > 1 and not api.alike:
        return warning("key", f"{text}; GEMINI_API_KEY contains another one", "unset the one you do not mean")
    return ok("key", text)


def _named(api: Api) -> str:
    return "GOOGLE_API_KEY" if "GOOGLE_API_KEY" in api.keys else "GEMINI_API_KEY"


def _model(api: Api) -> Finding:
    methods = api.described.methods if api.described else ()
    if methods and _METHOD not in methods:
        text = f"{api.model} exists, but does not offer {_METHOD}, only {', '.join(methods)}"
        return fault("model", text, _MENDS[Verdict.NOT_FOUND])
    known = catalogue().find(api.model)
    if known is None:
        return warning(
            "model",
            f"{api.model} exists; whether it makes pictures and what they cost is not known",
            "try it with `retouch run --limit 1`, or choose one that `retouch models` lists",
        )
    if known.warning:
        return warning("model", known.warning, _MENDS[Verdict.NOT_FOUND])
    return ok("model", f"{known.id} exists and makes pictures")
