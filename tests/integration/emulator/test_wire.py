"""The emulator over real HTTP: what is refused, what is ordered, what the ledger says."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import ssl

import aiohttp
import pytest
import trustme
from PIL import Image

from pipeline.errors import UsageError
from pipeline.gemini.emulator import Emulator, Latency, Options, read_mark, rule
from tests.integration.emulator.calls import KEY, PATH, SMALL, body, entries, png, post


def picture_of(text: bytes) -> bytes:
    parts = json.loads(text)["candidates"][0]["content"]["parts"]
    return base64.b64decode([part for part in parts if "inlineData" in part][-1]["inlineData"]["data"])


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ({"data": b"{"}, 400, "INVALID_ARGUMENT"),
        ({"json": body(), "headers": {"x-goog-api-key": ""}}, 403, "PERMISSION_DENIED"),
        ({"json": body(), "headers": {"X-Server-Timeout": "9"}}, 400, "INVALID_ARGUMENT"),
        ({"json": body(picture=b"no picture")}, 400, "INVALID_ARGUMENT"),
        ({"json": body(picture=png()[:80])}, 400, "INVALID_ARGUMENT"),
        ({"json": body(), "path": PATH.replace("v1beta", "v1")}, 404, "NOT_FOUND"),
        ({"json": body(), "path": PATH.replace("nano", "mega")}, 404, "NOT_FOUND"),
        ({"json": body(), "path": PATH.replace("generateContent", "predict")}, 404, "NOT_FOUND"),
        ({"json": body(), "path": "/nowhere"}, 404, "NOT_FOUND"),
    ],
)
async def test_what_is_wrong_is_answered_in_googles_shape(http, arguments, code, status):
    """Code, message and status, whatever is wrong."""
    async with http.post(arguments.pop("path", PATH), **arguments) as response:
        error = (await response.json())["error"]
    assert (response.status, error["code"], error["status"]) == (code, code, status)
    assert error["message"]


async def test_a_body_is_parsed_before_its_key_is_looked_at(http):
    """So that a malformed body is a 400 even without a key."""
    async with http.post(PATH, data=b"{", headers={"x-goog-api-key": ""}) as response:
        assert response.status == 400
    async with http.post(f"{PATH}?key=wrong", json=body(), headers={"x-goog-api-key": ""}) as response:
        assert (await response.json())["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (rule("empty"), {}),
        (rule("null"), None),
        (rule("no_candidates", null=True), {"candidates": None}),
        (rule("refused", content="null_parts"), {"candidates": [{"content": {"parts": None}}]}),
        (rule("refused", content="empty"), {"candidates": [{"content": {}}]}),
        (rule("no_image"), {"candidates": [{"finishReason": "NO_IMAGE"}]}),
        (
            rule("refused", message="No."),
            {"candidates": [{"finishReason": "IMAGE_SAFETY", "finishMessage": "No."}]},
        ),
        (rule("truncated"), {"candidates": [{"finishReason": "MAX_TOKENS"}]}),
        (rule("list"), [{"candidates": [{"finishReason": "STOP"}]}]),
    ],
)
async def test_empty_answers_have_the_shape_that_was_ordered(http, emulator, fault, expected):
    """All come with a 200."""
    emulator.order(fault)
    status, text = await post(http)
    assert status == 200
    assert_contains(json.loads(text), expected)


def assert_contains(found, expected):
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        for name, value in expected.items():
            assert_contains(found[name], value)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            assert_contains(one, other)
    else:
        assert found == expected


async def test_picture_data_can_be_spoilt_in_three_ways(http, emulator):
    """No base64, no picture, half a picture."""
    emulator.order(rule("bad_base64"))
    with pytest.raises(ValueError, match="base64"):
        base64.b64decode(
            json.loads((await post(http))[1])["candidates"][0]["content"]["parts"][0]["inlineData"]["data"],
            validate=True,
        )
    emulator.order(rule("undecodable"))
    with pytest.raises(OSError, match="identify"):
        Image.open(io.BytesIO(picture_of((await post(http))[1])))
    emulator.order(rule("cut_picture"))
    cut = picture_of((await post(http))[1])
    with Image.open(io.BytesIO(cut)) as picture, pytest.raises(OSError, match="truncated"):
        picture.load()
    assert emulator.ledger.summary()["pictures"] == 3


async def test_pictures_can_be_unchanged_many_of_another_format_and_of_another_size(http, emulator):
    """What checks on pictures must find."""
    emulator.order(rule("unchanged"))
    assert picture_of((await post(http, body(picture=png())))[1]) == png()
    emulator.order(rule("many_images", images=3))
    parts = json.loads((await post(http))[1])["candidates"][0]["content"]["parts"]
    assert [read_mark(base64.b64decode(part["inlineData"]["data"])) for part in parts] == [
        "row-1~v1",
        "row-1~v2",
        "row-1",
    ]
    emulator.order(rule("picture", file_format="jpeg", claims="image/png", width=320, height=200))
    with Image.open(io.BytesIO(picture_of((await post(http))[1]))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (320, 200))


async def test_names_can_be_spelt_as_proxies_spell_them(http, emulator):
    """snake_case, and fields that nobody knows."""
    emulator.order(rule(spelling="snake", extra_fields=True))
    document = json.loads((await post(http))[1])
    part = document["candidates"][0]["content"]["parts"][-1]
    assert part["inline_data"]["mime_type"] == "image/png"
    assert {"future_field", "thought_signature"} <= set(part)
    assert document["usage_metadata"]["total_token_count"] > 1120


async def test_bodies_that_are_no_json_or_far_too_long(http, emulator):
    """A captive portal's page, and five million characters before the picture."""
    emulator.order(rule("not_json", nth=1), rule("huge_text", bytes=300_000))
    status, text = await post(http)
    assert (status, text[:15]) == (200, b"<!doctype html>")
    status, text = await post(http)
    assert len(json.loads(text)["candidates"][0]["content"]["parts"][0]["text"]) == 300_000
    assert read_mark(picture_of(text)) == "row-1"


