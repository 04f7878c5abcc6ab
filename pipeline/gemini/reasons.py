"""What each ``finishReason`` means for a picture (gemini-api.md 3.2); unknown ones count as slips."""

from __future__ import annotations

#: Refused by policy: the same input would be refused again, and any picture in the answer must not be used.
REFUSED = frozenset(
    {
        "SAFETY",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "ESCALATION",
        "MODEL_ARMOR",
    }
)
#: Refused by the output filter, which makes mistakes: another sample may pass, so there is one more try.
REFUSED_BY_CHANCE = frozenset({"IMAGE_SAFETY"})
#: The account is restricted because of what it sent before: every call would get this.
ACCOUNT_LIMITED = frozenset({"PUP_LIMITED_DISABLED", "PUP_LIMITED"})
#: The model stopped before it was done.
TRUNCATED = frozenset({"MAX_TOKENS", "CONTINUATION"})
#: The model slipped, or gives no reason: without a picture or text there is simply no picture. They are listed so
#: that a new word in the SDK fails a test until somebody has thought about it. At run time, unknown words count as
#: these.
SLIPPED = frozenset(
    {
        "FINISH_REASON_UNSPECIFIED",
        "STOP",
        "RECITATION",
        "LANGUAGE",
        "OTHER",
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "IMAGE_OTHER",
        "NO_IMAGE",
    }
)
#: With a picture, this block reason means nothing; without one, and with any other reason, it is a refusal.
UNSPECIFIED_BLOCK = frozenset({"BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"})
