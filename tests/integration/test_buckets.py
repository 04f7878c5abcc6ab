"""Jobs on an S3 server over HTTP: the commands do there what they do on a disk."""

from __future__ import annotations

import secrets
import signal

import pytest

from pipeline.gemini.emulator import rule
from tests.integration.bucketshop import BucketFolder
from tests.integration.crew import Crew
from tests.integration.shop import Shop, status_of, wait_for
from tests.objectstores import Bucket


@pytest.fixture
def bucket(seaweed_bucket: Bucket) -> Bucket:
    return seaweed_bucket


@pytest.fixture
def folder(bucket: Bucket) -> BucketFolder:
    return BucketFolder(bucket, f"jobs/{secrets.token_hex(4)}")


@pytest.fixture
def shop(tmp_path, emulator, bucket) -> Shop:
    environment = {"RETOUCH_STORE": f"{bucket.url}/store", "RETOUCH_LEASE_SECONDS": "2"}
    return Shop(tmp_path, emulator.url, **bucket.environment, **environment)


@pytest.fixture
def crew(tmp_path, emulator, redis_url, bucket):
    crew = Crew(tmp_path, emulator, redis_url, **bucket.environment, RETOUCH_STORE=f"{bucket.url}/store")
    yield crew
    crew.end()


def once(folder: BucketFolder, emulator, rows: int, *, lost: int = 0) -> None:
    """Every row has one record and its own picture; nothing was paid for twice but *lost* calls at most."""
    assert [record["row"] for record in folder.records()] == list(range(1, rows + 1))
    assert {record["outcome"] for record in folder.records()} == {"done"}
    folder.check_pictures()
    paid = [tally.paid for tally in emulator.ledger.tokens().values()]
    assert len(paid) == rows
    assert rows <= sum(paid) <= rows + lost


def test_a_run(shop, folder, emulator):
    shop.manifest(12)
    done = shop.retouch("run", "shop.csv", "--out", folder.url, "--json")
    assert done.returncode == 0, done.stderr
    assert status_of(done)["out"] == folder.url
    once(folder, emulator, 12)
    folder.check_links()
    page = (folder.read("report.html") or b"").decode()
    assert f"The originals in {shop.folder} are not shown, because the report is stored elsewhere" in page
    assert {"control.json", "job.json", "report.json", "results.csv", "results.jsonl"} <= set(folder.keys())
    assert not [key for key in folder.keys(".retouch/") if "probe" in key]
    again = shop.retouch("run", "shop.csv", "--out", folder.url, "--json")
    assert again.returncode == 0, again.stderr
    once(folder, emulator, 12)


def test_its_files_are_compared_with_its_records(shop, folder):
    shop.manifest(3)
    assert shop.retouch("run", "shop.csv", "--out", folder.url).returncode == 0
    found = shop.retouch("verify", folder.url, "--json")
    assert found.returncode == 0, found.stderr
    assert (status_of(found)["pictures"], status_of(found)["flaws"]) == (3, [])
    folder.put("images/stranger.png", b"x")
    found = shop.retouch("verify", folder.url, "--json")
    assert found.returncode == 1
    assert [flaw["code"] for flaw in status_of(found)["flaws"]] == ["unrecorded"]


def test_a_run_that_is_killed_goes_on(shop, folder, emulator):
    shop.manifest(60)
    emulator.order(rule(times=5), rule(hold=True))
    running = shop.start("run", "shop.csv", "--out", folder.url, "--json", "--max-in-flight", "2")
    wait_for(lambda: len(folder.keys("images/")) >= 5)
    second = shop.retouch("run", "shop.csv", "--out", folder.url, "--json")
    assert second.returncode == 2
    assert "is held by process" in second.stderr
    running.send_signal(signal.SIGKILL)
    running.communicate()
    emulator.order()
    done = shop.retouch("run", "shop.csv", "--out", folder.url, "--json")
    assert done.returncode == 0, done.stderr
    once(folder, emulator, 60, lost=2)


def test_the_jobs_folder_is_a_job(shop, folder):
    """Its URL, and its id from the registry in the bucket, name it to every command."""
    shop.manifest(3)
    job = status_of(shop.retouch("run", "shop.csv", "--out", folder.url, "--json"))["job"]
    for name in (folder.url, job):
        status = status_of(shop.retouch("status", name, "--json"))
        assert (status["state"], status["out"]) == ("finished", folder.url)
        assert shop.retouch("results", name, "--json").stdout.count("\n") == 3
        assert shop.retouch("watch", name, "--json").returncode == 0
        assert shop.retouch("report", name).returncode == 0
    listed = shop.retouch("status", "--json")
    assert job in listed.stdout


def test_without_out_it_goes_into_the_store(shop, bucket, emulator):
    shop.manifest(2)
    first = status_of(shop.retouch("run", "shop.csv", "--json"))
    assert first["out"] == f"{bucket.url}/store/{first['job']}"


def test_pause_resume_cancel_by_url(shop, folder, emulator):
    shop.manifest(200)
    running = shop.start("run", "shop.csv", "--out", folder.url, "--json", "--rpm", "120")
    wait_for(lambda: folder.keys("images/"))
    assert shop.retouch("pause", folder.url).returncode == 0
    wait_for(lambda: folder.report()["state"] == "paused")
    assert shop.retouch("resume", folder.url).returncode == 0
    wait_for(lambda: folder.report()["state"] == "running")
    assert shop.retouch("cancel", folder.url).returncode == 0
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 1
    assert '"cancelled"' in out
    assert folder.report()["outcomes"]["pending"] == 0


