"""Handles one ``generateContent`` call in the emulator, from its headers to its last byte."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import math
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

from aiohttp import web

from pipeline.gemini.emulator.answers.counting import token_count
from pipeline.gemini.emulator.answers.errors import from_error
from pipeline.gemini.emulator.answers.reply import Order, Reply
from pipeline.gemini.emulator.catalogue import find_model
from pipeline.gemini.emulator.conditions import Facts
from pipeline.gemini.emulator.delivery import deliver, read_body, reset
from pipeline.gemini.emulator.filestore import FileStore
from pipeline.gemini.emulator.google_errors import PER_MINUTE, WireError, error_info, invalid, quota_passed
from pipeline.gemini.emulator.ledger import Call, Ledger
from pipeline.gemini.emulator.limit import RequestsPerMinute
from pipeline.gemini.emulator.options import Options
from pipeline.gemini.emulator.request import EditRequest, understand
from pipeline.gemini.emulator.rules import Rule, RuleBook
from pipeline.gemini.emulator.schema import COUNT_REQUEST, parse_body
from pipeline.gemini.emulator.streaming import Framing, framed, framing_of

MIN_DEADLINE_S = 10.0

T = TypeVar("T")


class Answer(NamedTuple):
    """What a call gets, once ``held`` is done: it is not before."""

    reply: Reply
    body: bytes
    held: Future[None] | None


class Calls:
    """Answers calls by the rules, and enters them in the ledger."""

    def __init__(self, options: Options, ledger: Ledger, rules: RuleBook, store: FileStore) -> None:
        self._options = options
        self._ledger = ledger
        self._rules = rules
        self._store = store
        self._limit = RequestsPerMinute(options.rpm) if options.rpm else None
        self._latencies = random.Random(options.seed)  # noqa: S311 - repeatable, not secret
        self._own_latencies = random.Random(options.seed + 1)  # noqa: S311
        self._threads = ThreadPoolExecutor(max(2, os.cpu_count() or 2), thread_name_prefix="emulator")

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call; whatever happens is entered in the ledger."""
        call = self._ledger.arrive(request.match_info["model"])
        call.latency = self._options.latency.draw(self._latencies)
        try:
            return await self._handle(request, call)
        except WireError as error:
            call.verdict = call.verdict or "rejected"
            call.message = error.message
            reply = framed(from_error(error), framing_of(request))
            return await deliver(request, call, reply, reply.body())
        except ConnectionError:
            return web.Response()  # the client has gone; the ledger says how far its answer came
        finally:
            self._ledger.leave(call)

    async def count(self, request: web.Request) -> web.Response:
        """``countTokens``: it is free, so it is not in the ledger."""
        message = await self._in_thread(parse_body, await request.read(), COUNT_REQUEST)
        check_key(request, self._options.key)
        model = find_model(request.match_info["model"], request.match_info["version"])
        asked = message.get("generate_content_request") or {"contents": message.get("contents")}
        files = partial(self._store.picture, key=key_of(request))
        return web.json_response(token_count(await self._in_thread(understand, asked, model, files)))

    async def _handle(self, request: web.Request, call: Call) -> web.StreamResponse:
        early = self._rules.before_body(Facts(n=call.n, model=call.model))
        if early:
            call.verdict, call.rule = early.answer, early.label
            reset(request)
            return web.Response()
        body = await read_body(request, call)
        received = time.perf_counter()
        answer = await self._work_to_the_end(request, call, body)
        await self._wait(request, call, answer, received)
        return await deliver(request, call, answer.reply, answer.body)

    async def _work_to_the_end(self, request: web.Request, call: Call, body: bytes) -> Answer:
        """Work even for a client that has gone away: such a call is paid for, too (section 0.8)."""
        work = asyncio.ensure_future(self._work(request, call, body))
        try:
            answer = await asyncio.shield(work)
        except asyncio.CancelledError:
            with contextlib.suppress(WireError):
                reply = (await work).reply
                call.paid, call.pictures = reply.paid, reply.pictures
            raise
        call.paid, call.pictures = answer.reply.paid, answer.reply.pictures
        return answer

    async def _work(self, request: web.Request, call: Call, body: bytes) -> Answer:
        asked = await self._read(request, body)
        attempt = self._ledger.identify(call, asked.token, asked.prompt)
        call.modalities, call.inputs = ",".join(sorted(asked.modalities)), len(asked.pictures)
        self._hold_rate(call)
        inputs = await self._in_thread(self._options.studio.open_inputs, asked)
        replaced = self._rules.replaced  # before the choice: rules may be replaced from another thread
        rule = self._rules.choose(_facts(call, asked, attempt))
        call.verdict, call.rule = rule.answer, rule.label
        order = Order(request=asked, inputs=inputs, studio=self._options.studio, n=call.n)
        reply, made = await self._in_thread(_make, rule, order, framing_of(request))
        if rule.latency:
            call.latency = rule.latency.draw(self._own_latencies)
        elif reply.status != 200:
            call.latency = 0.0  # errors come at once unless a rule says otherwise
        return Answer(reply, made, replaced if rule.hold else None)

    async def _read(self, request: web.Request, body: bytes) -> EditRequest:
        message = await self._in_thread(parse_body, body)
        check_key(request, self._options.key)
        _deadline(request)
        model = find_model(request.match_info["model"], request.match_info["version"])
        files = partial(self._store.picture, key=key_of(request))
        return await self._in_thread(understand, message, model, files)

    def _hold_rate(self, call: Call) -> None:
        wait = self._limit.admit() if self._limit else 0.0
        if wait:
            call.verdict = "rpm"
            raise quota_passed(call.model, PER_MINUTE, self._options.rpm or 0, round(wait, 3))

    async def _wait(self, request: web.Request, call: Call, answer: Answer, received: float) -> None:
        """Wait for the latency, or for the client's deadline if that is shorter: a 504, which costs nothing."""
        deadline = _deadline(request) or math.inf
        until = received + min(call.latency, deadline)
        await asyncio.sleep(max(0.0, until - time.perf_counter()))
        late = call.latency > deadline or not await _let_go(answer.held, received + deadline)
        if late and answer.reply.status == 200:
            call.verdict, call.paid, call.pictures = "deadline", False, 0
            raise WireError(504, "Deadline expired before operation could complete.")

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def check_key(request: web.Request, wanted: str | None) -> None:
    """A 403 without a key, a 400 for a bad one: not a 401 (section 4)."""
    key = key_of(request)
    if not key:
        raise WireError(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API.",
        )
    good = key != "wrong" if wanted is None else hmac.compare_digest(key.encode(), wanted.encode())
    if not good:
        raise invalid("API key not valid. Please pass a valid API key.", [error_info("API_KEY_INVALID")])


