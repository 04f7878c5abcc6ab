"""Every key in Redis: its name, type, meaning and lifetime.

Besides Celery's queue there are keys that all jobs share, and keys for each job.

======================  ======  =============================================================================  =======
key                     type    meaning                                                                        lives
======================  ======  =============================================================================  =======
retouch:active          zset    job -> its turn; jobs that have not ended, the next turn first                 a month
retouch:hinted          zset    "<job> <shard>" -> published at (ms); messages that nobody has taken yet       a day
retouch:workers         hash    worker -> "<alive until (ms)> <card>"; a card is JSON: threads, slots, for     an hour
                                each job [in flight, pictures a minute, what it waits for]
retouch:swept           string  when somebody last swept (ms)                                                  a day
retouch:spared          string  until when no lease is taken away, after an outage (ms)                        12 s
retouch:name            string  name of this Redis; if it is lost, workers that know it restore it             a month
retouch:turn            string  counter for the turns of *active*                                              a month
retouch:told            set     jobs with notifications to come; one leaves when its end was notified          a month
retouch:notifier        string  worker that sends notifications now                                            15 s
retouch:edit:<print>    string  worker that makes the edit with this fingerprint (--reuse)                     15 min
retouch:job:<j>:head    hash    the status of the job: out, rows, shards, folded, state, state_reason, want,   a month
                                wanted (JSON), submitted_at, started_at, finished_at (ms), epoch (fencing),
                                born (when these keys were created, ms), rebuilt ("1": restored after the
                                server had lost them); and its sums: outcome:<o>, verdict:<v>, calls,
                                calls_unknown, calls_unpriced, cost (billionths of a dollar)
retouch:job:<j>:todo    zset    shard -> not before (ms), or -1: left by a dead worker; shards that are not    a month
                                folded and that nobody holds
retouch:job:<j>:leases  zset    shard -> held until (ms)                                                       a month
retouch:job:<j>:owners  hash    shard -> token "<epoch>:<worker>" of its holder                                a month
retouch:job:<j>:latest  hash    shard -> the last token it was held with; "-": its holder gave it back         a month
retouch:job:<j>:begun   hash    shard -> token of the holder that has started calls for it: if that worker     a month
                                dies, the shard may be the cause
retouch:job:<j>:deaths  hash    shard -> JSON of the workers that it seems to have killed: settled, workers    a month
                                ([worker, until when it was known to be alive])
retouch:job:<j>:shards  hash    shard -> JSON of its part in the job's sums                                    a month
retouch:job:<j>:pace    hash    free_at (ms): when the next call may start; held:<model> (ms)                  a month
retouch:job:<j>:budget  hash    worker -> "<reserved> <spent> <how often reported>" (billionths of a dollar)   a month
retouch:job:<j>:report  string  worker that keeps report.json up to date now                                   10 s
======================  ======  =============================================================================  =======

A month counts from the last change of the job's state or leases. All times are the server's: no script takes a
time from a client. Everything here can be rebuilt from the job folders (:mod:`workers.placing`). The scripts build
names of keys themselves, which needs a single server, not a cluster.
"""

from __future__ import annotations

PREFIX = "retouch:"
ACTIVE = PREFIX + "active"
HINTED = PREFIX + "hinted"
WORKERS = PREFIX + "workers"
TURN = PREFIX + "turn"
NAME = PREFIX + "name"
EDIT = PREFIX + "edit:"
TOLD = PREFIX + "told"
NOTIFIER = PREFIX + "notifier"
SWEPT = PREFIX + "swept"
SPARED = PREFIX + "spared"

#: What follows ``retouch:job:<job>:``.
PARTS = (
    "head",
    "todo",
    "leases",
    "owners",
    "latest",
    "begun",
    "deaths",
    "shards",
    "pace",
    "budget",
    "report",
)

#: Celery's part: the prefix of all its keys, the queue, and the two lists that the queue consists of.
BROKER_PREFIX = PREFIX + "celery:"
QUEUE = "shards"
URGENT, ORDINARY = 0, 9
QUEUE_LISTS = (BROKER_PREFIX + QUEUE, f"{BROKER_PREFIX}{QUEUE}\x06\x16{ORDINARY}")

#: The step after the last shard, which is claimed like one: writing results and report.
FINISH = 0

#: Milliseconds.
MONTH, DAY, HOUR = 30 * 86_400_000, 86_400_000, 3_600_000


def of_job(job: str, part: str) -> str:
    """The key of *job* that holds *part*."""
    return f"{PREFIX}job:{job}:{part}"


def shard_name(number: int) -> str:
    """The name of a shard in Redis; sorts as its number, also among equal scores of *todo*."""
    return f"{number:07d}"


def for_lua() -> str:
    """The names above as Lua source, so that scripts need not repeat them."""
    lists = ", ".join(f'"{name}"' for name in QUEUE_LISTS)
    return "\n".join(
        [
            f'local ACTIVE, HINTED, WORKERS, TURN = "{ACTIVE}", "{HINTED}", "{WORKERS}", "{TURN}"',
            f'local EDIT, SWEPT, SPARED, TOLD = "{EDIT}", "{SWEPT}", "{SPARED}", "{TOLD}"',
            f"local QUEUE_LISTS = {{ {lists} }}",
            f'local FINISH = "{shard_name(FINISH)}"',
            f"local MONTH, DAY, HOUR = {MONTH}, {DAY}, {HOUR}",
            "local PARTS = { " + ", ".join(f'"{part}"' for part in PARTS) + " }",
            f'local function key(job, part) return "{PREFIX}job:" .. job .. ":" .. part end',
        ]
    )
