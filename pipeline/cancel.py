"""Settles as cancelled what is left of a job that nobody works on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from pipeline.engine.brake import CANCELLED
from pipeline.errors import ManifestError
from pipeline.gemini.answer import Answer, Failure
from pipeline.gemini.request import ImageRequest
from pipeline.job.folder import SPOOLED_MANIFEST, JobFolder
from pipeline.job.spec import Spec
from pipeline.local import LocalJob
from pipeline.manifest import Manifest, fetched, is_file_of_bucket, open_manifest
from pipeline.picture import SentPicture
from pipeline.status import State, Status
from pipeline.store import Store
from pipeline.urls.fetch import Fetcher


async def cancel_rest(folder: JobFolder, spec: Spec, registry: Store, scratch: Path) -> Status:
    """Settle as cancelled what is left of a job that nobody works on, without making a call.

    Rows of the manifest that were never read, and cannot be read now, get no record; the reason says so.
    """
    manifest = None
    if await folder.planned() is None:
        with contextlib.suppress(ManifestError):
            manifest = await asyncio.to_thread(
                _manifest_of, spec, await _spooled(folder, spec, scratch), scratch
            )
    job = LocalJob(folder, spec, manifest, registry)
    job.brake.stop(State.CANCELLED, CANCELLED)
    if not await job.plan():
        await job.planner.recall()
        job.brake.stop(State.CANCELLED, f"{CANCELLED}; rows that were not read have no record: {job.fault}")
    async with Fetcher() as fetcher:
        await job.call(_NoCalls(), fetcher, scratch)
    return await job.finish()


async def _spooled(folder: JobFolder, spec: Spec, scratch: Path) -> Path | None:
    """The standard input that was stored with the job."""
    if spec.manifest != "-":
        return None
    if folder.store.folder:
        return folder.store.folder / SPOOLED_MANIFEST
    path = scratch / "kept.jsonl"
    await asyncio.to_thread(path.write_bytes, await folder.store.get(SPOOLED_MANIFEST) or b"")
    return path


def _manifest_of(spec: Spec, spooled: Path | None, scratch: Path) -> Manifest:
    if is_file_of_bucket(spec.manifest):
        spooled = fetched(spec.manifest, scratch)
    return open_manifest(
        spec.manifest,
        prompt=spec.prompt,
        limit=spec.limit,
        repeat=spec.repeat,
        spooled=spooled,
    )


class _NoCalls:
    """The client of a job that makes no more calls, because it is being cancelled."""

    last_piece = 0.0

    def call(
        self,
        request: ImageRequest,  # noqa: ARG002
        *,
        timeout: float,  # noqa: ARG002
        on_begun: Callable[[], None] | None = None,  # noqa: ARG002
    ) -> AbstractAsyncContextManager[Answer | Failure]:
        """Never called: a cancelled job begins no call."""
        raise AssertionError("a job that is being cancelled made a call")

    def files_of_row(self, pictures: Sequence[SentPicture]) -> None:  # noqa: ARG002
        """Never called, either."""
        raise AssertionError("a job that is being cancelled made a call")
