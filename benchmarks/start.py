"""From the start of the process to its first call, against importing what every such program needs."""

from __future__ import annotations

import sys

from benchmarks.figures import Bound, Figure, Result, pairs
from benchmarks.servers import Canned
from benchmarks.stage import Stage

IMPORTS = "import httpx, httpx_aiohttp, PIL.Image, obstore"
_ROWS = 8


def start(stage: Stage) -> Result:
    """The first call of ``retouch run`` of a small manifest, and a process that imports and ends, in turn."""
    result = Result(
        "start",
        f"From the start of `retouch run` of {_ROWS} rows until the server has the whole first request, a picture of "
        f'1 MB (both by the same clock), against the wall of `python -c "{IMPORTS}"`. In turn, after one of each '
        "that does not count.",
    )
    calls, imports = [], []
    with stage.server() as server:
        for n in range(stage.sizes.starts + 1):
            call, imported = _first_call(stage, server), _import(stage)
            if n:
                calls.append(call)
                imports.append(imported)
    result.figures += [
        Figure("start to the first call", tuple(calls), "s", Bound(2.0)),
        Figure("importing transport, Pillow and storage alone", tuple(imports), "s"),
        Figure("start to the first call, against importing", pairs(calls, imports), "x", Bound(1.5)),
    ]
    return result


def _first_call(stage: Stage, server: Canned) -> float:
    server.reset()
    usage = stage.retouch_run(stage.workload.manifest(_ROWS), _ROWS, url=server.url, slots=stage.sizes.slots)
    return float(server.summary()["arrived_at"][0]) - usage.started


def _import(stage: Stage) -> float:
    return stage.run([sys.executable, "-c", IMPORTS], name="import").wall
