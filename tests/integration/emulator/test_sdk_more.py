"""What else a user of the official SDK calls: streams, chats, counts, thoughts, tools, retries, headers."""

from __future__ import annotations

import io

import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

from pipeline.gemini.emulator import Options, in_thread, read_mark, rule
from tests.integration.emulator.calls import SMALL, png, post

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

MODEL = "gemini-nano-banana-2.1"
PRO = "gemini-3-pro-image"
PICTURE = types.Part.from_bytes(data=png(), mime_type="image/png")


@pytest.fixture
async def client(emulator):
    made = genai.Client(
        api_key="k", http_options=types.HttpOptions(base_url=emulator.url, api_version="v1beta")
    )
    yield made
    await made.aio.aclose()


def pictures(*responses) -> list[bytes]:
    parts = [
        part for each in responses for part in (each.candidates[0].content.parts if each.candidates else [])
    ]
    return [part.inline_data.data for part in parts if part.inline_data]


async def test_a_stream_brings_a_part_at_a_time_and_ends_with_its_reason(client, emulator):
    """Server-sent events, the picture whole in one of them; one call in the ledger."""
    stream = await client.aio.models.generate_content_stream(
        model=MODEL, contents=[PICTURE, "make it blue [[row-1]]"]
    )
    chunks = [chunk async for chunk in stream]
    assert [chunk.text for chunk in chunks] == ["Here is the edited image.", None]
    assert read_mark(pictures(*chunks)[0]) == "row-1"
    assert [chunk.candidates[0].finish_reason for chunk in chunks] == [None, types.FinishReason.STOP]
    assert len({chunk.response_id for chunk in chunks}) == 1
    assert chunks[-1].usage_metadata.total_token_count > 1120
    assert emulator.ledger.summary()["paid"] == 1


async def test_a_stream_without_alt_is_an_array_errors_included(http, emulator):
    """As plain REST clients get it."""
    path = f"/v1beta/models/{MODEL}:streamGenerateContent"
    async with http.post(path, json={"contents": [{"parts": [{"text": "draw [[row-1]]"}]}]}) as answer:
        chunks = await answer.json()
    assert [len(chunk["candidates"][0]["content"]["parts"]) for chunk in chunks] == [1, 1]
    async with http.post(path, json={"contents": []}) as answer:
        assert answer.status == 400
        assert (await answer.json())[0]["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("fault", ["rate_limited", "gateway_html", "status"])
async def test_a_stream_that_is_refused_raises_what_a_call_raises(client, emulator, fault):
    """Before any event."""
    emulator.order(rule(fault))
    with pytest.raises(errors.APIError) as caught:
        async for _ in await client.aio.models.generate_content_stream(model=MODEL, contents="x"):
            pass
    assert caught.value.code in (429, 502, 503)


@pytest.mark.parametrize("reason", ["IMAGE_SAFETY", "NO_IMAGE"])
async def test_a_stream_without_a_picture_says_why(client, emulator, reason):
    emulator.order(rule("refused", finish_reason=reason))
    stream = await client.aio.models.generate_content_stream(model=MODEL, contents="x")
    assert [chunk.candidates[0].finish_reason.value async for chunk in stream] == [reason]


def test_a_synchronous_stream_works_as_well():
    with (
        in_thread(Options(studio=SMALL)) as emulator,
        genai.Client(
            api_key="k", http_options=types.HttpOptions(base_url=emulator.url, api_version="v1beta")
        ) as client,
    ):
        chunks = list(client.models.generate_content_stream(model=MODEL, contents="a bicycle [[row-3]]"))
    assert read_mark(pictures(*chunks)[0]) == "row-3"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_chat_edits_what_it_made_before(client, emulator, streamed):
    """The model's turn goes back with its signatures; the second edit is of the first one's picture."""
    chat = client.aio.chats.create(model=MODEL)

    async def say(message):
        if not streamed:
            return [await chat.send_message(message)]
        return [chunk async for chunk in await chat.send_message_stream(message)]

    first = await say([PICTURE, "make it blue [[row-1]]"])
    second = await say("now flip it")
    assert read_mark(pictures(*second)[0]) == "row-1"
    calls = list(emulator.ledger.calls())
    assert [call.inputs for call in calls] == [1, 1]
    assert second[-1].usage_metadata.prompt_token_count > first[-1].usage_metadata.prompt_token_count
    assert len(chat.get_history(curated=True)) == 4 + (2 if streamed else 0)


@pytest.mark.parametrize("without", ["Image", "Text"])
async def test_a_turn_that_comes_back_without_its_signatures_is_refused(client, without):
    """By every model that thinks; the elder one has none to give."""
    first = await client.aio.models.generate_content(model=MODEL, contents=[PICTURE, "make it blue"])
    turn = first.candidates[0].content.model_copy(deep=True)
    for part in turn.parts:
        if (part.inline_data is not None) is (without == "Image"):
            part.thought_signature = None
    history = [types.UserContent([PICTURE, "make it blue"]), turn, types.UserContent("flip it")]
    with pytest.raises(
        errors.ClientError, match=f"{without} part is missing a thought_signature in content position 2"
    ):
        await client.aio.models.generate_content(model=MODEL, contents=history)
    for model in (MODEL, "gemini-2.5-flash-image"):
        for part in turn.parts:
            part.thought_signature = b"skip_thought_signature_validator" if model == MODEL else None
        assert pictures(await client.aio.models.generate_content(model=model, contents=history))


async def test_tokens_are_counted_at_no_cost(client, emulator):
    """As the usage of the same call says afterwards."""
    contents = [PICTURE, "make it blue, as blue as the sky can be"]
    counted = await client.aio.models.count_tokens(model=MODEL, contents=contents)
    assert emulator.ledger.summary()["calls"] == 0
    answer = await client.aio.models.generate_content(model=MODEL, contents=contents)
    assert counted.total_tokens == answer.usage_metadata.prompt_token_count > 1680
    with pytest.raises(errors.ClientError) as caught:
        await client.aio.models.count_tokens(model="gemini-none", contents="x")
    assert caught.value.code == 404


async def test_thoughts_come_along_when_they_are_asked_for(client):
    """With their flag; the first part that is none is signed."""
    answer = await client.aio.models.generate_content(
        model=MODEL,
        contents="draw [[row-1]]",
        config=types.GenerateContentConfig(
            thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level="high")
        ),
    )
    thought, text, picture = answer.candidates[0].content.parts
    assert thought.thought
    assert not thought.thought_signature
    assert text.thought_signature
    assert picture.inline_data


