"""Interprets the message of a call, and rejects it in the API's words if the API would.

Sections 1.2, 2 and 4 of gemini-api.md say what is checked here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.gemini.emulator.catalogue import Model
from pipeline.gemini.emulator.google_errors import WireError, field_violations, invalid

INPUT_MIMES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
MAX_INPUTS = 14
DEFAULT_MODALITIES = frozenset({"TEXT", "IMAGE"})
_SAMPLING = ("temperature", "top_p", "top_k", "seed", "logprobs", "response_logprobs")
_TOOLS = {
    "google_search": "Search as tool",
    "code_execution": "Code execution",
    "url_context": "Browse as tool",
}
_NOT_FOR_PICTURES = ("response_schema", "response_json_schema", "speech_config")
# Web-safe base64 is taken too, as everywhere in the JSON of protobuf (the SDK sends it).
_WEB_SAFE = str.maketrans("-_", "+/")
_TOKEN_IN_PROMPT = re.compile(r"\[\[([A-Za-z0-9._~:-]{1,36})\]\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class EditRequest:
    """What one call asks for.

    Attributes:
        prompt: the texts of all turns of the user.
        pictures: those to edit: the model's last picture, if there is one, and what the user added after it.
        token: the identity that is painted into the picture; see :func:`token_of`.
        ratio: the requested aspect ratio; None: that of the first picture.
        characters: of all texts; ``images``: the number of all pictures, including those of earlier turns.
        shows_thoughts: whether the answer should include the model's thoughts.
        limit: tokens that the answer may have; None: the model's own limit.
    """

    model: Model
    prompt: str
    pictures: tuple[bytes, ...]
    modalities: frozenset[str]
    ratio: str | None
    size: str
    token: str
    characters: int = 0
    images: int = 0
    shows_thoughts: bool = False
    limit: int | None = None

    @property
    def wants_picture(self) -> bool:
        """Whether a picture is among the requested modalities."""
        return "IMAGE" in self.modalities


def token_of(prompt: str, pictures: Sequence[bytes]) -> str:
    """The identity of a request: ``[[token]]`` in the prompt, else a short hash of prompt and pictures.

    A retry that changes the prompt keeps its identity only with ``[[token]]``.
    """
    named = _TOKEN_IN_PROMPT.search(prompt)
    if named:
        return named[1]
    digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass"))
    for picture in pictures:
        digest.update(hashlib.sha256(picture).digest())
    return digest.hexdigest()[:12]


#: Returns the bytes that a part's ``file_data`` refers to, or raises the API's error.
Files = Callable[[Mapping[str, Any]], bytes]


def no_files(file_data: Mapping[str, Any]) -> bytes:
    """:data:`Files` without any uploads."""
    file_id = str(file_data.get("file_uri", "")).rpartition("/")[2]
    raise WireError(403, f"You do not have permission to access the File {file_id} or it may not exist.")


def understand(message: Mapping[str, Any], model: Model, files: Files = no_files) -> EditRequest:
    """The request in a message to a model, or the API's 400."""
    contents = message.get("contents") or []
    if not contents:
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")
    config = message.get("generation_config") or {}
    _check_tier(message.get("service_tier"))
    _check_tools(message, model)
    _check_parameters(config, model)
    ratio, size = _image_config(config.get("image_config") or {}, model)
    system = [
        str(part.get("text", "")) for part in (message.get("system_instruction") or {}).get("parts", [])
    ]
    said = _read_contents(contents, model, files)
    if said.images > MAX_INPUTS:
        raise invalid(
            f"The request has {said.images} images; at most {MAX_INPUTS} are supported for this model."
        )
    prompt = "\n".join(said.prompts)
    return EditRequest(
        model=model,
        prompt=prompt,
        pictures=tuple(said.pictures),
        modalities=_modalities(config.get("response_modalities")),
        ratio=ratio,
        size=size,
        token=token_of(prompt, said.pictures),
        characters=said.characters + sum(map(len, system)),
        images=said.images,
        shows_thoughts=bool((config.get("thinking_config") or {}).get("include_thoughts")),
        limit=_count(config, "max_output_tokens"),
    )


def _check_tier(tier: str | None) -> None:
    if tier is not None and tier not in {"standard", "flex", "priority"}:
        raise field_violations([("service_tier", f"Invalid value at 'service_tier' (TYPE_ENUM), \"{tier}\"")])


def _check_tools(message: Mapping[str, Any], model: Model) -> None:
    """Image models can only search (section 1.2)."""
    for name in (name for tool in message.get("tools") or () for name in tool or {}):
        if name == "function_declarations":
            raise invalid("Function calling is not enabled for this model")
        if name != "google_search" or not model.searches:
            raise invalid(f"{_TOOLS.get(name, name)} is not enabled for models/{model.id}")
    if "cached_content" in message:
        raise invalid(f"Context caching is not supported for models/{model.id}.")


def _count(config: Mapping[str, Any], name: str) -> int | None:
    value = float(config.get(name, 0))
    if not value.is_integer():
        where = f"generation_config.{name}"
        raise field_violations([(where, f"Invalid value at '{where}' (TYPE_INT32), {config[name]}")])
    return int(value) or None


