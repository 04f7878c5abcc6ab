"""The ledger of all calls, for tests and demos: what was answered, and what was paid for.

A call is paid for if a picture or text was made for it, whether or not anybody read the answer (gemini-api.md
sections 0.8 and 3.5); errors and refusals cost nothing. Memory is bounded: beyond ``size`` calls the oldest entries
are dropped, but not the sums.
"""

from __future__ import annotations

import json
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

PROMPT_KEPT = 200
_REPEATS_SHOWN = 100


@dataclass(kw_only=True, slots=True)
class Call:
    """One call of ``generateContent``.

    Attributes:
        n: its number since the ledger was last cleared, by arrival.
        attempt: how many calls of this token there were, this one included.
        verdict: the answer that was ordered (``picture``, ``text_only``, ...), ``rejected`` where the request
            itself was at fault, ``rpm`` beyond the rate, ``deadline`` where X-Server-Timeout ran out.
        in_flight: the calls that were open when it came, itself included.
        answered: the answer was handed whole to the kernel.
    """

    n: int
    at: str
    model: str
    in_flight: int
    token: str = ""
    prompt: str = ""
    attempt: int = 0
    modalities: str = ""
    inputs: int = 0
    verdict: str = ""
    rule: str = ""
    status: int = 0
    message: str = ""
    bytes_received: int = 0
    bytes_sent: int = 0
    body_received: bool = False
    answered: bool = False
    paid: bool = False
    pictures: int = 0
    latency: float = 0.0
    seconds: float = 0.0
    open: bool = True
    started: float = 0.0

    def record(self) -> dict[str, Any]:
        """The call as JSON."""
        record = asdict(self)
        del record["started"]
        return record


@dataclass(kw_only=True, slots=True)
class Upload:
    """One upload to the Files API; it costs nothing.

    Attributes:
        name: of the file that came of it; empty where none did.
        calls: that have named it.
        rules: that have answered in place of the API.
    """

    n: int
    at: str
    display_name: str
    mime_type: str = ""
    name: str = ""
    bytes: int = 0
    sha256: str = ""
    uploaded: bool = False
    deleted: bool = False
    calls: int = 0
    rules: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Tally:
    """What became of all calls of one token."""

    calls: int = 0
    paid: int = 0
    pictures: int = 0
    answered: int = 0


FILTERS = frozenset(one.name for one in fields(Call)) - {"started"}


class Ledger:
    """The book of calls."""

    def __init__(self, size: int = 100_000, path: Path | None = None) -> None:
        self._size = size
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path else None
        self._in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything but the calls that are in flight."""
        self._calls: deque[Call] = deque(maxlen=self._size)
        self._uploads: deque[Upload] = deque(maxlen=self._size)
        self._tokens: OrderedDict[str, Tally] = OrderedDict()
        self._repeated: OrderedDict[str, int] = OrderedDict()
        self._sums: Counter[str] = Counter()
        self._verdicts: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._max_in_flight = self._in_flight

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file:
            self._file.close()

    def arrive(self, model: str) -> Call:
        """Enter a call whose headers have arrived."""
        self._sums["calls"] += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        call = Call(
            n=self._sums["calls"],
            at=_now(),
            model=model,
            in_flight=self._in_flight,
            started=time.perf_counter(),
        )
        self._calls.append(call)
        return call

    def upload(self, display_name: str) -> Upload:
        """Enter an upload that begins."""
        self._sums["uploads"] += 1
        upload = Upload(n=self._sums["uploads"], at=_now(), display_name=display_name)
        self._uploads.append(upload)
        return upload

    def uploads(self) -> Iterator[Upload]:
        """The uploads, oldest first."""
        yield from list(self._uploads)

    def identify(self, call: Call, token: str, prompt: str) -> int:
        """Enter the token of a call; the number of calls with this token so far."""
        tally = self._tokens.setdefault(token, Tally())
        self._tokens.move_to_end(token)
        if len(self._tokens) > self._size:
            self._tokens.popitem(last=False)
        tally.calls += 1
        call.token, call.prompt, call.attempt = token, prompt[:PROMPT_KEPT], tally.calls
        return tally.calls

    def leave(self, call: Call) -> None:
        """Enter that a call has ended, however it ended."""
        call.open = False
        call.seconds = round(time.perf_counter() - call.started, 4)
        self._in_flight -= 1
        for name in ("answered", "paid", "pictures", "body_received", "bytes_received", "bytes_sent"):
            self._sums[name] += getattr(call, name)
        self._sums["body_begun"] += call.bytes_received > 0
        self._sums["paid_unanswered"] += call.paid and not call.answered
        self._verdicts[call.verdict or "none"] += 1
        self._statuses[str(call.status or "none")] += 1
        self._models[call.model] += 1
        self._tally(call)
        if self._file:
            self._file.write(json.dumps(call.record()) + "\n")
            self._file.flush()

    def _tally(self, call: Call) -> None:
        tally = self._tokens.get(call.token)
        if tally is None:
            return
        tally.paid += call.paid
        tally.pictures += call.pictures
        tally.answered += call.answered
        if call.pictures and tally.pictures > 1:
            self._repeated[call.token] = tally.pictures
            if len(self._repeated) > self._size:
                self._repeated.popitem(last=False)

    def calls(self, wanted: Mapping[str, str] | None = None) -> Iterator[Call]:
        """The calls whose fields read as ``wanted`` says, oldest first."""
        for call in list(self._calls):
            if all(_text(getattr(call, name)) == value for name, value in (wanted or {}).items()):
                yield call

    def tokens(self) -> dict[str, Tally]:
        """What became of each token."""
        return dict(self._tokens)

    def summary(self) -> dict[str, Any]:
        """The sums over all calls since the ledger was cleared, including dropped entries."""
        repeated = dict(list(self._repeated.items())[:_REPEATS_SHOWN])
        names = ("calls", "answered", "body_begun", "body_received", "paid", "paid_unanswered", "pictures")
        return {
            **{name: self._sums[name] for name in (*names, "bytes_received", "bytes_sent")},
            "in_flight": self._in_flight,
            "max_in_flight": self._max_in_flight,
            "tokens": len(self._tokens),
            "pictures_made_more_than_once": repeated,
            "tokens_with_repeated_pictures": len(self._repeated),
            "verdicts": dict(self._verdicts),
            "statuses": dict(self._statuses),
            "models": dict(self._models),
            "uploads": self._sums["uploads"],
            "files_left": sum(upload.uploaded and not upload.deleted for upload in self._uploads),
            "dropped": max(0, self._sums["calls"] - len(self._calls)),
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
