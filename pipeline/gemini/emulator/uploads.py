"""The Files API over HTTP: resumable uploads, and requests about files (gemini-api.md 6)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass

from aiohttp import web

from pipeline.gemini.emulator.answers.reply import Reply
from pipeline.gemini.emulator.calls import check_key, key_of
from pipeline.gemini.emulator.conditions import Facts
from pipeline.gemini.emulator.delivery import deliver
from pipeline.gemini.emulator.filestore import FileStore, StoredFile, new_id
from pipeline.gemini.emulator.google_errors import invalid
from pipeline.gemini.emulator.ledger import Call, Ledger, Upload
from pipeline.gemini.emulator.options import Options
from pipeline.gemini.emulator.paging import page_of
from pipeline.gemini.emulator.rules import PLAIN, Rule, RuleBook

_STATUS = "X-Goog-Upload-Status"


@dataclass(kw_only=True)
class _Session:
    """An upload that has begun."""

    key: str
    size: int
    mime_type: str
    display_name: str
    entry: Upload
    data: bytearray


class Uploads:
    """The routes of the Files API."""

    def __init__(self, options: Options, ledger: Ledger, rules: RuleBook, store: FileStore) -> None:
        self._options = options
        self._ledger = ledger
        self._rules = rules
        self._store = store
        self._sessions: dict[str, _Session] = {}
        self._asked: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        files = "/{version:v1|v1beta}/files"
        return [
            web.post("/upload" + files, self._upload),
            web.get(files, self._list),
            web.get(files + "/{file}", self._get),
            web.delete(files + "/{file}", self._delete),
        ]

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        session = self._sessions.get(request.query.get("upload_id", ""))
        if "upload_id" not in request.query:
            return await self._start(request)
        if session is None:
            raise invalid("Upload has already been terminated.")
        return await self._go_on(request, session)

    async def _start(self, request: web.Request) -> web.StreamResponse:
        check_key(request, self._options.key)
        asked = await request.json() if request.can_read_body else {}
        told = asked.get("file") or {}
        entry = self._ledger.upload(str(told.get("displayName") or told.get("display_name") or ""))
        rule = self._rule("start")
        entry.mime_type = request.headers.get("X-Goog-Upload-Header-Content-Type", "")
        if rule is not PLAIN:
            return await _as_ordered(request, rule, entry)
        if request.headers.get("X-Goog-Upload-Command") != "start":
            raise invalid("Invalid X-Goog-Upload-Command: expected start.")
        size = int(request.headers.get("X-Goog-Upload-Header-Content-Length", 0))
        self._store.room_for(size, key_of(request))
        upload_id = new_id() * 3
        self._sessions[upload_id] = _Session(
            key=key_of(request),
            size=size,
            mime_type=entry.mime_type,
            display_name=entry.display_name,
            entry=entry,
            data=bytearray(),
        )
        where = request.url.with_query(upload_id=upload_id, upload_protocol="resumable")
        return web.json_response({}, headers={_STATUS: "active", "X-Goog-Upload-URL": str(where)})

    async def _go_on(self, request: web.Request, session: _Session) -> web.StreamResponse:
        commands = {word.strip() for word in request.headers.get("X-Goog-Upload-Command", "").split(",")}
        if commands == {"query"}:
            return await self._query(request, session)
        if request.headers.get("X-Goog-Upload-Offset") != str(len(session.data)):
            raise invalid(f"The upload has {len(session.data)} bytes; the offset must say so.")
        async for piece in request.content.iter_any():
            session.data += piece
        session.entry.bytes = len(session.data)
        rule = self._rule("upload")
        if rule is not PLAIN:
            return await _as_ordered(request, rule, session.entry)
        if "finalize" not in commands:
            return web.json_response({}, headers={_STATUS: "active"})
        if len(session.data) != session.size:
            raise invalid(f"{session.size} bytes were announced, and {len(session.data)} came.")
        rule = self._rule("finish")
        if rule is not PLAIN and rule.answer != "file":
            return await _as_ordered(request, rule, session.entry)
        file = self._finished(request, session, rule)
        return web.json_response({"file": file.document()}, headers={_STATUS: "final"})

    async def _query(self, request: web.Request, session: _Session) -> web.StreamResponse:
        rule = self._rule("query")
        if rule is not PLAIN:
            return await _as_ordered(request, rule, session.entry)
        return web.json_response(
            {}, headers={"X-Goog-Upload-Size-Received": str(len(session.data)), _STATUS: "active"}
        )

    def _finished(self, request: web.Request, session: _Session, rule: Rule) -> StoredFile:
        """The file from a completed *session*, as modified by a rule."""
        self._sessions = {name: other for name, other in self._sessions.items() if other is not session}
        fate = rule.reply(None).document if rule.answer == "file" else {}
        file_id = new_id()
        path = f"/{request.match_info['version']}/files/{file_id}"
        file = StoredFile(
            id=file_id,
            key=session.key,
            mime_type=session.mime_type,
            display_name=session.display_name,
            url=str(request.url.with_path(path).with_query(None)),
            entry=session.entry,
            data=bytes(session.data),
            **fate,
        )
        self._store.add(file)
        entry = session.entry
        entry.name, entry.uploaded = f"files/{file_id}", True
        entry.sha256 = hashlib.sha256(file.data).hexdigest()
        return file

    async def _list(self, request: web.Request) -> web.StreamResponse:
        check_key(request, self._options.key)
        return page_of(request, "files", self._store.of(key_of(request)), 10)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        file = self._found(request)
        rule = self._rule("get")
        if rule is not PLAIN:
            return await _as_ordered(request, rule, file.entry)
        file.polls = max(0, file.polls - 1)
        return web.json_response(file.document())

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        file = self._found(request)
        rule = self._rule("delete")
        if rule is not PLAIN:
            return await _as_ordered(request, rule, file.entry)
        self._store.delete(file)
        return web.json_response({})

    def _found(self, request: web.Request) -> StoredFile:
        check_key(request, self._options.key)
        return self._store.find(request.match_info["file"], key_of(request))

    def _rule(self, on: str) -> Rule:
        self._asked[on] += 1
        return self._rules.choose(Facts(n=self._asked[on], on=on))


async def _as_ordered(request: web.Request, rule: Rule, entry: Upload) -> web.StreamResponse:
    """The answer that *rule* orders."""
    entry.rules.append(rule.label)
    reply: Reply = rule.reply(None)
    body = reply.raw if reply.raw is not None else json.dumps(reply.document, indent=2).encode()
    return await deliver(request, Call(n=0, at="", model="", in_flight=0), reply, body)
