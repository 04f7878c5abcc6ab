"""Requests are refused where the API refuses them, in its words."""

from __future__ import annotations

import base64
import json

import pytest

from pipeline.gemini.emulator.catalogue import MODELS
from pipeline.gemini.emulator.google_errors import WireError
from pipeline.gemini.emulator.request import token_of, understand
from pipeline.gemini.emulator.schema import parse_body, snake

MODEL = MODELS["gemini-nano-banana-2.1"]
PNG = base64.b64encode(b"pretend").decode()
TEXT = {"contents": [{"parts": [{"text": "make it blue"}]}]}


def read(document, model=MODEL):
    return understand(parse_body(json.dumps(document).encode()), model)


def config(**settings):
    return {**TEXT, "generationConfig": settings}


def refusal(document, model=MODEL):
    with pytest.raises(WireError) as caught:
        read(document, model)
    return caught.value


def test_both_spellings_are_read_alike():
    """camelCase and snake_case mean the same."""
    camel = {
        "contents": [
            {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}, {"text": "x"}]}
        ],
        "generationConfig": {
            "responseModalities": ["IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        },
    }
    spelt = {
        "contents": [
            {
                "role": "user",
                "parts": [{"inline_data": {"mime_type": "image/png", "data": PNG}}, {"text": "x"}],
            }
        ],
        "generation_config": {
            "response_modalities": ["IMAGE"],
            "image_config": {"aspect_ratio": "16:9", "image_size": "2K"},
        },
    }
    assert read(camel) == read(spelt)
    asked = read(camel)
    assert (asked.prompt, asked.pictures, asked.ratio, asked.size) == ("x", (b"pretend",), "16:9", "2K")
    assert asked.modalities == {"IMAGE"}


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ({**TEXT, "x": 1}, None, 'Unknown name "x": Cannot find field.'),
        (config(x=1), "generation_config", "Unknown name \"x\" at 'generation_config': Cannot find field."),
        (
            config(imageConfig={"outputMimeType": "image/jpeg"}),
            "generation_config.image_config",
            "outputMimeType",
        ),
        ({"contents": [{"parts": [{"txt": "a"}]}]}, "contents[0].parts[0]", "at 'contents[0].parts[0]'"),
        (config(temperature=[1]), "generation_config.temperature", "Proto field is not repeating"),
        (config(imageConfig="16:9"), "generation_config.image_config", "Invalid value at"),
        ({"contents": [{"parts": [{"text": 5}]}]}, "contents[0].parts[0].text", "TYPE_STRING"),
        ({**TEXT, "generationConfig": {}, "generation_config": {}}, None, "already set"),
        (config(candidateCount=10**400), "generation_config.candidate_count", "TYPE_NUMBER"),
        (config(maxOutputTokens="many"), "generation_config.max_output_tokens", "TYPE_NUMBER"),
        (config(mediaResolution={"a": 1}), "generation_config.media_resolution", "MediaResolution"),
        (
            {**TEXT, "safetySettings": [{"threshold": 5}]},
            "safety_settings[0].threshold",
            "HarmBlockThreshold",
        ),
    ],
)
def test_an_unknown_name_or_a_wrong_type_is_named_with_its_place(document, field, message):
    """As Google's JSON reader words it, with fieldViolations."""
    error = refusal(document)
    assert error.code == 400
    assert message in error.message
    violation = error.details[0]["fieldViolations"][0]
    assert violation.get("field") == field
    assert message in violation["description"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_400(body):
    """Malformed JSON never gets further."""
    with pytest.raises(WireError) as caught:
        parse_body(body)
    assert caught.value.code == 400
    assert "Invalid JSON payload received" in caught.value.message


def test_every_unknown_name_is_listed():
    """One answer names all of them."""
    error = refusal({**TEXT, "a": 1, "generationConfig": {"b": 2}})
    assert [v["description"][:45] for v in error.details[0]["fieldViolations"]]
    assert len(error.details[0]["fieldViolations"]) == 2


def test_null_is_not_set_and_one_element_stands_for_a_list():
    """As in protobuf's JSON."""
    asked = read({"contents": {"parts": {"text": "hello"}}, "generationConfig": None})
    assert asked.prompt == "hello"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (config(temperature=0.5), "temperature"),
        (config(topP=1), "top_p"),
        (config(topK=1), "top_k"),
        (config(seed=1), "seed"),
        (config(candidateCount=2), "Multiple candidates"),
        (config(thinkingConfig={"thinkingBudget": 0}), "thinking_budget"),
        (config(thinkingConfig={"thinkingLevel": "XHIGH"}), "Thinking level"),
        (config(imageConfig={"aspectRatio": "7:5"}), "Aspect ratio 7:5 is not supported"),
        (config(imageConfig={"imageSize": "2k"}), "Image size 2k is not supported"),
        (config(imageConfig={"imageSize": "512"}), "Image size 512 is not supported"),
        (config(responseModalities=["PICTURE"]), "response_modalities[0]"),
        (config(responseModalities=["AUDIO"]), "response modalities"),
        (config(responseMimeType="application/json"), "JSON mode"),
        ({"contents": []}, "contents is not specified"),
        ({"contents": [{"parts": []}]}, "must not be empty"),
        ({"contents": [{"parts": [{}]}]}, "required oneof"),
        ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "valid role"),
        ({"contents": [{"parts": [{"text": "x", "inlineData": {}}]}]}, "oneof"),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/gif", "data": PNG}}]}]},
            "Unsupported MIME type",
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "?"}}]}]},
            "Base64 decoding failed",
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]},
            "Unable to process input image",
        ),
        (
            {
                "contents": [
                    {"role": "model", "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]}
                ]
            },
            "Image part is missing a thought_signature in content position 1, part position 1",
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}] * 15}]},
            "15 images",
        ),
        ({**TEXT, "serviceTier": "FLEX"}, "service_tier"),
    ],
)
def test_what_the_api_does_not_take_is_a_400(document, message):
    """Each with a sentence that names it."""
    error = refusal(document)
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT")
    assert message in error.message


