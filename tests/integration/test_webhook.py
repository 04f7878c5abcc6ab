"""A webhook that fails, hangs, or leads somewhere else."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest
from aiohttp.abc import AbstractResolver
from tenacity import wait_none

from pipeline.notify import command
from pipeline.notify.settings import NotifySettings
from pipeline.notify.webhook import TRIES, post
from pipeline.urls.public import PublicClients
from tests.integration.receiver import HANG, receiving


class Names(AbstractResolver):
    """Every name is this machine."""

    async def resolve(self, host, port=0, family=0):
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self):
        pass


async def sent(url: str, *, private: bool = True) -> str | None:
    clients = PublicClients(resolver=Names())
    try:
        notify = NotifySettings(url=url, private=private)
        return await post(clients, notify, "job-1", b"{}", None, wait=wait_none(), seconds=0.3)
    finally:
        await clients.aclose()


@pytest.mark.parametrize("answers", [(500,), (429, 503), (HANG,), (408, HANG, 502)])
async def test_what_may_pass_is_tried_again(answers):
    with receiving(*answers) as receiver:
        assert await sent(receiver.url) is None
        assert len(receiver.posts) == len(answers) + 1
        assert {post.id for post in receiver.posts} == {"job-1"}


@pytest.mark.parametrize(("answer", "said"), [(503, "answered 503"), (HANG, "does not answer")])
async def test_it_is_tried_so_often_and_no_more(answer, said):
    with receiving(*[answer] * 9) as receiver:
        fault = await sent(receiver.url)
        assert fault == f"{receiver.url.partition('/hook')[0]} {said}, {TRIES} times"
        assert len(receiver.posts) == TRIES


@pytest.mark.parametrize("answer", [301, 400, 401, 410])
async def test_what_cannot_pass_is_tried_once(answer):
    with receiving(answer) as receiver:
        assert f"answered {answer}" in (await sent(receiver.url) or "")
        assert len(receiver.posts) == 1


async def test_nobody_there_is_a_fault_and_no_exception():
    with receiving() as receiver:
        url = receiver.url
    assert (await sent(url) or "").endswith(f"cannot be reached, {TRIES} times")


async def test_a_name_that_leads_to_a_private_address_is_not_connected_to():
    with receiving() as receiver:
        url = receiver.url.replace("127.0.0.1", "public.example.com")
        assert "not an address on the public internet" in (await sent(url, private=False) or "")
        assert receiver.posts == []
        assert await sent(url) is None


async def test_a_command_that_hangs_is_killed_with_what_it_has_started(tmp_path):
    beat = tmp_path / "beat"
    child = f"import time, pathlib\nwhile True: pathlib.Path({str(beat)!r}).touch(); time.sleep(0.05)"
    script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"

    fault = await command.run((sys.executable, "-c", script), {}, b"{}", deadline=2.0)

    assert "took longer than 2 s and was killed" in (fault or "")
    end = time.monotonic() + 10
    while time.time() - beat.stat().st_mtime < 0.5:
        assert time.monotonic() < end, "its child goes on"
        await asyncio.sleep(0.05)


async def test_a_command_need_not_read_what_it_is_told():
    assert await command.run(("true",), {}, b"x" * 10_000_000) is None
