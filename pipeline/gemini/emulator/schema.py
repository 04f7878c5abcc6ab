"""The names and types that a ``generateContent`` body may contain, checked as strictly as Google does.

Names are accepted in camelCase and in snake_case; anything else is a 400 that lists every wrong name (gemini-api.md
section 2). The result only has snake_case names, so that the rest of the emulator needs only one form.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.gemini.emulator.google_errors import field_violations, invalid


@dataclass(frozen=True, slots=True)
class Enum:
    """One of some names, whatever their case if ``any_case``."""

    type: str
    names: frozenset[str]
    any_case: bool = False


# A shape is the name of a scalar, an enum, a message as a mapping of its fields, or a list of one shape: repeated.
Shape = str | Enum | Mapping[str, Any] | list[Any]

_HARM_CATEGORY = Enum(
    "HarmCategory",
    frozenset(
        f"HARM_CATEGORY_{name}"
        for name in (
            "UNSPECIFIED",
            "HARASSMENT",
            "HATE_SPEECH",
            "SEXUALLY_EXPLICIT",
            "DANGEROUS_CONTENT",
            "CIVIC_INTEGRITY",
            "JAILBREAK",
        )
    ),
)
_THRESHOLD = Enum(
    "SafetySetting.HarmBlockThreshold",
    frozenset(
        {
            "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
            "BLOCK_LOW_AND_ABOVE",
            "BLOCK_MEDIUM_AND_ABOVE",
            "BLOCK_ONLY_HIGH",
            "BLOCK_NONE",
            "OFF",
        }
    ),
)
_RESOLUTIONS = frozenset(f"MEDIA_RESOLUTION_{name}" for name in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH"))
_MEDIA_RESOLUTION = Enum("GenerationConfig.MediaResolution", _RESOLUTIONS)
_PART_RESOLUTION = Enum("PartMediaResolution.Level", _RESOLUTIONS | {"MEDIA_RESOLUTION_ULTRA_HIGH"})
_THINKING_LEVEL = Enum(
    "ThinkingConfig.ThinkingLevel",
    frozenset({"THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"}),
    any_case=True,
)
_TOOL: Mapping[str, Shape] = dict.fromkeys(
    (
        "function_declarations",
        "google_search",
        "google_search_retrieval",
        "google_maps",
        "code_execution",
        "url_context",
        "computer_use",
        "file_search",
        "mcp_servers",
    ),
    "any",
)
_PART: Mapping[str, Shape] = {
    "text": "string",
    "inline_data": {"mime_type": "string", "data": "bytes", "display_name": "string"},
    "file_data": {"mime_type": "string", "file_uri": "string", "display_name": "string"},
    "thought": "bool",
    "thought_signature": "bytes",
    "function_call": "any",
    "function_response": "any",
    "executable_code": "any",
    "code_execution_result": "any",
    "tool_call": "any",
    "tool_response": "any",
    "video_metadata": "any",
    "part_metadata": "any",
    "media_resolution": {"level": _PART_RESOLUTION},
}
_CONTENT: Mapping[str, Shape] = {"parts": [_PART], "role": "string"}
_GENERATION_CONFIG: Mapping[str, Shape] = {
    "candidate_count": "number",
    "stop_sequences": ["string"],
    "max_output_tokens": "number",
    "temperature": "number",
    "top_p": "number",
    "top_k": "number",
    "seed": "number",
    "response_mime_type": "string",
    "response_schema": "any",
    "response_json_schema": "any",
    "presence_penalty": "number",
    "frequency_penalty": "number",
    "response_logprobs": "bool",
    "logprobs": "number",
    "response_modalities": ["string"],
    "speech_config": "any",
    "media_resolution": _MEDIA_RESOLUTION,
    "thinking_config": {
        "include_thoughts": "bool",
        "thinking_budget": "number",
        "thinking_level": _THINKING_LEVEL,
    },
    "enable_enhanced_civic_answers": "bool",
    "audio_transcription_config": "any",
    "continuation_token": "bytes",
    "image_config": {"aspect_ratio": "string", "image_size": "string"},
}
REQUEST: Mapping[str, Shape] = {
    "model": "string",
    "contents": [_CONTENT],
    "system_instruction": _CONTENT,
    "tools": [_TOOL],
    "tool_config": "any",
    "safety_settings": [{"category": _HARM_CATEGORY, "threshold": _THRESHOLD}],
    "generation_config": _GENERATION_CONFIG,
    "cached_content": "string",
    "service_tier": "string",
    "store": "bool",
    "labels": "any",
}
COUNT_REQUEST: Mapping[str, Shape] = {
    "model": "string",
    "contents": [_CONTENT],
    "generate_content_request": REQUEST,
}
_SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "bytes": (str,),
    "number": (int, float, str),
    "bool": (bool,),
}

_PACKAGE = "type.googleapis.com/google.ai.generativelanguage.v1beta"
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")

Violations = list[tuple[str, str]]


def parse_body(body: bytes, shape: Mapping[str, Shape] = REQUEST) -> dict[str, Any]:
    """The body as a message of *shape* with snake_case names, or a 400."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"Invalid JSON payload received. {_position(error)}"
        raise field_violations([("", message)]) from error
    if not isinstance(document, dict):
        raise invalid('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    found: Violations = []
    read = _message(document, shape, "", found)
    if found:
        raise field_violations(found)
    return read


def _position(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}.\n(line {error.lineno}, column {error.colno})"
    return "Unexpected end of string or nesting too deep."


def snake(name: str) -> str:
    """``inlineData`` -> ``inline_data``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda letter: "_" + letter[1].lower(), name)


def _message(
    value: dict[str, Any], shape: Mapping[str, Shape], path: str, found: Violations
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, content in value.items():
        field = snake(name)
        if field not in shape:
            at = f" at '{path}'" if path else ""
            found.append(
                (path, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
            )
        elif field in result:
            found.append((path, f"Invalid value: field '{field}' is already set. Cannot set '{name}'."))
        elif content is not None:  # null is "not set" in protobuf's JSON
            result[field] = _value(content, shape[field], f"{path}.{field}" if path else field, found)
    return result


def _value(value: Any, shape: Shape, path: str, found: Violations) -> Any:
    if shape == "any":
        return value
    if isinstance(shape, list):
        # A single element stands for a list of one: Google's reader takes "contents": {...}.
        items = value if isinstance(value, list) else [value]
        return [_value(item, shape[0], f"{path}[{index}]", found) for index, item in enumerate(items)]
    if isinstance(value, list):
        text = "Invalid JSON payload received. Proto field is not repeating, cannot start list."
        found.append((path, text))
        return None
    if isinstance(shape, Mapping) and isinstance(value, dict):
        return _message(value, shape, path, found)
    if isinstance(shape, Enum):
        return _enum(value, shape, path, found)
    if isinstance(shape, Mapping):
        found.append((path, f"Invalid value at '{path}', {json.dumps(value)[:80]}"))
    elif not _is_scalar(value, shape):
        found.append((path, f"Invalid value at '{path}' (TYPE_{shape.upper()}), {json.dumps(value)[:80]}"))
    return value


def _enum(value: Any, shape: Enum, path: str, found: Violations) -> Any:
    name = value.upper() if shape.any_case and isinstance(value, str) else value
    if not isinstance(name, str) or name not in shape.names:
        found.append((path, f"Invalid value at '{path}' ({_PACKAGE}.{shape.type}), {json.dumps(value)[:80]}"))
    return name


def _is_scalar(value: Any, shape: str) -> bool:
    if isinstance(value, bool):
        return shape == "bool"
    if shape == "number" and isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    if shape == "number" and isinstance(value, int | float):
        return -sys.float_info.max <= value <= sys.float_info.max
    return isinstance(value, _SCALARS[shape])
