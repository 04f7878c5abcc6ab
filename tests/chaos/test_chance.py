"""Jobs, faults and interruptions drawn by chance: whatever comes of the rows, everything tells the same of them."""

from __future__ import annotations

import random
import signal
from typing import Any

import pytest

from tests.chaos.ground import Ground
from tests.chaos.judge import consistent
from tests.chaos.processes import Process
from tests.chaos.waiting import lasts, until

ROUNDS = range(30)
ENDED = ("finished", "cancelled")

#: Each with what makes it one; of those that nothing counts only a few come.
_ANSWERS: tuple[dict[str, Any], ...] = (
    {"answer": "text_only"},
    {"answer": "thought_images"},
    {"answer": "bad_base64"},
    {"answer": "cut_picture"},
    {"answer": "unchanged"},
    {"answer": "refused", "finish_reason": "IMAGE_SAFETY"},
    {"answer": "refused", "finish_reason": "PROHIBITED_CONTENT"},
    {"answer": "prompt_blocked"},
    {"answer": "empty"},
    {"answer": "not_json"},
    {"answer": "cut_body"},
    {"answer": "reset"},
    {"answer": "hang", "times": 2},
    {"answer": "status", "code": 400},
    {"answer": "status", "code": 504},
    {"answer": "status", "code": 503, "retry_delay": 0.2, "times": 4},
    {"answer": "rate_limited", "retry_delay": 0.2, "times": 4},
    {"answer": "redirect", "times": 2},
    {"answer": "status", "code": 401, "times": 1},
    {"answer": "picture", "spelling": "snake", "extra_fields": True},
)
_BAD_CELLS = ("missing.png,blue", "../outside.png,blue", "{picture},make it {nothing}", "{picture},")


def order(ground: Ground, chance: random.Random) -> None:
    """Some faults, each for some calls."""
    drawn = chance.sample(_ANSWERS, chance.choice((0, 1, 3, 6)))
    rules = [
        rule | {"probability": chance.choice((0.1, 0.4)), "times_per_token": chance.choice((1, 2, 5))}
        for rule in drawn
    ]
    ground.api.order(*rules, {"latency": chance.choice(("0", "0.1", "uniform:0:0.4"))})


def manifest(ground: Ground, chance: random.Random) -> int:
    """A manifest of some rows, a few of them at fault; how many there are."""
    rows = chance.randint(1, 30)
    lines = ground.manifest(rows).read_text().splitlines()
    for row in range(1, rows + 1):
        if chance.random() < 0.15:
            cells = chance.choice(_BAD_CELLS).replace("{picture}", f"p{row}.png")
            lines[row] = f"r{row},{cells} [[r{row}]]" if not cells.endswith(",") else f"r{row},{cells}"
    (ground.folder / "shop.csv").write_text("\n".join(lines) + "\n")
    return rows


def options(chance: random.Random) -> list[str]:
    """Options of a job."""
    words = ["--attempts", chance.choice("123"), "--timeout", chance.choice(("1.5", "30"))]
    words += ["--max-in-flight", chance.choice(("1", "4", "16"))]
    return words + chance.choice(([], [], ["--budget", "0.1"], ["--budget", "0.6"], ["--rpm", "300"]))


def let_go_on(ground: Ground, job: str, state: str) -> None:
    """What a person does with a job that stands still: mends what was wrong, and lets it go on."""
    if state in ("halted", "paused"):
        ground.api.order()
        ground.retouch("set", job, "--budget", "none")
        ground.retouch("resume", job)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("round_", ROUNDS)
def test_a_run_that_is_interrupted_by_chance(make_ground, chance, only_in_full, round_):
    ground: Ground = make_ground(f"run{round_}")
    order(ground, chance)
    rows, words = manifest(ground, chance), options(chance)
    for _ in range(chance.randrange(4)):
        running = ground.running(*words)
        lasts(chance.uniform(0.3, 2.5))
        running.signal(chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)))
        running.wait()
    for _ in range(8):
        running = ground.running(*words)
        assert running.wait(120) in (0, 1, 3), running.log
        if (state := ground.report()["state"]) in ENDED:
            break
        let_go_on(ground, str(ground.out), state)
        words += ["--budget", "100"]
    consistent(ground, rows)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("round_", ROUNDS)
def test_a_submitted_job_that_is_disturbed_by_chance(make_ground, chance, only_in_full, round_):
    ground: Ground = make_ground(f"job{round_}")
    order(ground, chance)
    rows = manifest(ground, chance)
    crew = [ground.worker(4), ground.worker(4)]
    job = ground.submit(*options(chance))
    for _ in range(chance.randrange(4)):
        lasts(chance.uniform(0.1, 2.0))
        disturb(ground, chance, crew, job)

    def ended() -> bool:
        let_go_on(ground, job, str(ground.server.state(job)))
        # A job that has ended is not put back on a server that was flushed: its folder says so.
        return (ground.out / "report.json").exists() and ground.report()["state"] in ENDED

    until(ended, 150, "the job to end")
    consistent(ground, rows)


def disturb(ground: Ground, chance: random.Random, crew: list[Process], job: str) -> None:
    """One thing that happens to a job."""
    at = chance.randrange(len(crew))
    match chance.choice(("kill", "end", "freeze", "pause", "set", "flush")):
        case "kill":
            crew[at].kill()
            crew[at] = ground.worker(4)
        case "end":
            crew[at].end()
            crew[at] = ground.worker(4)
        case "freeze":
            crew[at].freeze()
            lasts(chance.uniform(0.5, 4.0))
            crew[at].thaw()
        case "pause":
            ground.retouch("pause", job)
            ground.retouch("resume", job)
        case "set":
            ground.retouch("set", job, "--max-in-flight", chance.choice(("1", "32")))
        case "flush":
            ground.server.redis.flushall()
