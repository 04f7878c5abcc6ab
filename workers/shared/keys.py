"""Every key in Redis: its name, its type, what it means and how long it lives.

Beside Celery's own queue there are ten kinds of keys that all jobs share, and eleven for each job.

=====================  ======  ====================================================================  ========
key                    type    meaning                                                               lives
=====================  ======  ====================================================================  ========
retouch:active         zset    job -> its turn; the jobs that are not ended, whose turn is first     a month
retouch:hinted         zset    "<job> <shard>" -> published at (ms); messages nobody has taken yet   a day
retouch:workers        hash    worker -> "<alive until (ms)> <card>"; a card is JSON:                an hour
                               threads, slots, and for each job [in flight, a minute, waits for]
retouch:swept          string  when somebody has swept last (ms)                                     a day
retouch:spared         string  until when no lease is taken away, after an outage (ms)               12 s
retouch:name           string  of this Redis; who has known it gives it back when it is lost          a month
retouch:turn           string  counter that gives the turns of *active*                              a month
retouch:told           set     jobs of which there may be news to tell; one leaves when its end is told      a month
retouch:notifier       string  worker that looks for news just now                                    15 s
retouch:edit:<print>   string  worker that makes the edit of this fingerprint (--reuse)               15 min
retouch:job:<j>:head   hash    where the job stands: out, rows, shards, folded, state, state_reason, a month
                               want, wanted (JSON), submitted_at, started_at, finished_at (ms),
                               epoch (fencing), born (when these keys were made, ms), rebuilt ("1":
                               since the server had lost them), and the job's sums: outcome:<o>, verdict:<v>,
                               calls, calls_unknown, calls_unpriced, cost (billionths of a dollar)
retouch:job:<j>:todo   zset    shard -> not before (ms), -1: left by a dead worker; shards that      a month
                               nobody holds and are not folded
retouch:job:<j>:leases zset    shard -> held until (ms)                                              a month
retouch:job:<j>:owners hash    shard -> token "<epoch>:<worker>" of who holds it                     a month
retouch:job:<j>:latest hash    shard -> the last token it was held with; "-": its holder let it go   a month
retouch:job:<j>:begun  hash    shard -> token of who has begun rows of it: if he dies, it may be     a month
                               the shard's fault
retouch:job:<j>:deaths hash    shard -> JSON of the workers that seem to have died of it: settled,   a month
                               workers ([worker, until when it was heard to be alive])
retouch:job:<j>:shards hash    shard -> JSON of its part in the job's sums                           a month
retouch:job:<j>:pace   hash    free_at (ms): when the next call may start; held:<model> (ms)         a month
retouch:job:<j>:budget hash    worker -> "<set aside> <spent> <how often said>" (billionths of $)     a month
retouch:job:<j>:report string  who keeps report.json fresh just now                                  10 s
=====================  ======  ====================================================================  ========

A month is counted from the last change of the job's state or leases. All times are the server's: no script takes
a time from a client. Nothing here is the truth: it can be built again from the job folder
(:mod:`workers.placing`). The scripts build names themselves, so that one server is needed, not a cluster.
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
    """A shard as the keys name it: of equal not-before times the lowest number comes first."""
    return f"{number:07d}"


def for_lua() -> str:
    """The names above as Lua, so that they stand in one place."""
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
