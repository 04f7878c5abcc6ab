"""Which of a row's pictures stand in the request itself, and which go ahead of it as files; pure.

Inline is the rule: it takes one request, and nothing is left behind at the API or runs out there (gemini-api.md 6).
What a request cannot hold goes through the Files API, the largest picture first, until the rest fits: so the fewest
files are made, and of those bytes that are the slowest to send, a further try sends none again.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Bytes of pictures that one request may hold. The API takes bodies of 100 MB since 2026-01-08 (gemini-api.md 1.2);
#: base64 makes 93 MB of this, which leaves room for the prompt.
INLINE_BYTES = 70_000_000


def by_file(sizes: Sequence[int], most: int = INLINE_BYTES) -> tuple[int, ...]:
    """Positions of the pictures that go as files, in order; of most rows, none.

    Args:
        sizes: bytes of each picture of a row.
        most: bytes that the request may hold.
    """
    left = sum(sizes)
    if left <= most:
        return ()
    chosen = []
    for position in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        if left <= most:
            break
        chosen.append(position)
        left -= sizes[position]
    return tuple(sorted(chosen))
