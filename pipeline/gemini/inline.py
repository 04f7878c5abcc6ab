"""Which of a row's pictures are part of the request itself, and which are uploaded as files beforehand; pure.

Pictures are normally inline: that takes one request, and leaves nothing behind at the API that could expire
(gemini-api.md 6). If they do not all fit, the largest go through the Files API until the rest does: this makes the
fewest files, and a second try does not send the largest pictures again.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Bytes of pictures that one request may contain. The API accepts bodies of 100 MB since 2026-01-08
#: (gemini-api.md 1.2);
#: base64 makes 93 MB of this, which leaves room for the prompt.
INLINE_BYTES = 70_000_000


def by_file(sizes: Sequence[int], most: int = INLINE_BYTES) -> tuple[int, ...]:
    """Positions of the pictures to upload as files, in order; for most rows none.

    Args:
        sizes: bytes of each picture of a row.
        most: bytes that the request may contain.
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
