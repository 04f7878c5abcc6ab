"""What a person reads when an object store cannot be used: one sentence with its mend, and no secret."""

from __future__ import annotations

import pytest

from pipeline.errors import StoreError
from pipeline.store import open_store, prove
from pipeline.store.refusals import said, sentence
from tests.objectstores import free_port


async def refused(url, environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StoreError) as caught:
        await prove(open_store(url))
    told = str(caught.value)
    assert "\n" not in told
    assert "secret" not in f"{told} {caught.value.__cause__!r}"
    return told


@pytest.fixture
def bucket(seaweed_bucket):
    """A server that looks at keys and rights."""
    return seaweed_bucket


async def test_no_bucket(bucket, monkeypatch):
    told = await refused("s3://no-such-bucket/job", bucket.environment, monkeypatch)
    assert "there is no bucket no-such-bucket); create it, or correct its name" in told


async def test_no_bucket_is_no_missing_file(bucket, monkeypatch):
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    store = open_store("s3://no-such-bucket/job")
    for asked in (store.get("job.json"), store.get("job.json", 1), store.put("a", b""), store.delete(["a"])):
        with pytest.raises(StoreError, match="there is no bucket"):
            await asked


async def test_a_reader_may_not_write(bucket, monkeypatch):
    told = await refused(f"{bucket.url}/job", bucket.as_("reader"), monkeypatch)
    assert "cannot write (these credentials do not allow it); they need s3:GetObject, s3:PutObject" in told


async def test_who_may_not_list(bucket, monkeypatch):
    told = await refused(f"{bucket.url}/job", bucket.as_("writer"), monkeypatch)
    assert "cannot list (these credentials do not allow it); they need" in told
    assert "s3:ListBucket" in told


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
async def test_a_wrong_key(bucket, monkeypatch, variable):
    environment = {**bucket.environment, variable: "wrong"}
    told = await refused(f"{bucket.url}/job", environment, monkeypatch)
    assert "the credentials are not accepted); check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in told


async def test_plain_http_is_asked_for(bucket, monkeypatch):
    told = await refused(f"{bucket.url}/job", {**bucket.environment, "AWS_ALLOW_HTTP": ""}, monkeypatch)
    assert "plain http); use https, or allow it with AWS_ALLOW_HTTP=true" in told


async def test_nobody_answers(bucket, monkeypatch):
    away = f"http://127.0.0.1:{free_port()}"
    told = await refused(f"{bucket.url}/job", {**bucket.environment, "AWS_ENDPOINT_URL": away}, monkeypatch)
    assert f"it cannot be reached at {away}" in told


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("carrier-pigeon://coop", "retouch cannot write to this kind of store: use a path, s3://"),
        ("http://example.com/job", "retouch cannot write to this kind of store"),
        ("s3://key:secret@bucket/job", "the URL contains credentials: set them in AWS_"),
        ("az://container/job?sv=1&sig=secret", "cannot contain . or #: set a token in AZURE_"),
        ("s3:///job", "the bucket is missing"),
        ("az://container/job", "set AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_urls_that_cannot_be_meant(url, says):
    with pytest.raises(StoreError, match=says) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_a_profile_without_its_reader(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_PROFILE", "shop")
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(StoreError, match=r"profiles are read by boto3: install retouch\[aws\]"):
        open_store("s3://bucket/job")


async def test_a_profile(bucket, monkeypatch, tmp_path):
    file = tmp_path / "credentials"
    environment = dict(bucket.environment)
    key, secret = environment.pop("AWS_ACCESS_KEY_ID"), environment.pop("AWS_SECRET_ACCESS_KEY")
    file.write_text(f"[shop]\naws_access_key_id={key}\naws_secret_access_key={secret}\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "shop")
    await prove(open_store(f"{bucket.url}/profile"))
    monkeypatch.setenv("AWS_PROFILE", "another")
    with pytest.raises(StoreError, match=r"the AWS profile cannot be used .*another"):
        open_store(f"{bucket.url}/profile")


#: As S3, Azure and Google word them; no server of the tests does.
WORDS = {
    "ExpiredToken": (
        (
            "status code: 400 Bad Request: <Error><Code>ExpiredToken</Code>"
            "<Message>The provided token has expired.</Message></Error>"
        ),
        "the credentials have expired); renew them",
    ),
    "sso": (
        (
            "The operation lacked valid authentication credentials for path External AWS credential provider: "
            "TokenRetrievalError: Error when retrieving token from sso: Token has expired and refresh failed"
        ),
        "the credentials have expired); renew them",
    ),
    "profile": (
        "The operation lacked valid authentication credentials for path External AWS credential provider: it ended 1",
        "the credentials are not accepted); check AWS_ACCESS_KEY_ID",
    ),
    "region": (
        (
            "status code: 400 Bad Request: <Error><Code>AuthorizationHeaderMalformed</Code><Message>The "
            "header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message>"
            "<Region>eu-west-1</Region></Error>"
        ),
        "the bucket is in eu-west-1); set AWS_REGION",
    ),
    "redirect": (
        (
            "Generic S3 error: Received redirect without LOCATION, this normally indicates an incorrectly configured "
            "region"
        ),
        "the bucket is in another region); set AWS_REGION",
    ),
    "clock": (
        "status code: 403 Forbidden: <Error><Code>RequestTimeTooSkewed</Code></Error>",
        "this machine's clock is wrong); set it",
    ),
    "nothing": (
        (
            "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in 9ms - HTTP error: "
            "error sending request"
        ),
        "no credentials were found); set AWS_ACCESS_KEY_ID",
    ),
    "fault": ("status code: 500 Internal Server Error", "it has an internal error); try again later"),
}


@pytest.mark.parametrize("which", WORDS)
def test_what_stores_say_is_understood(which):
    text, meant = WORDS[which]
    assert meant in sentence("s3://bucket/job", "write", Exception(text))


def test_signatures_in_urls_are_not_shown():
    error = Exception(
        "Error performing PUT https://shop.blob.core.windows.net/c/job.json?sv=2021&sig=secret in 2s: odd"
    )
    assert "secret" not in sentence("az://c/job", "write", error) + said(error)
    assert "odd" in said(error)
