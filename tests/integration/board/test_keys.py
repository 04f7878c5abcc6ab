"""What is in Redis has a name and an end; a Redis that is not there is one sentence."""

from __future__ import annotations

import pytest

from pipeline.errors import BrokerError
from tests.integration.board.steps import LEASE, alive, done, opened
from workers.shared.board import Board
from workers.shared.board_types import ShardReport, WorkerCard
from workers.shared.connection import check_redis, connect
from workers.shared.keys import PREFIX, of_job


def test_no_redis_is_one_sentence_without_the_password():
    with pytest.raises(BrokerError, match="RETOUCH_REDIS_URL") as caught:
        check_redis("redis://user:secret@127.0.0.1:1/0")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:1"])
def test_a_url_that_is_none(url):
    with pytest.raises(BrokerError):
        check_redis(url)


async def test_a_redis_that_went_away():
    client = connect("redis://127.0.0.1:1/0")
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
        await Board(client).sweep()
    await client.aclose()


async def test_every_key_has_an_end_and_a_name(board, other):
    await opened(board)
    await alive(board)
    await board.sweep()
    claim = await board.claim("job", 1, LEASE)
    await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token, done(3))], {"job": "1 2 1"})
    await board.turn("job", "m", 60.0)
    await board.hold("job", "n", 5.0)
    await board.reserve("job", "0 0 2", 1, 10)
    await board.reporter("job", 10)
    claim = await other.claim("job", 2, LEASE)
    await other.release(ShardReport("job", 2, claim.token), 1)
    keys = [key async for key in board.redis.scan_iter()]
    known = {
        of_job("job", part)
        for part in ("head", "todo", "leases", "owners", "latest", "shards", "pace", "budget", "report")
    }
    assert set(keys) == known | {
        PREFIX + name for name in ("active", "hinted", "workers", "turn", "swept", "told")
    }
    for key in keys:
        assert await board.redis.pttl(key) > 0, key
