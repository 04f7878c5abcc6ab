"""``retouch run``: a whole job in this one process, no Redis."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import Any

from jobs.cli.options import asked_for
from jobs.exits import exit_code
from jobs.job_options import JobOptions
from jobs.live import View, viewing
from jobs.manifests import manifest_of
from jobs.notifying import notify_asked
from jobs.opening import open_job
from jobs.running import Running
from pipeline.errors import KeyMissing
from pipeline.gemini.access import access
from pipeline.job.folder import JobFolder
from pipeline.job.limits import limited, limits_asked, limits_of
from pipeline.job.runlock import run_lock
from pipeline.job.spec import Spec
from pipeline.local import LocalJob
from pipeline.notify.settings import store_settings
from pipeline.store import open_store
from pipeline.store.leftovers import remove_leftovers


def run(*, json: bool, **values: Any) -> int:
    """Do the whole job in this process; its exit code."""
    with viewing(json=json) as view:
        return asyncio.run(_run(asked_for(values), view))


async def _run(asked: JobOptions, view: View) -> int:
    with contextlib.suppress(KeyMissing):
        # An unusable key is refused before a folder is created; without a key, the job halts.
        access()
    with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
        notify = notify_asked(asked)
        manifest = await asyncio.to_thread(manifest_of, asked, Path(scratch))
        folder, spec = await open_job(asked, manifest, Path(scratch), tell=view.say)
        for note in manifest.notes:
            view.say(f"note: {note}")
        registry = open_store(asked.store)
        job = LocalJob(folder, spec, manifest, registry)
        async with run_lock(folder.store, job.give_way):
            await store_settings(folder, notify)
            await _bind(folder, spec)
            for store in (folder.store, registry):
                remove_leftovers(store.folder)
            running = Running(view, job, asked.ask_above, asked.notify_command)
            status = await running.to_its_end(Path(scratch))
    view.close(status)
    return exit_code(status)


async def _bind(folder: JobFolder, spec: Spec) -> None:
    """Let the limits of *spec* hold, which are as asked now, whatever was asked or set before."""
    frozen, wanted = await folder.spec(), await folder.wanted()
    if frozen is None or limits_of(frozen, wanted) != limits_asked(spec):
        await folder.want(limited(wanted, limits_asked(spec)))
