"""Posts a message to a webhook: signed, with a limited number of retries, and to public addresses only."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import NamedTuple

import aiohttp
import httpx
from standardwebhooks import Webhook
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt
from tenacity.wait import wait_base, wait_random_exponential

from pipeline.errors import InvalidInput
from pipeline.notify.settings import NotifySettings
from pipeline.urls.addresses import check_url
from pipeline.urls.public import PublicClients, is_temporary

#: Number of tries, seconds for one, and seconds for all of them including the waits.
TRIES, ONE_TRY, ALL_TRIES = 5, 10.0, 60.0

_WAIT = wait_random_exponential(multiplier=1, max=15)


class _Fault(NamedTuple):
    """Why a try failed, as half a sentence, and whether that may be temporary."""

    why: str
    passing: bool = False


async def post(
    clients: PublicClients,
    notify: NotifySettings,
    name: str,
    body: bytes,
    key: bytes | None,
    *,
    wait: wait_base = _WAIT,
    seconds: float = ONE_TRY,
) -> str | None:
    """Send *body*; ``None``, or why it could not be: a sentence without the URL's path.

    Args:
        clients: check the addresses.
        notify: where to send it, and how.
        name: identifies the message; of two with the same name, the receiver may drop one.
        body: the message.
        key: signs it; ``None``: it is not signed.
        wait: between two tries.
        seconds: for one try.
    """
    tries = AsyncRetrying(
        stop=stop_after_attempt(TRIES),
        wait=wait,
        retry=retry_if_result(lambda fault: fault is not None and fault.passing),
        retry_error_callback=_last,
    )
    try:
        async with asyncio.timeout(ALL_TRIES):
            fault: _Fault | None = await tries(_once, clients, notify, name, body, key, seconds)
    except TimeoutError:
        fault = _Fault(f"did not answer within {ALL_TRIES:.0f} s")
    return None if fault is None else f"{notify.receiver} {fault.why}"


async def _once(
    clients: PublicClients, notify: NotifySettings, name: str, body: bytes, key: bytes | None, seconds: float
) -> _Fault | None:
    try:
        async with asyncio.timeout(seconds):
            url = check_url(notify.url or "", allow_private=notify.private)
            client = await clients.of(url, allow_private=notify.private)
            async with client.stream("POST", url, content=body, headers=_headers(name, body, key)) as answer:
                return _judged(answer)
    except InvalidInput:
        return _Fault("is not an address on the public internet: pass --notify-private to allow it")
    except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout):
        return _Fault("does not answer", passing=True)
    except (httpx.UnsupportedProtocol, httpx.InvalidURL):
        return _Fault("has a malformed address or answer")
    except (httpx.HTTPError, aiohttp.ClientError, OSError):
        return _Fault("cannot be reached", passing=True)


def _headers(name: str, body: bytes, key: bytes | None) -> dict[str, str]:
    now = datetime.fromtimestamp(int(time.time()), UTC)
    headers = {
        "content-type": "application/json",
        "user-agent": "retouch",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if key is not None:
        headers["webhook-signature"] = Webhook(key).sign(name, now, body.decode())
    return headers


def _judged(answer: httpx.Response) -> _Fault | None:
    status = answer.status_code
    if answer.is_success:
        return None
    if is_temporary(status):
        return _Fault(f"answered {status}", passing=True)
    if answer.is_redirect:
        return _Fault(f"answered {status}, which is not followed: use the URL it points to")
    return _Fault(f"answered {status}")


def _last(state: RetryCallState) -> _Fault:
    fault: _Fault = state.outcome.result() if state.outcome else _Fault("was not tried")
    return _Fault(f"{fault.why}, {state.attempt_number} times")
