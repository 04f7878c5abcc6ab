"""A shop whose job folders lie in a bucket; looked at by another client than retouch's own."""

from __future__ import annotations

import json
import posixpath
import re
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from pipeline.gemini.emulator import read_mark
from tests.objectstores import Bucket


class BucketFolder:
    """A job's folder in a bucket."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self.url = f"{bucket.url}/{prefix}"
        self._prefix = f"{prefix}/"
        self._objects = bucket.s3

    def keys(self, below: str = "") -> list[str]:
        """Every key in the folder, relative to it."""
        found = self._objects.objects.filter(Prefix=self._prefix + below)
        return sorted(item.key.removeprefix(self._prefix) for item in found)

    def read(self, path: str) -> bytes | None:
        try:
            return bytes(self._objects.Object(self._prefix + path).get()["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise

    def kind(self, path: str) -> str:
        """The content type that browsers are told."""
        return str(self._objects.Object(self._prefix + path).content_type)

    def put(self, path: str, data: bytes) -> None:
        self._objects.put_object(Key=self._prefix + path, Body=data)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.read("results.jsonl") or b"").splitlines()]

    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.read("report.json") or b"{}"))

    def check_pictures(self) -> None:
        """Every picture that is recorded is there, carries the mark of its row, and no other is there."""
        named = set()
        for record in self.records():
            for picture in record["images"]:
                data = self.read(picture["path"]) or b""
                assert len(data) == picture["bytes"]
                assert read_mark(data) == record["id"]
                named.add(picture["path"])
        assert set(self.keys("images/")) == named

    def check_links(self) -> None:
        """Every picture and page that the report shows by a relative link is in the bucket."""
        pages = [key for key in self.keys() if key.endswith(".html")]
        shown = 0
        for page in pages:
            text = (self.read(page) or b"").decode()
            assert self.kind(page).startswith("text/html")
            for link in re.findall(r'(?:src|href)="([^"#]+)"', text):
                if "://" not in link and not link.startswith("data:"):
                    target = posixpath.normpath(
                        posixpath.join(self._prefix, posixpath.dirname(page), unquote(link))
                    )
                    assert self._objects.Object(target).content_length, (page, link)
                    shown += 1
        assert shown