async def test_a_body_over_100_mb_is_refused_at_its_announcement(emulator):
    """Without waiting for it."""
    host, port = emulator.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\n\r\n".encode())
    assert b" 400 " in await reader.readline()
    writer.close()
    assert "Request payload size exceeds the limit" in (await entries(emulator))[0].message


async def test_gateways_and_redirects(http, emulator):
    """HTML in place of JSON; a redirect that must not be followed with the key."""
    emulator.order(rule("gateway_html"))
    status, text = await post(http)
    assert status == 502
    assert text.startswith(b"<!DOCTYPE html>")
    emulator.order(rule("redirect"))
    assert (await post(http, allow_redirects=False))[0] == 302
    assert (await post(http, allow_redirects=True))[0] == 404
    async with http.get("/ledger/summary") as response:
        summary = await response.json()
    assert (summary["redirects_followed"], summary["redirects_followed_with_key"]) == (1, 1)


async def test_rules_are_changed_over_http(http, emulator):
    """While calls run."""
    async with http.put("/rules", json={"rules": [{"answer": "status", "code": 503}]}) as response:
        assert await response.json() == {"rules": 1}
    assert (await post(http))[0] == 503
    async with http.put("/rules", json={"rules": [{"answer": "nope"}]}) as response:
        assert "there is no answer" in (await response.json())["error"]["message"]


async def test_it_serves_under_a_certificate_of_ones_own():
    """For tests of SSL_CERT_FILE."""
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    async with Emulator(Options(studio=SMALL, ssl_context=server_context)) as emulator:
        assert emulator.url.startswith("https://")
        connector = aiohttp.TCPConnector(ssl=client_context)
        async with aiohttp.ClientSession(emulator.url, headers=KEY, connector=connector) as http:
            assert (await post(http))[0] == 200
            emulator.order(rule("reset"))
            with pytest.raises(aiohttp.ClientError):
                await post(http)


async def test_a_port_that_is_taken_is_told_in_one_sentence(emulator):
    """And nothing is left open."""
    port = int(emulator.url.rsplit(":", 1)[1])
    with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
        async with Emulator(Options(port=port, latency=Latency())):
            pass
