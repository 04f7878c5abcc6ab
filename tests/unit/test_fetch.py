from __future__ import annotations

import asyncio
import gzip
import socket
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from tenacity import wait_none

from pipeline.errors import InvalidInput, StoreError
from pipeline.urls.addresses import is_public
from pipeline.urls.fetch import MAX_REDIRECTS, TRIES, Fetcher

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 5000


class Names(AbstractResolver):
    """A name server of the test's own; other names do not exist."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked = []

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked.append(host)
        if host not in self.names:
            raise OSError(f"{host} is not known")
        return [
            {"hostname": host, "host": each, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for each in self.names[host]
        ]

    async def close(self):
        pass


def this_machine_too(address):
    """127.0.0.1 counts as public, so that a local server can play the internet; 127.0.0.2 and the rest do not."""
    return address == "127.0.0.1" or is_public(address)


class Site:
    """A web server with the pages of a test; it counts and keeps what it was asked."""

    def __init__(self):
        self.requests = []
        self.pages = {}
        self.url = ""
        self.port = 0

    def page(self, path, answer):
        self.pages[path] = answer

    async def handle(self, request):
        self.requests.append(request)
        return await self.pages[request.path](request)


@pytest.fixture
async def site(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    site = Site()
    async with running(site.handle) as port:
        site.port, site.url = port, f"http://127.0.0.1:{port}"
        yield site


@asynccontextmanager
async def running(handler):
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture
async def fetcher():
    async with Fetcher(wait=wait_none()) as fetcher:
        yield fetcher


def says(body=PICTURE, **options):
    async def answer(_request):
        return web.Response(body=body, **options)

    return answer


def redirects(to, status=302):
    async def answer(_request):
        return web.Response(status=status, headers={"location": to})

    return answer


async def refused(fetcher, url, to, **options):
    with pytest.raises(InvalidInput) as caught:
        await fetcher.download(url, to, **{"max_bytes": 10**7, **options})
    assert ": " in caught.value.message
    return caught.value


async def test_a_picture_is_downloaded_whole(site, fetcher, tmp_path):
    site.page("/a.png", says())

    await fetcher.download(f"{site.url}/a.png", tmp_path / "a", allow_private=True, max_bytes=10**7)

    assert (tmp_path / "a").read_bytes() == PICTURE


async def test_nothing_of_ours_is_sent_along(site, fetcher, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("GEMINI_API_KEY", "key-of-mine")
    site.page("/a", says(headers={"set-cookie": "id=1; Path=/"}))

    for _ in range(2):
        await fetcher.download(f"{site.url}/a", tmp_path / "a", allow_private=True, max_bytes=10**7)

    for request in site.requests:
        assert "cookie" not in request.headers
        assert "authorization" not in request.headers
        assert "key-of-mine" not in str(request.headers)
        assert request.headers["accept-encoding"] == "identity"


async def test_user_and_password_of_a_url_go_to_its_host_alone(site, fetcher, tmp_path):
    """They are sent as a header, also after a redirect within the host, and to no other host."""
    site.page("/a", redirects("/b"))
    site.page("/b", redirects(f"http://localhost:{site.port}/c"))
    site.page("/c", says())
    url = site.url.replace("http://", "http://some%40one:pa%3Ass@") + "/a"

    await fetcher.download(url, tmp_path / "got", allow_private=True, max_bytes=1 << 21, seconds=10)

    sent = [request.headers.get("authorization") for request in site.requests]
    assert sent == ["Basic c29tZUBvbmU6cGE6c3M="] * 2 + [None]


async def test_redirects_are_followed_to_a_bound(site, fetcher, tmp_path):
    site.page("/0", says())
    for n in range(1, MAX_REDIRECTS + 2):
        site.page(f"/{n}", redirects(f"/{n - 1}", 301 + n % 2))
    to = tmp_path / "a"

    await fetcher.download(f"{site.url}/{MAX_REDIRECTS}", to, allow_private=True, max_bytes=10**7)
    fault = await refused(fetcher, f"{site.url}/{MAX_REDIRECTS + 1}", to, allow_private=True)

    assert to.read_bytes() == PICTURE
    assert fault.code == "unreachable"
    assert "redirected more than 5 times" in fault.message


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "forbidden"),
        (403, "forbidden"),
        (404, "missing"),
        (410, "missing"),
        (400, "unreachable"),
        (418, "unreachable"),
    ],
)
async def test_a_final_no_is_asked_for_once(site, fetcher, tmp_path, status, code):
    site.page("/a", says(status=status))

    fault = await refused(fetcher, f"{site.url}/a?sig=secret", tmp_path / "a", allow_private=True)

    assert fault.code == code
    assert str(status) in fault.message
    assert "secret" not in str(fault)
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_what_may_pass_is_tried_again(site, fetcher, tmp_path, status):
    async def answer(_request):
        return web.Response(status=status) if len(site.requests) < 3 else web.Response(body=PICTURE)

    site.page("/a", answer)

    await fetcher.download(f"{site.url}/a", tmp_path / "a", allow_private=True, max_bytes=10**7)

    assert (tmp_path / "a").read_bytes() == PICTURE
    assert len(site.requests) == 3


async def test_tries_end(site, fetcher, tmp_path):
    site.page("/a", says(status=503))

    fault = await refused(fetcher, f"{site.url}/a", tmp_path / "a", allow_private=True)

    assert fault.code == "unreachable"
    assert "503, 4 times" in fault.message
    assert len(site.requests) == TRIES


async def test_a_body_that_breaks_off_is_fetched_again_from_the_start(site, fetcher, tmp_path):
    async def answer(request):
        response = web.StreamResponse(headers={"content-length": str(len(PICTURE))})
        await response.prepare(request)
        if len(site.requests) == 1:
            await response.write(PICTURE[: len(PICTURE) // 2])
            request.transport.close()
        else:
            await response.write(PICTURE)
        return response

    site.page("/a", answer)

    await fetcher.download(f"{site.url}/a", tmp_path / "a", allow_private=True, max_bytes=10**7)

    assert (tmp_path / "a").read_bytes() == PICTURE
    assert len(site.requests) == 2


async def test_nobody_at_home_is_unreachable(site, fetcher, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        fault = await refused(
            fetcher, f"http://127.0.0.1:{free.getsockname()[1]}/a", tmp_path / "a", allow_private=True
        )

    assert fault.code == "unreachable"
    assert "cannot be reached" in fault.message


async def test_an_announced_size_over_the_limit_is_not_read(site, fetcher, tmp_path):
    site.page("/a", says())

    fault = await refused(fetcher, f"{site.url}/a", tmp_path / "a", allow_private=True, max_bytes=1000)

    assert fault.code == "too_large"
    assert not (tmp_path / "a").exists()


async def test_a_size_that_is_not_announced_is_bounded_too(site, fetcher, tmp_path):
    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))

    site.page("/a", endless)

    fault = await refused(fetcher, f"{site.url}/a", tmp_path / "a", allow_private=True, max_bytes=3_000_000)

    assert fault.code == "too_large"
    assert (tmp_path / "a").stat().st_size <= 3_000_000


async def test_what_a_body_unpacks_to_is_bounded(site, fetcher, tmp_path):
    site.page("/bomb", says(gzip.compress(bytes(20_000_000)), headers={"content-encoding": "gzip"}))
    site.page("/small", says(gzip.compress(PICTURE), headers={"content-encoding": "gzip"}))

    fault = await refused(
        fetcher, f"{site.url}/bomb", tmp_path / "a", allow_private=True, max_bytes=5_000_000
    )
    await fetcher.download(f"{site.url}/small", tmp_path / "b", allow_private=True, max_bytes=5_000_000)

    assert fault.code == "too_large"
    assert (tmp_path / "b").read_bytes() == PICTURE


async def test_time_is_bounded_over_all_tries(site, fetcher, tmp_path):
    async def never(_request):
        await asyncio.sleep(30)
        return web.Response()

    site.page("/a", never)

    fault = await refused(fetcher, f"{site.url}/a", tmp_path / "a", allow_private=True, seconds=0.2)

    assert fault.code == "unreachable"
    assert "longer than 0.2 s" in fault.message


async def test_a_folder_that_cannot_be_written_is_not_the_rows_fault(site, fetcher, tmp_path):
    site.page("/a", says())

    with pytest.raises(StoreError, match="temporary files"):
        await fetcher.download(f"{site.url}/a", tmp_path / "none" / "a", allow_private=True, max_bytes=10**7)
    assert len(site.requests) == 1


async def test_this_machine_is_not_asked(site, fetcher, tmp_path):
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"):
        fault = await refused(fetcher, f"http://{host}:{site.port}/a", tmp_path / "a")
        assert fault.code == "private_address"
    assert site.requests == []


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], ["::ffff:10.0.0.1"]]
)
async def test_a_name_is_judged_by_every_address_it_has(site, tmp_path, addresses):
    async with Fetcher(resolver=Names(evil_test=addresses), wait=wait_none()) as fetcher:
        fault = await refused(fetcher, f"http://evil.test:{site.port}/a", tmp_path / "a")

    assert fault.code == "private_address"
    assert "evil.test" in fault.message
    assert site.requests == []


async def test_a_public_name_is_fetched_from_the_address_that_was_judged(site, tmp_path):
    site.page("/a", says())
    names = Names(public_test=["127.0.0.1"])
    async with Fetcher(resolver=names, judge=this_machine_too, wait=wait_none()) as fetcher:
        await fetcher.download(f"http://public.test:{site.port}/a", tmp_path / "a", max_bytes=10**7)

    assert (tmp_path / "a").read_bytes() == PICTURE
    assert names.asked == ["public.test"]


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/secret",
        "http://169.254.169.254/latest/meta-data/",
        "http://inside.test:{port}/secret",
        "//inside.test:{port}/secret",
        "http://[::ffff:127.0.0.2]:{port}/secret",
        "http://2130706434:{port}/secret",
    ],
)
async def test_a_redirect_inside_is_refused(site, tmp_path, target):
    site.page("/a", redirects(target.format(port=site.port)))
    site.page("/secret", says())
    names = Names(public_test=["127.0.0.1"], inside_test=["127.0.0.2"])
    async with Fetcher(resolver=names, judge=this_machine_too, wait=wait_none()) as fetcher:
        fault = await refused(fetcher, f"http://public.test:{site.port}/a", tmp_path / "a")

    assert fault.code == "private_address"
    assert [request.path for request in site.requests] == ["/a"]


async def test_a_redirect_to_another_scheme_is_refused(site, fetcher, tmp_path):
    site.page("/a", redirects("file:///etc/passwd"))

    fault = await refused(fetcher, f"{site.url}/a", tmp_path / "a", allow_private=True)

    assert fault.code == "unsupported"


async def test_the_socket_is_judged_even_if_the_resolver_was_fooled(site, tmp_path):
    answers = iter([True, False, False, False, False])
    async with Fetcher(
        resolver=Names(rebinding_test=["127.0.0.1"]), judge=lambda _: next(answers), wait=wait_none()
    ) as fetcher:
        fault = await refused(fetcher, f"http://rebinding.test:{site.port}/a", tmp_path / "a")

    assert fault.code == "private_address"
    assert site.requests == []


async def test_a_name_that_does_not_exist_is_unreachable(tmp_path):
    async with Fetcher(resolver=Names(), wait=wait_none()) as fetcher:
        fault = await refused(fetcher, "http://nowhere.test/a", tmp_path / "a")

    assert fault.code == "unreachable"


async def test_through_a_proxy_the_name_is_judged_here_first(site, tmp_path, monkeypatch):
    asked = []

    async def proxy(request):
        asked.append(str(request.url))
        return web.Response(body=PICTURE)

    names = Names(public_test=["93.184.216.34"], inside_test=["10.0.0.1"])
    async with running(proxy) as port, Fetcher(resolver=names, wait=wait_none()) as fetcher:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        await fetcher.download("http://public.test/a", tmp_path / "a", max_bytes=10**7)
        fault = await refused(fetcher, "http://inside.test/a", tmp_path / "b")
        unknown = await refused(fetcher, "http://unknown.test/a", tmp_path / "b")

    assert (tmp_path / "a").read_bytes() == PICTURE
    assert asked == ["http://public.test/a"]
    assert fault.code == "private_address"
    assert unknown.code == "unreachable"


async def test_a_fetcher_can_be_closed_twice_and_used_again(site, tmp_path):
    site.page("/a", says())
    fetcher = Fetcher()
    for _ in range(2):
        await fetcher.download(f"{site.url}/a", tmp_path / "a", allow_private=True, max_bytes=10**7)
        await fetcher.aclose()
        await fetcher.aclose()

    assert (tmp_path / "a").read_bytes() == PICTURE
