"""The plan of a job for the workers, written before they hear of it; by ``submit`` and by schedules."""

from __future__ import annotations

from jobs.job_options import JobOptions
from jobs.manifests import roots_below
from pipeline.job.folder import JobFolder, Planned
from pipeline.job.inputs import upload
from pipeline.job.planning import Planner
from pipeline.job.spec import Spec
from pipeline.manifest import Manifest
from pipeline.notify.settings import NotifySettings, store_settings


async def plan_job(
    folder: JobFolder, spec: Spec, manifest: Manifest, asked: JobOptions, notify: NotifySettings
) -> Planned:
    """Store whom to notify, copy the pictures if that was asked for, and cut the manifest into shards.

    The caller holds the folder's lock. May be repeated: what is there already stays as it is.

    Raises:
        JobError: the manifest is not the one that the job began with.
        ManifestError: it cannot be read to its end.
        StoreError: something could not be written.
    """
    await store_settings(folder, notify)
    if spec.uploaded:
        await upload(folder, manifest.edits(), roots_below(manifest.root, asked))
    return await Planner(folder, manifest, spec).read()