def _check_parameters(config: Mapping[str, Any], model: Model) -> None:
    if (_count(config, "candidate_count") or 1) > 1:
        raise invalid("Multiple candidates is not enabled for this model")
    for name in _NOT_FOR_PICTURES:
        if name in config:
            raise invalid(f"{name} is not supported for this model.")
    if config.get("response_mime_type", "text/plain") != "text/plain":
        raise invalid("JSON mode is not enabled for this model")
    thinking = config.get("thinking_config") or {}
    if not model.takes_sampling:
        for name in _SAMPLING:
            if name in config:
                raise invalid(f"The parameter `{name}` is not supported for models/{model.id}.")
        if "thinking_budget" in thinking:
            raise invalid(f"The parameter `thinking_budget` is not supported for models/{model.id}.")
    level = thinking.get("thinking_level")
    if level is not None and str(level).upper() not in model.thinking_levels:
        raise invalid(f"Thinking level {level} is not supported for this model.")


def _modalities(asked: Sequence[str] | None) -> frozenset[str]:
    if not asked:
        return DEFAULT_MODALITIES
    # The SDK sends them as they were written, and its users write ["Text", "Image"], too.
    modalities = [modality.upper() for modality in asked]
    for index, modality in enumerate(modalities):
        if modality not in {"TEXT", "IMAGE", "AUDIO", "VIDEO"}:
            where = f"generation_config.response_modalities[{index}]"
            raise field_violations([(where, f"Invalid value at '{where}' (TYPE_ENUM), \"{asked[index]}\"")])
        if modality not in DEFAULT_MODALITIES:
            raise invalid(
                f"The requested combination of response modalities ({', '.join(asked)}) is not supported."
            )
    return frozenset(modalities)


def _image_config(config: Mapping[str, Any], model: Model) -> tuple[str | None, str]:
    ratio = config.get("aspect_ratio")
    if ratio is not None and ratio not in model.grid:
        raise invalid(
            f"Aspect ratio {ratio} is not supported for this model. Supported: {', '.join(model.grid)}."
        )
    size = config.get("image_size")
    if size is None:
        return ratio, "1K"
    if not model.takes_image_size:
        raise invalid("Image size is not supported for this model.")
    if size not in model.image_tokens:
        raise invalid(
            f"Image size {size} is not supported for this model. Supported: {', '.join(model.image_tokens)}."
        )
    return ratio, size


@dataclass(slots=True)
class _Said:
    """The contents of all turns together."""

    prompts: list[str] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    characters: int = 0
    images: int = 0

    def take(self, text: str | None, picture: bytes | None, *, by_model: bool) -> None:
        """Enter one part."""
        self.characters += len(text or "")
        self.images += picture is not None
        if text and not by_model:
            self.prompts.append(text)
        if picture is not None:
            self.pictures = [picture] if by_model else [*self.pictures, picture]


def _read_contents(contents: Sequence[Mapping[str, Any]], model: Model, files: Files) -> _Said:
    said = _Said()
    for index, content in enumerate(contents):
        role = content.get("role", "user")
        if role not in {"user", "model"}:
            raise invalid("Please use a valid role: user, model.")
        parts = content.get("parts") or []
        if not parts:
            raise invalid(
                f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
            )
        if role == "model" and model.thoughts:
            _check_signatures(parts, index)
        for position, part in enumerate(parts):
            text, picture = _read_part(part, f"contents[{index}].parts[{position}]", files)
            said.take(text, picture, by_model=role == "model")
    return said


def _read_part(part: Mapping[str, Any], where: str, files: Files) -> tuple[str | None, bytes | None]:
    given = [
        name
        for name in ("text", "inline_data", "file_data", "function_call", "function_response")
        if name in part
    ]
    if len(given) > 1:
        message = (
            f"Invalid value at '{where}' (oneof), oneof field 'data' is already set. Cannot set '{given[1]}'"
        )
        raise field_violations([(where, message)])
    if not given:
        needed = "required oneof field 'data' must have one initialized field"
        raise invalid(f"* GenerateContentRequest.{where}.data: {needed}\n")
    if given[0] == "text":
        return part["text"], None
    if given[0] == "inline_data":
        return None, _inline_picture(part["inline_data"], where)
    if given[0] == "file_data":
        _check_mime(part["file_data"].get("mime_type", ""))
        return None, files(part["file_data"])
    raise invalid("Function calling is not enabled for this model")


def _inline_picture(blob: Mapping[str, Any], where: str) -> bytes:
    _check_mime(blob.get("mime_type", ""))
    at = f"{where}.inline_data.data"
    try:
        data = base64.b64decode(blob.get("data", "").translate(_WEB_SAFE), validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"Invalid value at '{at}' (TYPE_BYTES), Base64 decoding failed"
        raise field_violations([(at, message)]) from error
    if not data:
        raise invalid(
            "Unable to process input image. Please retry or report in https://developers.generativeai.google"
        )
    return data


def _check_mime(mime: str) -> None:
    if mime not in INPUT_MIMES:
        raise invalid(f"Unsupported MIME type: {mime}")


def _check_signatures(parts: Sequence[Mapping[str, Any]], index: int) -> None:
    """A turn with a picture must be returned unchanged: pictures and the first part that is no thought are signed."""
    if not any("inline_data" in part for part in parts):
        return
    spoken = [position for position, part in enumerate(parts) if not part.get("thought")]
    for position, part in enumerate(parts):
        picture = "inline_data" in part
        if (picture or [position] == spoken[:1]) and not part.get("thought_signature"):
            kind = "Image" if picture else "Text"
            where = f"content position {index + 1}, part position {position + 1}"
            raise invalid(f"{kind} part is missing a thought_signature in {where}.")
