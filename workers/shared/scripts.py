"""The Lua scripts that run in Redis; every change of more than one key is one of them."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from workers.shared.keys import for_lua

NAMES = (
    "open",
    "claim",
    "begin",
    "acquit",
    "release",
    "decline",
    "fold",
    "finish",
    "stop",
    "want",
    "beat",
    "sweep",
    "turn",
    "hold",
    "held",
    "reserve",
    "overdue",
    "withdraw",
    "edit",
    "edited",
    "told",
)


class Scripts:
    """Each script by its name, registered with *redis* once; ``await scripts.run("claim", job, shard)``."""

    def __init__(self, redis: Redis) -> None:
        common = for_lua() + "\n" + _source("common")
        self._scripts: dict[str, AsyncScript] = {
            name: redis.register_script(f"{common}\n{_source(name)}") for name in NAMES
        }

    async def run(self, name: str, *arguments: str | int | float) -> Any:
        """Run the script *name*; its answer."""
        return await self._scripts[name](args=list(arguments))


def _source(name: str) -> str:
    return files("workers.shared").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
