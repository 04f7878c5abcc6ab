"""Pictures: prepares those that are sent (:func:`prepare`) and verifies those that come back (:func:`verify`).

Everything here is synchronous and meant to be called in a thread. Only this package imports Pillow, and decoders only
once a picture needs them.
"""

from pipeline.picture.answer import VerifiedPicture, is_unchanged, verify
from pipeline.picture.decoder import BadPicture
from pipeline.picture.kind import CONVERTED, HEAD, SENT, SEVERAL, check_kind, sniff
from pipeline.picture.sent import LARGE, MAX_BYTES, SentPicture, admit, discard, open_refused, prepare

__all__ = [
    "CONVERTED",
    "HEAD",
    "LARGE",
    "MAX_BYTES",
    "SENT",
    "SEVERAL",
    "BadPicture",
    "SentPicture",
    "VerifiedPicture",
    "admit",
    "check_kind",
    "discard",
    "is_unchanged",
    "open_refused",
    "prepare",
    "sniff",
    "verify",
]
