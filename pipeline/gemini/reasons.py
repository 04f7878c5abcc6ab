"""What the words of ``finishReason`` mean for a picture (gemini-api.md 3.2); any other word is a slip."""

from __future__ import annotations

#: Refused by policy: the same input is refused again, and a picture beside such a word is not to be used.
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
#: The output filter, which errs: another sample may pass, so that one more try is given.
REFUSED_BY_CHANCE = frozenset({"IMAGE_SAFETY"})
#: The account is limited for what it has sent before: every call would meet this.
ACCOUNT_LIMITED = frozenset({"PUP_LIMITED_DISABLED", "PUP_LIMITED"})
#: The model stopped before it was done.
TRUNCATED = frozenset({"MAX_TOKENS", "CONTINUATION"})
#: The model slipped or gives no reason; without a picture or text there is simply no picture. Listed so that a
#: new word of the SDK's fails a test until somebody has thought about it; at run time unknown words join them.
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
#: Beside a picture this block reason says nothing; any other, and this one alone, is a refusal.
UNSPECIFIED_BLOCK = frozenset({"BLOCKED_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"})
