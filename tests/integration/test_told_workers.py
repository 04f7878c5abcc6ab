"""Workers tell of submitted jobs: one of them, once, although they share the job and may die of it."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from pipeline.gemini.emulator import rule
from tests.integration.crew import Crew, wait_for
from tests.integration.receiver import HANG, receiving


@pytest.fixture
def crew(tmp_path, emulator, redis_url):
    crew = Crew(tmp_path, emulator, redis_url)
    yield crew
    crew.end()


def test_two_workers_tell_of_each_event_once(crew):
    hook = crew.folder / "hook.py"
    hook.write_text("import os\nopen('told', 'a').write(os.environ['JOB_EVENT'] + ' ')\n")
    crew.environment["RETOUCH_NOTIFY_COMMAND"] = f"{sys.executable} {hook}"
    crew.environment["RETOUCH_VERBOSE"] = "1"
    crew.emulator.order(rule("status", code=403, after=10))
    crew.manifest(30)
    crew.worker()
    crew.worker()
    with receiving() as receiver:
        options = ("shop.csv", "--notify", receiver.url, "--notify-private")
        job = crew.submit(*options)
        wait_for(lambda: receiver.posts)
        assert receiver.types == ["job.halted"]
        crew.emulator.order()
        crew.submit(*options)
        crew.to_its_end(job)
        wait_for(lambda: not crew.redis.sismember("retouch:told", job))

        said = crew.ended_saying()

    assert "told job=" in said
    assert "token-that-must-not-leak" not in said
    assert receiver.types == ["job.halted", "job.finished"]
    assert receiver.posts[1].json["data"]["outcomes"]["done"] == 30
    assert (crew.folder / "told").read_text() == "halted finished "
    assert [told["event"] for told in crew.status(job)["told"]] == ["halted", "finished"]
    kept = "".join(map(str, [crew.redis.hgetall(key) for key in crew.redis.keys("retouch:job:*:head")]))
    assert "token-that-must-not-leak" not in kept + (crew.out / "job.json").read_text()


def test_a_worker_that_dies_while_it_tells_is_stood_in_for(crew):
    crew.manifest(2)
    first = crew.worker()
    with receiving(HANG) as receiver:
        job = crew.submit("shop.csv", "--notify", receiver.url, "--notify-private")
        wait_for(lambda: receiver.posts)
        first.send_signal(signal.SIGKILL)
        entry = crew.out / ".retouch/told/000001"
        # The clock is moved on by moving the event back.
        entry.write_text(json.dumps(json.loads(entry.read_text()) | {"at": 1.0}))
        crew.worker()
        # Sooner than it would be missed.
        crew.redis.delete("retouch:notifier")
        wait_for(lambda: not crew.redis.sismember("retouch:told", job))

    assert [post.id for post in receiver.posts] == [f"{job}-1"] * 2
    assert crew.status(job)["told"][0]["told_at"]


def test_a_job_that_ended_while_nobody_could_tell_is_told_by_the_next_worker(crew):
    crew.manifest(2)
    with receiving() as receiver:
        job = crew.submit("shop.csv", "--notify", receiver.url, "--notify-private")
        # Another looks for news, and is dead: his time runs out.
        crew.redis.set("retouch:notifier", "nobody", px=600_000)
        worker = crew.worker()
        crew.to_its_end(job)
        worker.kill()
        worker.wait()
        assert receiver.posts == []
        crew.redis.delete("retouch:notifier")
        crew.worker()
        wait_for(lambda: receiver.posts)

    assert receiver.types == ["job.finished"]


def test_a_worker_without_the_secret_sends_nothing_unsigned(crew):
    crew.manifest(1)
    crew.worker()
    crew.environment["RETOUCH_NOTIFY_SECRET"] = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    with receiving() as receiver:
        job = crew.submit("shop.csv", "--notify", receiver.url, "--notify-private")
        crew.to_its_end(job)
        wait_for(lambda: not crew.redis.sismember("retouch:told", job))

    assert receiver.posts == []
    assert "RETOUCH_NOTIFY_SECRET is not set" in crew.status(job)["told"][0]["faults"][0]
