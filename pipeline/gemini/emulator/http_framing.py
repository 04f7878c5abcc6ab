"""The part of HTTP/1.1 that is needed to find the end of a request without keeping its body."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What the benchmark server needs of a request's head."""

    method: str
    target: str
    length: int
    chunked: bool
    expects_continue: bool


def parse_head(head: bytes) -> Head:
    """Request line and headers, without the empty line that ends them."""
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, target, *_ = [*request_line.split(" "), "", ""]
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return Head(
        method=method,
        target=target,
        length=int(headers.get("content-length", "0")),
        chunked=headers.get("transfer-encoding", "").lower() == "chunked",
        expects_continue=headers.get("expect", "").lower() == "100-continue",
    )


class BodyReader:
    """Skips a body of known length or in chunks; ``done`` after its last byte."""

    def __init__(self, head: Head) -> None:
        self._chunked = head.chunked
        self._skip = 0 if head.chunked else head.length
        self._line = bytearray()
        self._in_trailer = False
        self.done = False

    def feed(self, data: memoryview) -> memoryview:
        """Take bytes; what comes back belongs to the next request."""
        while True:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
            if self._skip:
                return data
            if not self._chunked:
                self.done = True
                return data
            data, line = self._take_line(data)
            if line is None:
                return data
            self._begin_chunk(line)
            if self.done:
                return data

    def _take_line(self, data: memoryview) -> tuple[memoryview, bytes | None]:
        """The next line of a chunk's frame; None while its end has not come yet."""
        for index in range(len(data)):
            self._line.append(data[index])
            if self._line.endswith(b"\r\n"):
                line = bytes(self._line[:-2])
                self._line.clear()
                return data[index + 1 :], line
        return data[len(data) :], None

    def _begin_chunk(self, line: bytes) -> None:
        if self._in_trailer:
            self.done = not line
            return
        size = int(line.partition(b";")[0], 16)
        self._in_trailer = size == 0
        self._skip = size + 2 if size else 0  # the line break after the data belongs to the chunk