def key_of(request: web.Request) -> str:
    """The key of the request. A project has one key here, so it also identifies the project."""
    return request.headers.get("x-goog-api-key") or request.query.get("key") or ""


def _deadline(request: web.Request) -> float | None:
    text = request.headers.get("X-Server-Timeout")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError as error:
        raise invalid(f"Invalid value for X-Server-Timeout: {text}") from error
    if seconds < MIN_DEADLINE_S:
        minimum = f"Minimum allowed deadline is {MIN_DEADLINE_S:g}s."
        raise invalid(f"Manually set deadline {seconds:g}s is too short. {minimum}")
    return seconds


async def _let_go(held: Future[None] | None, deadline: float) -> bool:
    """Wait until a held answer may go; False if *deadline* (of ``time.perf_counter``) has come before."""
    if held is None:
        return True
    going = asyncio.wrap_future(held)
    left = None if deadline == math.inf else max(0.0, deadline - time.perf_counter())
    done, _ = await asyncio.wait((going,), timeout=left)
    return bool(done)


def _facts(call: Call, asked: EditRequest, attempt: int) -> Facts:
    return Facts(
        n=call.n,
        model=call.model,
        token=asked.token,
        prompt=asked.prompt,
        attempt=attempt,
        modalities=asked.modalities,
        inputs=len(asked.pictures),
    )


def _make(rule: Rule, order: Order, framing: Framing) -> tuple[Reply, bytes]:
    plain = rule.reply(order)
    reply = framed(plain.spelt(snake_case=rule.spelling == "snake", extra_fields=rule.extra_fields), framing)
    return reply, reply.body()
