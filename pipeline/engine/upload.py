"""Uploads, before a row's calls, the pictures that are too big for its requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pipeline.attempt import Attempt
from pipeline.engine.call import Received
from pipeline.engine.jobrun import JobRun
from pipeline.history import History
from pipeline.policy import variant
from pipeline.timestamp import utc

if TYPE_CHECKING:
    from pipeline.gemini.files import RowFiles

#: The step of an attempt that ended before there was a call.
UPLOAD = "upload"


async def upload_files(job: JobRun, files: RowFiles, history: History) -> tuple[Attempt, Received] | None:
    """Make sure that the pictures of *files* are at the API; ``None`` if they are, otherwise the attempt that failed.

    This happens before the intent of a call: a process that dies during an upload leaves nothing behind that may
    have been paid for.

    Raises:
        InvalidInput: a picture changed while it was being uploaded.
    """
    started, clock = time.time(), time.monotonic()
    job.progress.upload_begun()
    try:
        judged = await files.upload(job.timeout)
    finally:
        job.progress.upload_ended()
    if judged is None:
        return None
    attempt = Attempt(
        n=history.made + 1,
        started_at=utc(started),
        seconds=round(time.monotonic() - clock, 3),
        verdict=judged.verdict,
        counted=False,
        prompt_variant=variant(history.tries),
        http_status=judged.http_status,
        step=UPLOAD,
        cost_usd=0.0,
        begun=False,
        detail=judged.detail,
    )
    job.progress.call_ended(attempt)
    return attempt, Received(judged)
