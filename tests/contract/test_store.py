"""Every form of ``pipeline.store.Store`` keeps the same promises."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat

import pytest

from pipeline.errors import StoreError
from pipeline.store import DiskStore, open_store, prove
from pipeline.store.objects import ObjectStore
from tests.objectstores import AZURITE

FORMS = ["disk", "memory", "moto", "seaweed", *(["azurite"] if AZURITE else [])]


@pytest.fixture(params=FORMS)
def store(request, tmp_path, monkeypatch):
    """A store that is empty: on a server, a prefix of its own."""
    if request.param == "disk":
        return DiskStore(tmp_path / "store")
    if request.param == "memory":
        return ObjectStore("memory://")
    bucket = request.getfixturevalue(f"{request.param}_bucket")
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return ObjectStore(f"{bucket.url}/{secrets.token_hex(6)}")


async def test_it_is_what_we_need(store):
    await prove(store)
    assert await store.names(".retouch") == []


async def test_what_is_not_there(store):
    assert await store.get("a/b") is None
    assert await store.get("a/b", 10) is None
    assert await store.names("a") == []
    await store.delete(["a/b"])


async def test_put_replaces(store):
    await store.put("a/b", b"one")
    await store.put("a/b", b"two")
    assert await store.get("a/b") == b"two"


async def test_put_new_never_replaces(store):
    assert await store.put_new("a/b", b"one")
    assert not await store.put_new("a/b", b"two")
    assert await store.get("a/b") == b"one"


async def test_of_many_writers_one_wins(store):
    won = await asyncio.gather(*(store.put_new("a", bytes([number])) for number in range(8)))
    assert sum(won) == 1
    assert await store.get("a") == bytes([won.index(True)])


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_any_kind_of_bytes(store, kind):
    await store.put("a", kind(b"data"))
    assert await store.get("a") == b"data"


async def test_what_is_deleted_for_good_may_be_made_anew(store):
    await store.put("a/b", b"one")
    await store.delete(["a/b", "a/c", "d/e"], durable=True)
    assert await store.get("a/b") is None
    assert await store.put_new("a/b", b"two")


async def test_an_empty_file_is_a_file(store):
    assert await store.put_new("a", b"")
    assert await store.get("a") == b""
    assert await store.get("a", 10) == b""


async def test_the_first_bytes(store):
    await store.put("a", b"0123456789")
    assert await store.get("a", 4) == b"0123"
    assert await store.get("a", 40) == b"0123456789"


async def test_names_are_those_directly_inside(store):
    for path in ("f/b", "f/a", "f/sub/c", "other/d"):
        await store.put(path, b"x")
    assert await store.names("f") == ["a", "b", "sub"]
    assert set(await store.names("")) >= {"f", "other"}


async def test_more_names_than_a_page_of_a_listing(store):
    names = sorted(f"{number:05}" for number in range(1100))
    for first in range(0, len(names), 100):
        await asyncio.gather(*(store.put(f"f/{name}", b"") for name in names[first : first + 100]))
    assert await store.names("f") == names
    await store.delete([f"f/{name}" for name in names])
    assert await store.names("f") == []


async def test_what_is_larger_than_one_part_of_an_upload(store, tmp_path):
    data = secrets.token_bytes(6 * 1024 * 1024 + 1)
    assert await store.put_new("new", data)
    assert not await store.put_new("new", b"")
    await store.put("put", data)
    (tmp_path / "source").write_bytes(data)
    await store.put_file("file", tmp_path / "source")
    for path in ("new", "put", "file"):
        assert await store.get(path) == data


async def test_delete(store):
    await store.put("a", b"x")
    await store.put("b", b"y")
    await store.delete(["never", "a", "never"])
    assert await store.get("a") is None
    assert await store.get("b") == b"y"


async def test_put_file_uses_the_file_up(store, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"large")
    await store.put("a", b"old")
    await store.put_file("a", source)
    assert await store.get("a") == b"large"
    assert not source.exists()


@pytest.mark.parametrize(
    ("umask", "mode"), [(0o022, "-rw-------"), (0o002, "-rw-rw----"), (0o000, "-rw-rw-rw-")]
)
async def test_what_is_private_is_for_those_who_may_write_it(tmp_path, umask, mode):
    store = DiskStore(tmp_path / "store")
    (tmp_path / "source").write_bytes(b"c")
    (tmp_path / "source").chmod(0o666 & ~umask)
    before = os.umask(umask)
    try:
        await store.put_new("a", b"a", private=True)
        await store.put("b", b"b", private=True)
        await store.put_file("c", tmp_path / "source", private=True)
        await store.put("d", b"d")
    finally:
        os.umask(before)
    modes = [stat.filemode((tmp_path / "store" / name).stat().st_mode) for name in "abcd"]
    assert modes == [mode, mode, mode, stat.filemode(stat.S_IFREG | 0o666 & ~umask)]


@pytest.mark.parametrize("name", ["a b", "ä", "100%25", "x~row2"])
async def test_names_with_unusual_characters(store, name):
    await store.put(f"f/{name}", b"x")
    assert await store.get(f"f/{name}") == b"x"
    assert await store.names("f") == [name]


def test_a_store_that_cannot_be():
    with pytest.raises(StoreError, match="cannot write to this kind of store"):
        open_store("carrier-pigeon://coop")


def test_which_store_a_location_is(tmp_path):
    assert isinstance(open_store(tmp_path), DiskStore)
    assert isinstance(open_store(f"file://{tmp_path}"), DiskStore)
    assert isinstance(open_store("memory:///"), ObjectStore)


async def test_a_folder_that_is_not_the_one_it_was_is_not_written_to(tmp_path):
    """As when a disk is unmounted under us: what lies below its mount point is another, empty folder."""
    store = DiskStore(tmp_path / "mnt" / "job")
    await store.put_new("job.json", b"{}")
    store.anchor("job.json")
    assert await store.put_new("a/b", b"one")
    (tmp_path / "mnt").rename(tmp_path / "away")
    (tmp_path / "mnt").mkdir()
    for attempt in (
        store.put_new("a/c", b"two"),
        store.put("a/c", b"two"),
        store.get("a/b"),
        store.names("a"),
    ):
        with pytest.raises(StoreError, match=r"job\.json does not exist any more; mount its disk"):
            await attempt
    assert not (tmp_path / "mnt" / "job").exists()
    (tmp_path / "mnt").rmdir()
    (tmp_path / "away").rename(tmp_path / "mnt")
    assert await store.put_new("a/c", b"two")
    assert await store.get("a/b") == b"one"
