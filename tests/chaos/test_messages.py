"""Messages come twice, late, in another order, or not at all: a message is a hint, the lease is the claim."""

from __future__ import annotations

import random

from tests.chaos.ground import Ground
from tests.chaos.judge import judge
from tests.chaos.processes import Process
from tests.chaos.server import Server
from tests.chaos.waiting import until
from workers.shared.keys import QUEUE_LISTS


def repeat(server: Server, seen: list[tuple[str, str]], chance: random.Random) -> None:
    """Push copies of what was ever seen, each to any of the lists."""
    for _, text in chance.sample(seen, min(8, len(seen))):
        server.redis.lpush(chance.choice(QUEUE_LISTS), text)


def reorder(server: Server, chance: random.Random) -> None:
    waiting = server.messages()
    chance.shuffle(waiting)
    server.redis.delete(*QUEUE_LISTS)
    for name, text in waiting:
        server.redis.lpush(name, text)


def lose(server: Server) -> None:
    server.redis.delete(*QUEUE_LISTS)


def served_while_frozen(server: Server, sleeper: Process, message: tuple[str, str]) -> bool:
    """Freeze *sleeper* and publish *message*; whether it was just asking for one, else it is thawed."""
    sleeper.freeze()
    server.redis.lpush(*message)
    if not server.redis.lrem(message[0], 0, message[1]):
        return True
    sleeper.thaw()
    return False


def queued(ground: Ground, rows: int) -> tuple[str, list[tuple[str, str]]]:
    """A job that nobody works on yet, and its first messages."""
    ground.manifest(rows)
    job = ground.submit()
    return job, ground.server.messages()


def test_messages_are_repeated_and_reordered(ground, server, full, chance):
    rows = 1500 if full else 210
    ground.api.order({"latency": "0.2"})
    job, seen = queued(ground, rows)
    assert len(seen) >= 4
    repeat(server, seen, chance)
    reorder(server, chance)
    crew = [ground.worker(16), ground.worker(16)]
    ground.manned(*crew)
    # While they work: copies of messages of shards that are held, folded, or still to come.
    shards = 0
    while server.state(job) != "finished":
        now = int(server.head(job)["folded"])
        if now > shards:
            shards = now
            seen += [message for message in server.messages() if message not in seen]
            repeat(server, seen, chance)
            reorder(server, chance)
        until(lambda now=now: int(server.head(job)["folded"]) > now or server.state(job) == "finished", 60)
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows


def test_every_message_is_lost_once_and_again(ground, server, only_in_full):
    rows = 600
    ground.api.order({"latency": "0.2"})
    job, _ = queued(ground, rows)
    lose(server)
    crew = [ground.worker(16), ground.worker(16)]
    ground.manned(*crew)
    until(lambda: ground.api.answered() >= 10, 20, "messages to be published again")
    lose(server)
    ground.to_its_end(job)
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows


def test_one_message_dies_in_a_workers_socket_and_the_others_are_deleted(ground, server, full):
    """A frozen worker is served the message that it had asked for, and is killed before it has read it."""
    rows = 600 if full else 70
    job, seen = queued(ground, rows)
    lose(server)
    sleeper = ground.worker()
    ground.manned(sleeper)
    until(
        lambda: served_while_frozen(server, sleeper, seen[0]),
        20,
        "a message in the socket of a frozen worker",
    )
    # While it was tried, it may have taken a message that was published again.
    ground.kill(sleeper, job)
    ground.worker(32)
    ground.to_its_end(job)
    judge(ground, rows)
