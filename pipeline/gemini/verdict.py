"""From an answer to its verdict. The table in ``verdicts.md`` is generated from here; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from pipeline.attempt import Verdict
from pipeline.gemini.answer import Answer, Blob, Failure, FailureKind
from pipeline.gemini.judgement import Judgement, Scope
from pipeline.gemini.reasons import (
    ACCOUNT_LIMITED,
    REFUSED,
    REFUSED_BY_CHANCE,
    TRUNCATED,
    UNSPECIFIED_BLOCK,
)
from pipeline.gemini.redact import redacted
from pipeline.gemini.status import judge_status
from pipeline.gemini.usage import tokens
from pipeline.gemini.wire import Part, Reply

#: Stands in for a picture that the answer names but the scanner did not keep.
_LOST = Blob(b"", sound=False)
_A_FILE = re.compile(r"\bfiles?\b", re.IGNORECASE)


def judge(reply: Answer | Failure, *, text_wanted: bool = False) -> Judgement:
    """Judge *reply*.

    Args:
        reply: what a call returned.
        text_wanted: text was requested, not a picture.
    """
    if isinstance(reply, Failure):
        return _failure(reply)
    if 200 <= reply.status < 300:
        return _content(reply, text_wanted=text_wanted)
    return judge_status(reply)


def bad_picture(judgement: Judgement, reason: str) -> Judgement:
    """*judgement*, now that the picture has failed verification for *reason*."""
    return _without_picture(judgement, Verdict.BAD_IMAGE, reason)


def unchanged_picture(judgement: Judgement, reason: str) -> Judgement:
    """*judgement*, now that the picture has turned out to be the unchanged input."""
    return _without_picture(judgement, Verdict.UNCHANGED, reason)


def file_gone(judgement: Judgement, names: Iterable[str]) -> Judgement:
    """*judgement*, or if it is about a file that the API no longer has, that instead of a fault of key or model.

    A file that is deleted, expired or another project's is a 403 or a 404, one that is not ready a 400 (gemini-api.md
    6).

    Args:
        judgement: of the answer.
        names: the names or addresses of the request's files; empty if it named none.
    """
    ids = {name.rpartition("/")[2] for name in names}
    said = judgement.detail or ""
    refused = judgement.verdict in (Verdict.DENIED, Verdict.NOT_FOUND) and judgement.http_status in (
        400,
        403,
        404,
    )
    if not ids or not refused or not (_A_FILE.search(said) or any(one in said for one in ids)):
        return judgement
    return msgspec.structs.replace(judgement, verdict=Verdict.FILE_GONE, scope=Scope.ROW, counted=False)


def _without_picture(judgement: Judgement, verdict: Verdict, reason: str) -> Judgement:
    return msgspec.structs.replace(
        judgement, verdict=verdict, scope=Scope.ROW, counted=True, picture=None, detail=redacted(reason)
    )


def _failure(failure: Failure) -> Judgement:
    """A request that was not sent completely cannot have been paid for; one that was may have been."""
    if failure.kind is FailureKind.UNTRUSTED:
        detail = redacted(failure.detail)
        return Judgement(verdict=Verdict.NETWORK, scope=Scope.ACCOUNT, counted=False, detail=detail)
    late = failure.sent and failure.kind is FailureKind.TIMEOUT
    return Judgement(
        verdict=Verdict.TIMEOUT if late else Verdict.NETWORK,
        scope=Scope.ROW if late else Scope.NONE,
        counted=failure.sent,
        unknown=failure.sent,
        too_short=failure.kind is FailureKind.TOO_SHORT,
        http_status=failure.status,
        detail=redacted(failure.detail) or None,
    )


def _content(answer: Answer, *, text_wanted: bool) -> Judgement:
    reply = answer.reply or Reply()
    parts = [part for candidate in reply.candidates if candidate.content for part in candidate.content.parts]
    pictures = [part for part in parts if part.inline_data and part.inline_data.data is not None]
    blob = _chosen(pictures, answer) if pictures else None
    text = "".join(part.text for part in parts if part.text and not part.thought)
    base = Judgement(
        verdict=Verdict.NO_IMAGE,
        scope=Scope.ROW,
        finish_reason=_finish(reply),
        http_status=answer.status,
        detail=_said(answer, reply),
        images=len(pictures),
        text=text if text.strip() else None,
        tokens=tokens(reply.usage_metadata, picture=bool(pictures)),
        model_version=reply.model_version,
    )
    return _refusal(base, reply) or _outcome(base, answer, blob, text_wanted=text_wanted)


def _refusal(base: Judgement, reply: Reply) -> Judgement | None:
    """A refusal outweighs whatever else the answer holds."""
    finish = _first_finish(reply)
    block = reply.prompt_feedback.block_reason if reply.prompt_feedback else None
    if {finish, block} & ACCOUNT_LIMITED:
        return msgspec.structs.replace(base, verdict=Verdict.DENIED, scope=Scope.ACCOUNT, counted=False)
    if finish in REFUSED or (block and not (block in UNSPECIFIED_BLOCK and base.images)):
        return msgspec.structs.replace(base, verdict=Verdict.BLOCKED, final=True)
    if finish in REFUSED_BY_CHANCE:
        return msgspec.structs.replace(base, verdict=Verdict.BLOCKED)
    return None


def _outcome(base: Judgement, answer: Answer, blob: Blob | None, *, text_wanted: bool) -> Judgement:
    """The verdict of an answer that was not refused: the rows of the table from top to bottom."""
    if blob is not None and blob.sound:
        return msgspec.structs.replace(base, verdict=Verdict.IMAGE, scope=Scope.NONE, picture=blob.data)
    if answer.unfinished and answer.reply is None and not answer.html:
        said = "the answer ended in the middle"
        return msgspec.structs.replace(
            base, verdict=Verdict.NETWORK, scope=Scope.NONE, unknown=True, detail=said
        )
    if blob is not None:
        return msgspec.structs.replace(
            base, verdict=Verdict.BAD_IMAGE, detail="the picture's data is not base64"
        )
    if base.finish_reason in TRUNCATED:
        return msgspec.structs.replace(base, verdict=Verdict.TRUNCATED)
    if base.text is not None:
        verdict, scope = (Verdict.TEXT, Scope.NONE) if text_wanted else (Verdict.TEXT_ONLY, Scope.ROW)
        return msgspec.structs.replace(base, verdict=verdict, scope=scope)
    return base


def _chosen(pictures: list[Part], answer: Answer) -> Blob:
    """The last picture that is not a thought, or else the last one (gemini-api.md 0.5)."""
    last = next((part for part in reversed(pictures) if not part.thought), pictures[-1])
    index = (last.inline_data.data or "") if last.inline_data else ""
    kept = answer.blobs.get(int(index[1:])) if index[:1] == "@" and index[1:].isdecimal() else None
    return kept or next(reversed(list(answer.blobs.values())), _LOST)


def _first_finish(reply: Reply) -> str | None:
    return reply.candidates[0].finish_reason if reply.candidates else None


def _finish(reply: Reply) -> str | None:
    block = reply.prompt_feedback.block_reason if reply.prompt_feedback else None
    word = _first_finish(reply) or block
    return redacted(word)[:60] if word else None


def _said(answer: Answer, reply: Reply) -> str | None:
    feedback = reply.prompt_feedback
    said = next((c.finish_message for c in reply.candidates if c.finish_message), None)
    said = said or (feedback.block_reason_message if feedback else None)
    said = said or (reply.error.message if reply.error else None)
    if not said and answer.reply is None:
        said = "a page of HTML instead of JSON" if answer.html else "not a JSON object"
    if answer.too_big:
        said = "the answer is larger than any picture could make it"
    return redacted(said) if said else None
