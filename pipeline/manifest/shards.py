"""Edits cut into shards: the unit that is planned, claimed and folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from pipeline.edit import Edit


def cut(edits: Iterable[Edit], size: int) -> Iterator[list[Edit]]:
    """*edits* in order, *size* at a time; the last shard may be smaller, none is empty.

    Cutting is stable: the same edits and size give the same shards, and so does going on after a whole shard.
    """
    stream = iter(edits)
    while shard := list(islice(stream, size)):
        yield shard
