"""Shards in this process: claimed, settled, handed over; and the jobs that they belong to.

::

    runner.py      which shards are taken here, and what becomes of each
    quarantine.py  those whose workers have died are taken alone, or set aside
    held.py        a shard whose lease is ours            work.py        what is done with it
    jobs.py        the jobs with shards here              worker_job.py  one of them
    control.py     how a job is stopped, here and everywhere
    mark.py        workers of two Redis leave each other's jobs alone
"""