@pytest.mark.parametrize(
    ("model", "config", "message"),
    [
        (MODEL, {"seed": 1}, "seed"),
        (MODEL, {"candidate_count": 2}, "Multiple candidates"),
        (MODEL, {"tools": [{"function_declarations": [{"name": "f"}]}]}, "Function calling"),
        (MODEL, {"tools": [{"code_execution": {}}]}, "Code execution"),
        ("gemini-3.1-flash-lite-image", {"tools": [{"google_search": {}}]}, "Search as tool"),
        (MODEL, {"cached_content": "cachedContents/x"}, "caching"),
        (MODEL, {"media_resolution": "MEDIA_RESOLUTION_ULTRA_HIGH"}, "generation_config.media_resolution"),
        (
            MODEL,
            {"safety_settings": [{"category": "HARM_CATEGORY_IMAGE_HATE", "threshold": "OFF"}]},
            r"safety_settings\[0\].category",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is not a valid:UserWarning")
async def test_what_image_models_do_not_take_is_a_400(client, emulator, model, config, message):
    """In the words of the API, and nothing is paid."""
    with pytest.raises(errors.ClientError, match=message) as caught:
        await client.aio.models.generate_content(
            model=model, contents="x", config=types.GenerateContentConfig(**config)
        )
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert emulator.ledger.summary()["paid"] == 0


async def test_what_image_models_take_is_taken(client):
    """Safety settings, a system instruction, search, a service tier, resolutions, headers of the user's own."""
    config = types.GenerateContentConfig(
        system_instruction="You are a retoucher.",
        safety_settings=[
            types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH")
        ],
        tools=[types.Tool(google_search=types.GoogleSearch())],
        media_resolution="MEDIA_RESOLUTION_HIGH",
        service_tier="flex",
        response_modalities=["Text", "image"],
        candidate_count=1,
        http_options=types.HttpOptions(timeout=30_000, headers={"x-mine": "1"}, api_version="v1alpha"),
    )
    assert pictures(await client.aio.models.generate_content(model=MODEL, contents="x", config=config))
    seeded = types.GenerateContentConfig(seed=7, temperature=0.5, top_p=0.9)
    assert pictures(await client.aio.models.generate_content(model=PRO, contents="x", config=seeded))


async def test_a_limit_below_a_picture_leaves_none(client):
    """MAX_TOKENS, paid and without a picture."""
    config = types.GenerateContentConfig(max_output_tokens=100)
    answer = await client.aio.models.generate_content(model=MODEL, contents="x", config=config)
    assert answer.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert answer.candidates[0].content is None


async def test_the_version_that_the_sdk_asks_by_itself_lists_four_models(emulator):
    """Under /v1, where the newest id is a 404."""
    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=emulator.url))
    names = {model.name async for model in await client.aio.models.list()}
    assert len(names) == 4
    with pytest.raises(errors.ClientError, match="not found for API version v1") as caught:
        await client.aio.models.generate_content(model=MODEL, contents="x")
    assert caught.value.code == 404
    assert pictures(await client.aio.models.generate_content(model=PRO, contents="x"))
    await client.aio.aclose()


async def test_the_sdk_tries_again_as_it_was_told(client, emulator):
    emulator.order(rule("status", code=503, times=2))
    retry = types.HttpRetryOptions(attempts=3, initial_delay=0.01, max_delay=0.02)
    answer = await client.aio.models.generate_content(
        model=MODEL,
        contents="draw [[row-1]]",
        config=types.GenerateContentConfig(http_options=types.HttpOptions(retry_options=retry)),
    )
    with Image.open(io.BytesIO(pictures(answer)[0])) as picture:
        picture.load()
    assert [call.status for call in emulator.ledger.calls()] == [503, 503, 200]


@pytest.mark.parametrize("count", ["abc", "", 1.5, "1e99999"])
async def test_a_number_that_is_none_is_a_400(http, count):
    status, body = await post(
        http,
        {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"candidateCount": count}},
    )
    assert status == 400, body
    assert b"candidate_count" in body