def put_shop(shop, bucket, prefix: str, rows: int) -> BucketFolder:
    """The shop's manifest and pictures, in the bucket; none of them is here any more."""
    there = BucketFolder(bucket, prefix)
    for path in [shop.manifest(rows), *shop.folder.glob("p*.png")]:
        there.put(path.name, path.read_bytes())
        path.unlink()
    return there


def test_a_manifest_and_its_pictures_in_a_bucket(shop, bucket, folder, emulator):
    there = put_shop(shop, bucket, f"in/{secrets.token_hex(4)}", 5)
    checked = shop.retouch("check", f"{there.url}/shop.csv", "--json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for _ in range(2):
        done = shop.retouch("run", f"{there.url}/shop.csv", "--out", folder.url, "--json")
        assert done.returncode == 0, done.stderr
    once(folder, emulator, 5)
    assert [record["inputs"][0]["path"] for record in folder.records()] == [f"p{n}.png" for n in range(1, 6)]
    folder.check_links()
    there.put("shop.csv", b"id,image,prompt\nr1,p1.png,another")
    done = shop.retouch("run", f"{there.url}/shop.csv", "--out", folder.url)
    assert done.returncode == 2
    assert "has changed" in done.stderr


def test_a_folder_in_a_bucket_is_a_manifest(shop, bucket, folder, emulator):
    there = put_shop(shop, bucket, f"in/{secrets.token_hex(4)}", 11)
    there.put("deeper/p12.png", b"not directly inside")
    done = shop.retouch("run", f"{there.url}/", "--prompt", "make it blue", "--out", folder.url, "--json")
    assert done.returncode == 0, done.stderr
    # In natural order, as in a folder on a disk; what is no picture by its name is left out and told of.
    assert [record["inputs"][0]["path"] for record in folder.records()] == [f"p{n}.png" for n in range(1, 12)]
    assert "skipped 1 whose names are not those of pictures" in done.stderr
    assert "skipped 1 subfolder" in done.stderr


def test_whose_bucket_a_row_may_read(shop, bucket, folder, moto_bucket):
    """The manifest's own and that of --out; another, which the credentials may open too, a person must allow."""
    there = put_shop(shop, bucket, f"in/{secrets.token_hex(4)}", 1)
    rows = [
        f"{there.url}/p1.png",
        f"{there.url}/p2.png",
        "s3://other-bucket/p1.png",
        "s3://k:must-not-leak@b/p.png",
    ]
    manifest = shop.folder / "urls.csv"
    manifest.write_text("\n".join(["image,prompt", *(f"{row},make it blue" for row in rows)]))
    done = shop.retouch("run", "urls.csv", "--out", folder.url, "--json")
    assert done.returncode == 1, done.stderr
    reasons = [record["reason"] for record in folder.records()]
    assert [reason and reason.partition(":")[0] for reason in reasons] == [
        None,
        "missing",
        "outside",
        "bad_url",
    ]
    allowed = folder.url + "-allowed"
    assert shop.retouch("run", "urls.csv", "--out", allowed, "--json", "--allow-outside").returncode == 1
    other = BucketFolder(bucket, allowed.removeprefix(f"{bucket.url}/"))
    assert "there is no bucket other-bucket" in other.records()[2]["reason"]
    assert b"must-not-leak" not in (other.read("report.html") or b"") + (other.read("job.json") or b"")


def test_uploaded_pictures_are_there_for_workers_elsewhere(crew, folder, emulator):
    manifest = crew.manifest(6)
    done = crew.retouch("submit", "shop.csv", "--out", folder.url, "--json", "--yes", "--upload")
    assert done.returncode == 0, done.stderr
    for picture in crew.folder.glob("p*.png"):
        picture.unlink()
    manifest.unlink()
    crew.worker()
    crew.to_its_end(status_of(done)["job"])
    once(folder, emulator, 6)
    folder.check_links()
    page = (folder.read("report.html") or b"").decode()
    assert "not shown, because" not in page
    assert page.count(".retouch/inputs/") >= 6, (
        "the pictures as they were are shown beside those that were made"
    )


REFUSALS = {
    "bucket": ({}, "s3://no-such-bucket/job", "there is no bucket"),
    "rights": (
        {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "reader-secret-that-must-not-leak"},
        None,
        "do not allow it",
    ),
    "key": ({"AWS_ACCESS_KEY_ID": "nobody"}, None, "are not accepted"),
    "away": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, None, "cannot be reached"),
    "plain": ({"AWS_ALLOW_HTTP": "false"}, None, "AWS_ALLOW_HTTP=true"),
}


@pytest.mark.parametrize("which", REFUSALS)
def test_a_store_that_cannot_be_used_costs_nothing(shop, folder, emulator, which):
    environment, url, says = REFUSALS[which]
    shop.environment |= {**environment, "RETOUCH_STORE": str(shop.folder / "store")}
    shop.manifest(1)
    done = shop.retouch("run", "shop.csv", "--out", url or folder.url, "--debug", "--log-file", "log.txt")
    assert done.returncode == 2
    told = done.stderr + (shop.folder / "log.txt").read_text()
    assert says in told
    assert "must-not-leak" not in told
    assert not emulator.ledger.tokens()


def test_it_is_told_in_one_line(shop, bucket):
    shop.environment["RETOUCH_STORE"] = "s3://no-such-bucket/store"
    shop.manifest(1)
    done = shop.retouch("run", "shop.csv")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
