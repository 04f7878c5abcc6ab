"""Tests, before money is spent, whether a store can do what retouch needs."""

from __future__ import annotations

import asyncio
import secrets

from pipeline.errors import StoreError
from pipeline.store.protocol import Store

#: Seconds to wait for a store that does not answer.
_PATIENCE = 45.0

_FOLDER = ".retouch"


async def prove(store: Store) -> None:
    """Test that an object store can write, list and delete, and creates a key only once; takes five requests.

    A disk need not be tested: its first file shows whether it works.

    Raises:
        StoreError: it cannot; the message says how to fix it.
    """
    if store.folder is not None:
        return
    try:
        async with asyncio.timeout(_PATIENCE):
            await try_out(store)
    except TimeoutError:
        raise StoreError(
            f"{store.url}: does not answer within {_PATIENCE:.0f} s; check the network and the endpoint"
        ) from None


async def try_out(store: Store) -> None:
    """Create a file, create it once more, list, read and remove it, on a store of any kind.

    Raises:
        StoreError: the store does not do what it must; the message says how to fix it.
    """
    path = f"{_FOLDER}/probe-{secrets.token_hex(8)}"
    try:
        await _try_out(store, path)
    except StoreError as error:
        # The probe's name means nothing to users.
        raise StoreError(str(error).replace(f"/{path}", "")) from error.__cause__


async def _try_out(store: Store, path: str) -> None:
    await store.put_new(path, b"first")
    try:
        replaced = await store.put_new(path, b"second") or await store.get(path) != b"first"
        listed = path.rpartition("/")[2] in await store.names(_FOLDER)
    finally:
        await store.delete([path])
    if replaced:
        raise StoreError(
            f"{store.url}: lets a second writer replace what the first one wrote, so a row could be paid for "
            "twice; use a store with conditional puts (If-None-Match)"
        )
    if not listed:
        raise StoreError(
            f"{store.url}: does not list what was just written; use a store with consistent listings"
        )
