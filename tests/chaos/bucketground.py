"""The ground of a test whose job lies in a bucket of a real S3 server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.chaos.emulator import Api
from tests.chaos.ground import Ground
from tests.chaos.server import Server
from tests.integration.bucketshop import BucketFolder
from tests.objectstores import Bucket


class BucketGround(Ground):
    """Looks at the job's folder by another S3 client than retouch's.

    Attributes:
        bucket_folder: the job's folder.
    """

    def __init__(self, folder: Path, api: Api, server: Server, redis_url: str, bucket: Bucket) -> None:
        environment = {**bucket.environment, "RETOUCH_STORE": f"{bucket.url}/store"}
        super().__init__(folder, api, server, redis_url, **environment)
        self.bucket_folder = BucketFolder(bucket, f"chaos/{folder.parent.name}-{folder.name}")

    def submit(self, *words: str) -> str:
        process = self.launch(
            "submit", "shop.csv", "--out", self.bucket_folder.url, "--json", "--yes", *words
        )
        assert process.wait() == 0, process.log
        return self.job_of(process)

    def running(self, *words: str, **environment: str):
        command = ("run", "shop.csv", "--out", self.bucket_folder.url, "--json", "--yes")
        return self.launch(*command, *words, **environment)

    def records(self) -> list[dict[str, Any]]:
        return self.bucket_folder.records()

    def report(self) -> dict[str, Any]:
        return self.bucket_folder.report()

    def check_pictures(self) -> None:
        self.bucket_folder.check_pictures()
