"""The API's description of a model. Asking for it tests key, network and model, and costs nothing."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import msgspec

from pipeline.gemini.answer import Failure
from pipeline.gemini.client import Client
from pipeline.gemini.judgement import Judgement
from pipeline.gemini.verdict import judge


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A model as the API describes it.

    Attributes:
        refused: why there is no description, judged like the answer to a call.
        methods: what the model can do, such as ``generateContent``.
        date: the server's clock in seconds since the epoch, to the second; ``None`` if it did not say.
    """

    refused: Judgement | None = None
    methods: tuple[str, ...] = ()
    date: float | None = None


class _Model(msgspec.Struct):
    methods: tuple[str, ...] = msgspec.field(name="supportedGenerationMethods", default=())


async def describe(client: Client, model: str, seconds: float) -> Description:
    """Ask the API to describe *model* within *seconds* (gemini-api.md 0.1: ``GET models/{id}``)."""
    response = await client.get(f"/v1beta/models/{model}", timeout=seconds)
    if isinstance(response, Failure):
        return Description(refused=judge(response))
    date = _date(response.headers.get("date"))
    judged = judge(client.answer(response))
    if not response.is_success:
        return Description(refused=judged, date=date)
    try:
        described = msgspec.json.decode(response.content, type=_Model)
    except (msgspec.DecodeError, UnicodeDecodeError):
        detail = "what answers is not the API: its description of the model is not the expected JSON"
        return Description(refused=msgspec.structs.replace(judged, detail=detail), date=date)
    return Description(methods=described.methods, date=date)


def _date(header: str | None) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except ValueError:
        return None
