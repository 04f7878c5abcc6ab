"""Sizes: does the model make what jobs would ask for? From the catalogue alone."""

from __future__ import annotations

from jobs.doctor.finding import Finding, fault, ok, warning
from pipeline.models import catalogue


def judge(model: str, aspect_ratio: str | None, image_size: str | None) -> list[Finding]:
    """Whether *model* accepts the ratio and the size; ``None``: not sent."""
    asked = [text for text in (image_size, aspect_ratio) if text]
    known = catalogue().find(model)
    if known is None:
        if not asked:
            return []
        text = f"whether {model} makes {' and '.join(asked)} is not known"
        return [warning("sizes", text, "try it with `retouch run --limit 1`")]
    wrong = known.fault(aspect_ratio, image_size, 0)
    if wrong:
        return [
            fault(
                "sizes",
                wrong,
                "set --image-size and --aspect-ratio (or their RETOUCH_ variables) accordingly",
            )
        ]
    made = ", ".join(known.sizes) or known.default_size or "one size"
    return [ok("sizes", f"{' and '.join(asked)} can be had" if asked else f"{known.id} makes {made}")]
