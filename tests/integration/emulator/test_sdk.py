"""The official SDK works against the emulator: that is how we know that it speaks the wire."""

from __future__ import annotations

import hashlib
import io

import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

from pipeline.gemini.emulator import Options, in_thread, read_mark, rule, token_of
from tests.integration.emulator.calls import SMALL

# The SDK subclasses aiohttp's session, of which aiohttp warns; that is theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "gemini-nano-banana-2.1"


def jpeg(size=(300, 200)) -> bytes:
    target = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(target, "JPEG")
    return target.getvalue()


PICTURE = jpeg()


def client_of(url: str, key: str = "k") -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, api_version="v1beta"))


@pytest.fixture
async def ask(emulator):
    client = client_of(emulator.url)

    async def edit(prompt="make it blue", pictures=(PICTURE,), model=MODEL, **config):
        parts = [types.Part.from_bytes(data=data, mime_type="image/jpeg") for data in pictures]
        return await client.aio.models.generate_content(
            model=model, contents=[*parts, prompt], config=types.GenerateContentConfig(**config)
        )

    yield edit
    await client.aio.aclose()


def images(response) -> list[bytes]:
    return [part.inline_data.data for part in response.candidates[0].content.parts if part.inline_data]


async def test_an_edit_comes_back_as_a_picture_of_its_row(ask):
    """Prose and picture, with the mark of the request, the usage by modality, and the names of model and answer."""
    response = await ask()
    text, part = response.candidates[0].content.parts
    assert text.text == "Here is the edited image."
    assert part.inline_data.mime_type == "image/png"
    assert part.thought_signature
    assert read_mark(part.inline_data.data) == token_of("make it blue", [PICTURE])
    with Image.open(io.BytesIO(part.inline_data.data)) as picture:
        picture.load()
        assert picture.width / picture.height == pytest.approx(1.5, rel=0.03)
    assert response.candidates[0].finish_reason is types.FinishReason.STOP
    assert response.model_version == MODEL
    assert response.response_id
    usage = response.usage_metadata
    assert usage.candidates_tokens_details[0].modality is types.MediaModality.IMAGE
    assert usage.candidates_tokens_details[0].token_count == 1120 < usage.candidates_token_count
    assert {detail.modality for detail in usage.prompt_tokens_details} == {
        types.MediaModality.TEXT,
        types.MediaModality.IMAGE,
    }
    parts = (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
    assert usage.total_token_count == sum(parts)


def test_the_synchronous_client_works_as_well():
    """Over an emulator in a thread."""
    with in_thread(Options(studio=SMALL)) as emulator, client_of(emulator.url) as client:
        response = client.models.generate_content(model=MODEL, contents="a red bicycle [[row-3]]")
        assert read_mark(images(response)[0]) == "row-3"
        assert client.models.get(model=MODEL).output_token_limit == 32_768
        assert emulator.ledger.summary()["paid"] == 1


async def test_size_and_ratio_are_followed(ask):
    """2K of 16:9 is twice the grid of 1K, before the studio shrinks it."""
    config = types.ImageConfig(aspect_ratio="16:9", image_size="2K")
    response = await ask(image_config=config, response_modalities=["IMAGE"])
    with Image.open(io.BytesIO(images(response)[0])) as picture:
        assert picture.size == (round(2752 / 6), round(1536 / 6))
    assert len(response.candidates[0].content.parts) == 1
    assert response.usage_metadata.candidates_token_count == 1680


async def test_text_alone_is_answered_with_text(ask):
    """No picture where none was asked for."""
    response = await ask(response_modalities=["TEXT"])
    assert response.text
    assert not images(response)


async def test_several_pictures_make_one(ask, emulator):
    """All of them are read, and one picture comes back."""
    response = await ask("put them together [[trio]]", pictures=[PICTURE, jpeg((100, 100)), jpeg((50, 90))])
    assert read_mark(images(response)[0]) == "trio"
    assert next(emulator.ledger.calls()).inputs == 3


async def test_files_are_uploaded_used_listed_and_deleted(emulator, tmp_path):
    """As a program of Google's SDK does it: the picture painted is of the bytes that were uploaded."""
    path = tmp_path / "reference.jpg"
    path.write_bytes(PICTURE)
    client = client_of(emulator.url)
    file = await client.aio.files.upload(file=path, config={"display_name": "a reference"})
    assert (file.state, file.source) == (types.FileState.ACTIVE, types.FileSource.UPLOADED)
    assert (file.display_name, file.mime_type, file.size_bytes) == ("a reference", "image/jpeg", len(PICTURE))
    assert (file.expiration_time - file.create_time).total_seconds() == 48 * 3600
    assert (await client.aio.files.get(name=file.name)) == file
    response = await client.aio.models.generate_content(model=MODEL, contents=[file, "make it blue"])
    assert read_mark(images(response)[0]) == token_of("make it blue", [PICTURE])
    others = [
        await client.aio.files.upload(file=io.BytesIO(PICTURE), config={"mime_type": "image/jpeg"})
        for _ in "ab"
    ]
    listed = [one.name async for one in await client.aio.files.list(config={"page_size": 2})]
    assert listed == [others[1].name, others[0].name, file.name]
    await client.aio.files.delete(name=file.name)
    for gone in (
        client.aio.files.get(name=file.name),
        client_of(emulator.url, "another").aio.files.get(name=others[0].name),
    ):
        with pytest.raises(errors.ClientError, match="may not exist") as caught:
            await gone
        assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
    uploads = list(emulator.ledger.uploads())
    assert [(upload.calls, upload.deleted) for upload in uploads] == [(1, True), (0, False), (0, False)]
    assert emulator.ledger.summary()["files_left"] == 2
    await client.aio.aclose()


async def test_a_file_in_pieces_is_put_together(emulator):
    """Of more bytes than the SDK sends at once."""
    data = PICTURE + bytes(17 << 20)
    with in_thread(Options(studio=SMALL)) as running, client_of(running.url) as client:
        file = client.files.upload(file=io.BytesIO(data), config={"mime_type": "image/jpeg"})
        assert file.size_bytes == len(data)
        [upload] = running.ledger.uploads()
        assert upload.sha256 == hashlib.sha256(data).hexdigest()


async def test_models_are_listed_page_by_page_and_got(emulator):
    """As doctor does before money is spent."""
    client = client_of(emulator.url)
    names = [model.name async for model in await client.aio.models.list(config={"page_size": 2})]
    assert f"models/{MODEL}" in names
    assert len(names) == len(set(names)) == 6
    assert (await client.aio.models.get(model=MODEL)).supported_actions == ["generateContent", "countTokens"]
    with pytest.raises(errors.ClientError) as caught:
        await client.aio.models.get(model="gemini-none")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    await client.aio.aclose()


async def test_keys_are_checked(emulator):
    """A bad key is a 400 with its reason."""
    client = client_of(emulator.url, key="wrong")
    with pytest.raises(errors.ClientError) as caught:
        await client.aio.models.generate_content(model=MODEL, contents="x")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    await client.aio.aclose()


@pytest.mark.parametrize(
    ("fault", "code", "status", "quota_id", "delay"),
    [
        (rule("rate_limited", retry_delay=0.25), 429, "RESOURCE_EXHAUSTED", "PerMinute", "0.25s"),
        (rule("quota_day"), 429, "RESOURCE_EXHAUSTED", "PerDay", "50s"),
        (rule("quota_zero"), 429, "RESOURCE_EXHAUSTED", "FreeTier", "50s"),
        (rule("spend_limited"), 429, "RESOURCE_EXHAUSTED", None, None),
        (rule("bare_429"), 429, "RESOURCE_EXHAUSTED", None, None),
        (rule("status", code=402), 402, "RESOURCE_EXHAUSTED", None, None),
        (rule("status", code=503), 503, "UNAVAILABLE", None, None),
        (rule("status", code=400, status_name="FAILED_PRECONDITION"), 400, "FAILED_PRECONDITION", None, None),
        (rule("unknown_field"), 400, "INVALID_ARGUMENT", None, None),
    ],
)
async def test_errors_carry_code_status_and_details(ask, emulator, fault, code, status, quota_id, delay):
    """As the SDK reads them."""
    emulator.order(fault)
    with pytest.raises(errors.APIError) as caught:
        await ask()
    assert (caught.value.code, caught.value.status) == (code, status)
    details = {
        entry["@type"].rsplit(".", 1)[1]: entry for entry in caught.value.details["error"].get("details", [])
    }
    if quota_id:
        assert quota_id in details["QuotaFailure"]["violations"][0]["quotaId"]
    assert details.get("RetryInfo", {}).get("retryDelay") == delay
    assert emulator.ledger.summary()["paid"] == 0


@pytest.mark.parametrize("reason", [reason for reason in types.FinishReason if reason.value != "STOP"])
async def test_every_finish_reason_is_understood(ask, emulator, reason):
    """Without content, as refusals come."""
    emulator.order(rule("refused", finish_reason=reason.value))
    response = await ask()
    assert response.candidates[0].finish_reason is reason
    assert response.candidates[0].content is None
    assert response.usage_metadata.candidates_token_count == 0


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"])
async def test_a_blocked_prompt_has_feedback_and_no_candidates(ask, emulator, reason):
    """The reason stands in promptFeedback."""
    emulator.order(rule("prompt_blocked", block_reason=reason))
    response = await ask()
    assert response.candidates is None
    assert response.prompt_feedback.block_reason.value == reason


async def test_drafts_carry_their_flag_and_a_mark_of_their_own(ask, emulator):
    """A test sees when a draft is taken for the picture."""
    emulator.order(rule("thought_images", drafts=2))
    response = await ask("draw [[row-1]]", response_modalities=["IMAGE"])
    marks = [read_mark(data) for data in images(response)]
    assert marks == ["row-1~d1", "row-1~d2", "row-1"]
    assert [part.thought for part in response.candidates[0].content.parts] == [True, True, None]
    assert response.usage_metadata.candidates_token_count == 3 * 1120


async def test_an_unknown_reason_and_unknown_fields_are_survived(ask, emulator):
    """Tomorrow's answers; the SDK warns of the reason and goes on."""
    emulator.order(rule("picture", finish_reason="BANANA_SPLIT", extra_fields=True))
    with pytest.warns(UserWarning, match="BANANA_SPLIT"):
        response = await ask()
    assert response.candidates[0].finish_reason.value == "BANANA_SPLIT"
    assert images(response)


async def test_text_only_twice_and_then_a_picture(ask, emulator):
    """By one rule, for each row."""
    emulator.order(rule("text_only", times_per_token=2))
    answers = [images(await ask("draw [[row-1]]")) for _ in range(3)]
    assert [len(answer) for answer in answers] == [0, 0, 1]
    assert [call.attempt for call in emulator.ledger.calls({"token": "row-1"})] == [1, 2, 3]
