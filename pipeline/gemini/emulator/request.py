"""From the message of a call to what it asks for, refused in the API's words where the API would refuse.

Sections 1.2, 2 and 4 of gemini-api.md say what is checked here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.gemini.emulator.catalogue import Model
from pipeline.gemini.emulator.google_errors import WireError, field_violations, invalid

INPUT_MIMES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
MAX_INPUTS = 14
DEFAULT_MODALITIES = frozenset({"TEXT", "IMAGE"})
_SAMPLING = ("temperature", "top_p", "top_k", "seed", "logprobs", "response_logprobs")
_NOT_FOR_PICTURES = ("response_schema", "response_json_schema", "speech_config")
# Web-safe base64 is taken too, as everywhere in the JSON of protobuf (the SDK sends it).
_WEB_SAFE = str.maketrans("-_", "+/")
_TOKEN_IN_PROMPT = re.compile(r"\[\[([A-Za-z0-9._~:-]{1,36})\]\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class EditRequest:
    """One understood call.

    Attributes:
        token: the identity that is painted into the picture; see :func:`token_of`.
        ratio: the aspect ratio that was asked for, or None to follow the first picture.
    """

    model: Model
    prompt: str
    pictures: tuple[bytes, ...]
    modalities: frozenset[str]
    ratio: str | None
    size: str
    token: str

    @property
    def wants_picture(self) -> bool:
        """Whether a picture is among the modalities asked for."""
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


def understand(message: Mapping[str, Any], model: Model) -> EditRequest:
    """The request that a message makes of a model, or the 400 that the API answers."""
    contents = message.get("contents") or []
    if not contents:
        raise invalid("* GenerateContentRequest.contents: contents is not specified\n")
    config = message.get("generation_config") or {}
    _check_tier(message.get("service_tier"))
    _check_parameters(config, model)
    modalities = _modalities(config.get("response_modalities"))
    ratio, size = _image_config(config.get("image_config") or {}, model)
    prompts, pictures = _read_contents(contents)
    if len(pictures) > MAX_INPUTS:
        raise invalid(
            f"The request has {len(pictures)} images; at most {MAX_INPUTS} are supported for this model."
        )
    prompt = "\n".join(prompts)
    token = token_of(prompt, pictures)
    return EditRequest(
        model=model,
        prompt=prompt,
        pictures=tuple(pictures),
        modalities=modalities,
        ratio=ratio,
        size=size,
        token=token,
    )


def _check_tier(tier: str | None) -> None:
    if tier is not None and tier not in {"standard", "flex", "priority"}:
        raise field_violations([("service_tier", f"Invalid value at 'service_tier' (TYPE_ENUM), \"{tier}\"")])


def _check_parameters(config: Mapping[str, Any], model: Model) -> None:
    if int(config.get("candidate_count", 1)) > 1:
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
    for index, modality in enumerate(asked):
        if modality not in {"TEXT", "IMAGE", "AUDIO", "VIDEO"}:
            field = f"generation_config.response_modalities[{index}]"
            raise field_violations([(field, f"Invalid value at '{field}' (TYPE_ENUM), \"{modality}\"")])
        if modality not in DEFAULT_MODALITIES:
            raise invalid(
                f"The requested combination of response modalities ({', '.join(asked)}) is not supported."
            )
    return frozenset(asked)


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


def _read_contents(contents: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[bytes]]:
    prompts: list[str] = []
    pictures: list[bytes] = []
    for index, content in enumerate(contents):
        role = content.get("role", "user")
        if role not in {"user", "model"}:
            raise invalid("Please use a valid role: user, model.")
        parts = content.get("parts") or []
        if not parts:
            raise invalid(
                f"* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.\n"
            )
        for position, part in enumerate(parts):
            where = f"contents[{index}].parts[{position}]"
            text, picture = _read_part(part, where)
            if role == "model":
                _check_signature(part, index, position)
            elif picture is not None:
                pictures.append(picture)
            elif text:
                prompts.append(text)
    return prompts, pictures


def _read_part(part: Mapping[str, Any], where: str) -> tuple[str | None, bytes | None]:
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
        file_id = str(part["file_data"].get("file_uri", "")).rsplit("/", 1)[-1]
        # No file can have been uploaded here: the answer of the real API to a file that is not the caller's.
        raise WireError(403, f"You do not have permission to access the File {file_id} or it may not exist.")
    raise invalid("Function calling is not enabled for this model")


def _inline_picture(blob: Mapping[str, Any], where: str) -> bytes:
    mime = blob.get("mime_type", "")
    if mime not in INPUT_MIMES:
        raise invalid(f"Unsupported MIME type: {mime}")
    field = f"{where}.inline_data.data"
    try:
        data = base64.b64decode(blob.get("data", "").translate(_WEB_SAFE), validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"Invalid value at '{field}' (TYPE_BYTES), Base64 decoding failed"
        raise field_violations([(field, message)]) from error
    if not data:
        raise invalid(
            "Unable to process input image. Please retry or report in https://developers.generativeai.google"
        )
    return data


def _check_signature(part: Mapping[str, Any], index: int, position: int) -> None:
    if "inline_data" in part and "thought_signature" not in part:
        where = f"content position {index + 1}, part position {position + 1}"
        raise invalid(f"Image part is missing a thought_signature in {where}.")
