"""``retouch probe``: whether the local worker or scheduler makes progress, for container health checks."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException

import msgspec

from jobs import output
from pipeline.errors import UsageError

#: Seconds to wait for the answer, which usually takes a millisecond.
_PATIENCE = 5.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a worker may listen, not where we do


def probe(*, metrics_port: int | None, metrics_host: str, json: bool) -> int:
    """Ask; 0 when it makes progress, 1 when it does not or does not answer.

    Raises:
        UsageError: no port is given.
    """
    if not metrics_port:
        raise UsageError(
            "give the --metrics-port of the worker or scheduler, or set RETOUCH_METRICS_PORT for both"
        )
    reason = _reason(_EVERYWHERE.get(metrics_host, metrics_host), metrics_port)
    if json:
        output.write_json({"healthy": reason is None, "reason": reason})
    elif reason is None:
        output.write_line("it makes progress")
    else:
        output.say(f"retouch: not healthy: {reason}")
    return 0 if reason is None else 1


def _reason(host: str, port: int) -> str | None:
    # http.client, because it is imported quickly and ignores proxies.
    connection = HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/healthz")
        said = msgspec.json.decode(connection.getresponse().read())
        return None if said["healthy"] else str(said["reason"])
    except (OSError, HTTPException) as error:
        return (
            f"nothing answers at {host}:{port} ({error}); is `retouch worker` or `retouch scheduler` running with "
            f"--metrics-port {port}?"
        )
    except (msgspec.DecodeError, ValueError, TypeError, KeyError):
        return f"what answers at {host}:{port} is not retouch; choose another --metrics-port"
    finally:
        connection.close()
