"""Why an existing job cannot be continued as asked for."""

from __future__ import annotations

from pipeline.errors import JobError
from pipeline.job.folder import JobFolder
from pipeline.job.planning import rows_beyond
from pipeline.job.registry import JobEntry, has_ended
from pipeline.job.spec import Spec
from pipeline.report.words import plural
from pipeline.store import Store


async def check_limit(folder: JobFolder, wanted: Spec) -> None:
    """Refuse a smaller ``--limit``: what is planned cannot be undone, and would all be paid for.

    Raises:
        JobError: *folder* holds an unfinished job with more rows than are *wanted*.
    """
    beyond = await rows_beyond(folder, wanted)
    if not beyond or await has_ended(folder):
        return
    planned = await folder.planned()
    if planned is None:
        own = f"--limit {-(-beyond // wanted.repeat) + (wanted.limit or 0)} or more"
    else:
        own = "--limit left out" if planned.limit is None else f"--limit {planned.limit}"
    raise JobError(
        f"{folder.store.url} has a job in progress that includes {plural(beyond, 'row')} beyond --limit "
        f"{wanted.limit}: continue with {own} (--budget limits its cost), or give another --out for "
        "the first rows only"
    )


async def check_hands(known: JobEntry | None, folder: JobFolder, *, submitted: bool) -> None:
    """Refuse a job that others have: it belongs to the workers or to one ``run``, and to workers in one folder only.

    Args:
        known: the job as it is registered; ``None``: it is not.
        folder: where it was found.
        submitted: whether it is to be handed to the workers now.

    Raises:
        JobError: others have it.
    """
    await _check_copy(known, folder)
    if known is not None and known.submitted and not submitted and not await has_ended(folder):
        raise JobError(
            f"job {known.job} was submitted to the workers: follow it with `retouch watch {known.job}`, "
            f"or end it with `retouch cancel {known.job}`"
        )


async def _check_copy(known: JobEntry | None, folder: JobFolder) -> None:
    if known is None or not known.submitted:
        return
    original = JobFolder.at(known.out)
    if _same(folder.store, original.store):
        return
    # A job folder that was moved, not copied, is no longer in its old place.
    if await original.spec() is not None and not await has_ended(original):
        raise JobError(
            f"{folder.store.url} is a copy of job {known.job}, which was handed to the workers in {known.out}: go on "
            f"with --out {known.out}, or end that one with `retouch cancel {known.job}`"
        )


def _same(one: Store, other: Store) -> bool:
    """Whether both are the same place, which may have several names on a disk."""
    if one.folder and other.folder and one.folder.exists() and other.folder.exists():
        return one.folder.samefile(other.folder)
    return one.url == other.url
