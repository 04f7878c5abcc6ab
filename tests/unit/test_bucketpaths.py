"""Which object of a bucket a manifest's word means, and whether it may be read."""

from __future__ import annotations

import pytest

from pipeline.errors import InvalidInput
from pipeline.urls.bucketpaths import bucket_of, meant

ROOT = "s3://shop/in"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("a.png", "s3://shop/in/a.png"),
        ("./b/../a.png", "s3://shop/in/a.png"),
        ("a b#1?.png", "s3://shop/in/a b#1?.png"),
        ("S3://shop/in/a.png", "s3://shop/in/a.png"),
        ("s3://out/any.png", "s3://out/any.png"),
        ("https://example.com/a.png", None),
    ],
)
def test_what_is_meant(name, url):
    assert meant(name, ROOT, ["s3://out"]) == url


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../secret.png", "outside"),
        ("s3://shop/in/../secret.png", "outside"),
        ("s3://shop/inside.png", "outside"),
        ("s3://other/a.png", "outside"),
        ("gs://out/a.png", "outside"),
        ("/etc/passwd", "outside"),
        ("", "outside"),
        ("s3://out", "bad_url"),
        ("s3://out/", "bad_url"),
        ("s3://key:secret@out/a.png", "bad_url"),
    ],
)
def test_what_is_refused(name, code):
    with pytest.raises(InvalidInput) as caught:
        meant(name, ROOT, ["s3://out"])
    assert caught.value.code == code
    assert "secret@" not in caught.value.message


def test_a_manifest_on_a_disk_names_no_objects_by_paths():
    assert meant("a.png", None) is None
    assert meant("../a.png", None) is None
    with pytest.raises(InvalidInput, match="--allow-outside"):
        meant("s3://shop/a.png", None)
    assert meant("s3://shop/a.png", None, allow_outside=True) == "s3://shop/a.png"


def test_the_buckets_of_urls():
    assert bucket_of("s3://shop/a/b", "/tmp/out", None, "gs://other") == ("s3://shop", "gs://other")
