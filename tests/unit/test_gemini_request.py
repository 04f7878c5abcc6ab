"""What is asked, and its body on the way."""

import base64
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from pipeline.attempt import Variant
from pipeline.errors import InvalidInput
from pipeline.gemini.request import EXPLICIT, ImageRequest, wording
from pipeline.gemini.upload import READ, Upload, check
from pipeline.picture import SentPicture


def sent(path: Path, size: int | None = None, mime_type: str = "image/png") -> SentPicture:
    length = path.stat().st_size if size is None else size
    return SentPicture(
        path=path, mime_type=mime_type, bytes=length,
        sha256="", width=1, height=1,
        original_sha256="", original_mime_type=mime_type,
    )  # fmt: skip


async def _drain(pieces: AsyncIterator[object]) -> None:
    async for _ in pieces:
        pass


def nothing() -> None:
    pass


async def body(upload: Upload) -> bytes:
    return b"".join([bytes(piece) async for piece in upload])


def test_wording() -> None:
    """The tries: untouched, explicit, explicit and image alone."""
    assert wording(" Make it {blue} ", Variant.PLAIN) == (" Make it {blue} ", ("TEXT", "IMAGE"))
    text, modalities = wording("Make it blue.\n", Variant.EXPLICIT)
    assert text == f"Make it blue.\n\n{EXPLICIT}"
    assert modalities == ("TEXT", "IMAGE")
    assert wording("Make it blue.\n", Variant.IMAGE_ONLY) == (text, ("IMAGE",))
    assert wording("", Variant.EXPLICIT)[0] == EXPLICIT


async def test_pictures_that_were_uploaded_are_named_in_their_places(tmp_path: Path) -> None:
    """Inline or not, they stand in the order of the row, and the length is exact."""
    (tmp_path / "a").write_bytes(b"inline")
    names = ("far", "near", "far too", "near too", "last")
    pictures = tuple(msgspec.structs.replace(sent(tmp_path / "a"), sha256=name) for name in names)
    uploaded = {"far": "https://x/v1beta/files/a", "far too": 'https://x/v1beta/files/"', "last": "z"}
    request = ImageRequest(model="m", prompt="p", pictures=pictures, uploaded=uploaded)
    with ThreadPoolExecutor(1) as reader:
        upload = Upload(request, reader, nothing, nothing)
        text = await body(upload)
    parts = json.loads(text)["contents"][0]["parts"]
    assert upload.length == len(text)
    assert [part.get("fileData", {}).get("fileUri") for part in parts] == [
        "https://x/v1beta/files/a", None, 'https://x/v1beta/files/"', None, "z", None,
    ]  # fmt: skip
    assert [base64.b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part] == [
        b"inline"
    ] * 2
    assert parts[-1] == {"text": "p"}
    (tmp_path / "a").unlink()
    check(ImageRequest(model="m", prompt="p", pictures=pictures[:1], uploaded=uploaded))


@pytest.mark.parametrize("size", [1, 2, 3, 4, READ - 1, READ, READ + 1, 2 * READ + 7])
async def test_body(tmp_path: Path, size: int) -> None:
    """Streamed JSON is what json.dumps would make, of exactly the announced length."""
    raw = bytes(range(256)) * (size // 256 + 1)
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(raw[:size])
    second.write_bytes(b"xyz")
    pictures = (sent(first), sent(second, mime_type="image/jpeg"))
    request = ImageRequest(
        model="m", prompt='Ä "q"\n\U0001f600', pictures=pictures, aspect_ratio="16:9", image_size="2K"
    )
    with ThreadPoolExecutor(1) as reader:
        upload = Upload(request, reader, nothing, nothing)
        made = await body(upload)
    assert len(made) == upload.length
    assert json.loads(made) == {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(raw[:size]).decode()}},
                    {"inlineData": {"mimeType": "image/jpeg", "data": base64.b64encode(b"xyz").decode()}},
                    {"text": 'Ä "q"\n\U0001f600'},
                ],
            }
        ],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"},
        },
    }  # fmt: skip


async def test_body_without_pictures() -> None:
    """A prompt alone generates; what is not given is not sent."""
    with ThreadPoolExecutor(1) as reader:
        upload = Upload(ImageRequest(model="m", prompt="x", modalities=("IMAGE",)), reader, nothing, nothing)
        assert json.loads(await body(upload)) == {
            "contents": [{"role": "user", "parts": [{"text": "x"}]}],
            "generationConfig": {"responseModalities": ["IMAGE"]},
        }
    assert upload.length == len(await body(upload))


async def test_phases(tmp_path: Path) -> None:
    """Begun with the first piece, sent right before the last."""
    path = tmp_path / "a"
    path.write_bytes(bytes(10))
    calls: list[str] = []
    with ThreadPoolExecutor(1) as reader:
        request = ImageRequest(model="m", prompt="x", pictures=(sent(path),))
        upload = Upload(request, reader, lambda: calls.append("begun"), lambda: calls.append("sent"))
        seen = [(upload.begun, upload.sent)]
        seen += [(upload.begun, upload.sent) async for _ in upload]
    assert seen == [(False, False), (True, False), (True, False), (True, True)]
    assert calls == ["begun", "sent"]


async def test_a_file_that_changed(tmp_path: Path) -> None:
    """A picture that is not what was prepared stops the request before its last piece."""
    path = tmp_path / "a"
    path.write_bytes(bytes(3 * READ))
    request = ImageRequest(model="m", prompt="x", pictures=(sent(path),))
    check(request)
    with ThreadPoolExecutor(1) as reader:
        upload = Upload(request, reader, nothing, nothing)
        pieces = aiter(upload)
        for _ in range(3):
            await anext(pieces)
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(InvalidInput, match="changed"):
            await _drain(pieces)
    assert upload.fault is not None
    assert not upload.sent
    for spoil in (path.unlink, nothing):
        with pytest.raises(InvalidInput, match=r"changed: .*a has changed since it was checked"):
            check(request)
        spoil()


@pytest.mark.parametrize("model", ["", "a b", "../x", "a//b", "x?key=1", "x#", "models/../../x", "/x"])
def test_no_model(model: str) -> None:
    """What cannot be a model's id never becomes a path."""
    with pytest.raises(InvalidInput, match="model"):
        _ = ImageRequest(model=model, prompt="x").path


def test_path() -> None:
    """v1beta is pinned; a model may name its collection."""
    assert ImageRequest(model="m-2.1", prompt="").path == "/v1beta/models/m-2.1:generateContent"
    assert ImageRequest(model="tunedModels/x", prompt="").path == "/v1beta/tunedModels/x:generateContent"


def test_half_a_character() -> None:
    """A lone surrogate cannot be sent, and says so."""
    with ThreadPoolExecutor(1) as reader, pytest.raises(InvalidInput, match="prompt"):
        Upload(ImageRequest(model="m", prompt="\ud800"), reader, nothing, nothing)