def test_models_differ_in_what_they_take():
    """512 is of one model alone, the widest ratios of two, sampling of the elder ones."""
    flash, pro, lite, nano = (
        MODELS[name]
        for name in (
            "gemini-3.1-flash-image",
            "gemini-3-pro-image",
            "gemini-3.1-flash-lite-image",
            "gemini-2.5-flash-image",
        )
    )
    assert read(config(imageConfig={"imageSize": "512"}), flash).size == "512"
    assert read(config(temperature=0.5), pro).prompt == "make it blue"
    assert "Aspect ratio" in refusal(config(imageConfig={"aspectRatio": "8:1"}), pro).message
    assert "Image size" in refusal(config(imageConfig={"imageSize": "2K"}), lite).message
    assert "Image size" in refusal(config(imageConfig={"imageSize": "1K"}), nano).message


def test_a_file_that_was_never_uploaded_is_a_403():
    """The API says the same of another project's file."""
    document = {
        "contents": [{"parts": [{"fileData": {"mimeType": "image/png", "fileUri": "https://x/files/abc"}}]}]
    }
    error = refusal(document)
    assert (error.code, error.status) == (403, "PERMISSION_DENIED")
    assert "abc" in error.message


def test_a_token_is_taken_from_the_prompt_or_made_from_the_request():
    """With ``[[...]]`` it outlives a changed prompt."""
    assert token_of("make it blue [[row-7]]", [b"a"]) == "row-7"
    assert token_of("make it blue", [b"a"]) == token_of("make it blue", [b"a"])
    assert (
        len(
            {
                token_of("blue", [b"a"]),
                token_of("red", [b"a"]),
                token_of("blue", [b"b"]),
                token_of("blue", []),
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    ("name", "field"), [("inlineData", "inline_data"), ("topP", "top_p"), ("text", "text")]
)
def test_snake(name, field):
    """Names are compared in one spelling."""
    assert snake(name) == field
