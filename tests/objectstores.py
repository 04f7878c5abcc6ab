"""Object stores over real HTTP, each in a process of its own: moto's server, SeaweedFS, and Azurite where it is."""

from __future__ import annotations

import base64
import hmac
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import boto3
import httpx
import pytest

#: What a person's shell may hold, and no test should see.
VARIABLES = ("AWS_", "GOOGLE_", "AZURE_")

AZURITE = shutil.which("azurite-blob")

#: Azurite's own account; its documentation names both.
_ACCOUNT = "devstoreaccount1"
_ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_IDENTITIES = {
    "identities": [
        {
            "name": name,
            "credentials": [{"accessKey": name, "secretKey": f"{name}-secret-that-must-not-leak"}],
            "actions": actions,
        }
        for name, actions in (
            ("owner", ["Admin", "Read", "Write", "List", "Tagging"]),
            ("reader", ["Read", "List"]),
            ("writer", ["Read", "Write"]),
        )
    ]
}


@dataclass
class Bucket:
    """A bucket of a running server.

    Attributes:
        url: such as ``s3://retouch-tests``.
        environment: the variables by which it is reached.
    """

    url: str
    environment: dict[str, str] = field(default_factory=dict)

    def as_(self, identity: str) -> dict[str, str]:
        """The variables of another identity: ``owner``, ``reader``, ``writer``; SeaweedFS knows no others."""
        secret = f"{identity}-secret-that-must-not-leak"
        return {**self.environment, "AWS_ACCESS_KEY_ID": identity, "AWS_SECRET_ACCESS_KEY": secret}

    @property
    def s3(self):
        """The bucket by another client than ours."""
        return boto3.resource(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name="us-east-1",
        ).Bucket(self.url.partition("://")[2])


@contextmanager
def moto() -> Iterator[Bucket]:
    """moto's server."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, f"http://127.0.0.1:{port}/moto-api/"):
        yield _s3(port)


@contextmanager
def seaweed(folder: Path) -> Iterator[Bucket]:
    """SeaweedFS, which keeps its data in *folder*: an S3 server for production, with identities and their rights."""
    weed = Path(sys.executable).with_name("weed")
    if not weed.exists():
        pytest.skip("no SeaweedFS for this platform")
    (folder / "identities.json").write_text(json.dumps(_IDENTITIES))
    s3, *ports = (free_port() for _ in range(8))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port")
    command = [
        *(str(weed), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"),
        *(
            f"-{name}={port}"
            for name, port in zip((*names, "filer.port.grpc", "s3.port.grpc"), ports, strict=True)
        ),
        *(f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=100"),
        *(f"-s3.config={folder / 'identities.json'}", "-s3.autoCreateBucket=false"),
    ]
    with _running(command, f"http://127.0.0.1:{s3}/healthz"):
        yield _s3(s3)


@contextmanager
def azurite(folder: Path) -> Iterator[Bucket]:
    """Azurite, where a machine has it: ``npm install -g azurite``."""
    port = free_port()
    environment = {
        "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": _ACCOUNT_KEY,
        "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{port}/{_ACCOUNT}",
        "AZURE_ALLOW_HTTP": "true",
    }
    command = [str(AZURITE), "--blobPort", str(port), "--location", str(folder), "--silent"]
    with _running([*command, "--skipApiVersionCheck"], environment["AZURE_STORAGE_ENDPOINT"]):
        _make_container(environment["AZURE_STORAGE_ENDPOINT"], "retouch-tests")
        yield Bucket("az://retouch-tests", environment)


def _make_container(endpoint: str, name: str) -> None:
    """By Azure's shared key scheme: obstore makes none, and no other client of ours speaks it."""
    now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers = {"x-ms-date": now, "x-ms-version": "2021-08-06"}
    lines = "".join(f"{key}:{value}\n" for key, value in headers.items())
    signed = "PUT" + "\n" * 12 + f"{lines}/{_ACCOUNT}/{_ACCOUNT}/{name}\nrestype:container"
    digest = hmac.digest(base64.b64decode(_ACCOUNT_KEY), signed.encode(), "sha256")
    headers["authorization"] = f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}"
    url = f"{endpoint}/{name}?restype=container"
    httpx.put(url, headers=headers, trust_env=False).raise_for_status()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _s3(port: int) -> Bucket:
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "owner",
        "AWS_SECRET_ACCESS_KEY": "owner-secret-that-must-not-leak",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    bucket = Bucket("s3://retouch-tests", environment)
    bucket.s3.create()
    return bucket


@contextmanager
def _running(command: list[str], asks: str) -> Iterator[None]:
    """*command* in the background, from when *asks* is answered."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not _answers(asks):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < end, f"{asks} does not answer"
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False, timeout=2)
    except httpx.HTTPError:
        return False
    return True
