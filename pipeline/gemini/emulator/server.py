"""The emulator as an HTTP server: routes, start and stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from types import TracebackType
from typing import Self

from aiohttp import web

from pipeline.errors import UsageError
from pipeline.gemini.emulator.calls import Calls, check_key
from pipeline.gemini.emulator.catalogue import find_model, served
from pipeline.gemini.emulator.delivery import MAX_BODY
from pipeline.gemini.emulator.filestore import FileStore
from pipeline.gemini.emulator.google_errors import WireError, invalid
from pipeline.gemini.emulator.ledger import FILTERS, Ledger
from pipeline.gemini.emulator.options import Options
from pipeline.gemini.emulator.paging import page_of
from pipeline.gemini.emulator.rule_file import parse_rules
from pipeline.gemini.emulator.rules import Rule, RuleBook
from pipeline.gemini.emulator.uploads import Uploads

_JSON = "application/json; charset=UTF-8"
_SHUTDOWN_S = 0.2  # calls that hang on purpose would hold the end up
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Emulator:
    """The local stand-in for the API, on the running loop.

    ::

        async with Emulator(Options(rules=(rule("text_only", times_per_token=2),))) as emulator:
            ...  # calls to emulator.url
            emulator.ledger.summary()
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.ledger = Ledger(self.options.ledger_size, self.options.ledger_file)
        self.rules = RuleBook(self.options.rules, self.options.seed)
        self.url = ""
        self._redirects: Counter[str] = Counter()
        store = FileStore()
        self._calls = Calls(self.options, self.ledger, self.rules, store)
        self._uploads = Uploads(self.options, self.ledger, self.rules, store)
        self._runner: web.AppRunner | None = None

    def order(self, *rules: Rule) -> None:
        """Replace the rules, and reset their counts."""
        self.rules.order(rules)

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(
            self._app(), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
        )
        await self._runner.setup()
        options = self.options
        site = web.TCPSite(
            self._runner,
            options.host,
            options.port,
            ssl_context=options.ssl_context,
            backlog=4096,
            reuse_address=True,
        )
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise UsageError(f"cannot listen on {options.host}:{options.port}: {error.strerror}") from error
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if options.ssl_context else 'http'}://{options.host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()
        self._calls.close()
        self.ledger.close()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_google_shaped], client_max_size=MAX_BODY)
        version = "/{version:v1|v1beta|v1alpha}"
        model = version + "/models/{model:[^/:]+}"
        app.add_routes(
            [
                web.post(model + ":{method:generateContent|streamGenerateContent}", self._calls.handle),
                web.post(model + ":countTokens", self._calls.count),
                web.get(version + "/models", self._list_models),
                web.get(model, self._get_model),
                *self._uploads.routes(),
                web.get("/ledger", self._get_ledger),
                web.get("/ledger/files", self._get_files),
                web.get("/ledger/summary", self._get_summary),
                web.get("/ledger/tokens", self._get_tokens),
                web.delete("/ledger", self._reset),
                web.post("/ledger/reset", self._reset),
                web.put("/rules", self._put_rules),
                web.route("*", "/redirected", self._redirected),
            ]
        )
        return app

    async def _list_models(self, request: web.Request) -> web.Response:
        check_key(request, self.options.key)
        return page_of(request, "models", served(request.match_info["version"]), 50)

    async def _get_model(self, request: web.Request) -> web.Response:
        check_key(request, self.options.key)
        return web.json_response(
            find_model(request.match_info["model"], request.match_info["version"]).document()
        )

    async def _get_ledger(self, request: web.Request) -> web.Response:
        wanted = {name: value for name, value in request.query.items() if name != "limit"}
        unknown = sorted(set(wanted) - FILTERS)
        limit = request.query.get("limit", "0")
        if unknown or not limit.isdigit():
            raise invalid(f"The ledger filters by limit and by {', '.join(sorted(FILTERS))}.")
        records = [call.record() for call in self.ledger.calls(wanted)]
        return web.json_response(records[-int(limit) :])

    async def _get_files(self, _request: web.Request) -> web.Response:
        return web.json_response([asdict(upload) for upload in self.ledger.uploads()])

    async def _get_summary(self, _request: web.Request) -> web.Response:
        redirects = {
            "redirects_followed": self._redirects["followed"],
            "redirects_followed_with_key": self._redirects["with_key"],
        }
        return web.json_response({**self.ledger.summary(), **redirects})

    async def _get_tokens(self, _request: web.Request) -> web.Response:
        return web.json_response({token: asdict(tally) for token, tally in self.ledger.tokens().items()})

    async def _reset(self, _request: web.Request) -> web.Response:
        self.ledger.clear()
        self._redirects.clear()
        return web.json_response({})

    async def _put_rules(self, request: web.Request) -> web.Response:
        """Replace the rules while calls are running: ``{"rules": [...]}``, as in a rule file."""
        try:
            rules = parse_rules(await request.json(), "the body")
        except (ValueError, UsageError) as error:
            raise invalid(str(error)) from error
        self.order(*rules)
        return web.json_response({"rules": len(rules)})

    async def _redirected(self, request: web.Request) -> web.Response:
        """The target of ``redirect``; no request with a key should ever arrive here."""
        self._redirects["followed"] += 1
        self._redirects["with_key"] += "x-goog-api-key" in request.headers or "key" in request.query
        raise WireError(404, "Nobody should have come here.")


@web.middleware
async def _google_shaped(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give all errors Google's structure, including those of routing."""
    try:
        return await handler(request)
    except WireError as error:
        return web.Response(status=error.code, body=error.body(), headers={"Content-Type": _JSON})
    except web.HTTPException as error:
        shaped = WireError(
            error.status, f"{request.method} {request.path} is not served here ({error.reason})."
        )
        return web.Response(status=shaped.code, body=shaped.body(), headers={"Content-Type": _JSON})
