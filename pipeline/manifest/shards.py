"""Cuts edits into shards, which are planned, claimed and folded as one unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from pipeline.edit import Edit


def cut(edits: Iterable[Edit], size: int) -> Iterator[list[Edit]]:
    """*edits* in order, *size* at a time; the last shard may be smaller, none is empty.

    The same edits and size always give the same shards, even if cutting resumes after a complete shard.
    """
    stream = iter(edits)
    while shard := list(islice(stream, size)):
        yield shard
