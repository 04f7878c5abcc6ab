"""The names and types that a ``generateContent`` body may hold, read as strictly as Google reads them.

Both spellings of a name are taken (``inlineData``, ``inline_data``); anything else is a 400 that lists every
name at fault (gemini-api.md section 2). The result has snake_case names throughout, so that the rest of the
emulator knows one spelling.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline.gemini.emulator.google_errors import field_violations, invalid

# A shape is the name of a scalar, a message as a mapping of its fields, or a list of one shape: repeated.
Shape = str | Mapping[str, Any] | list[Any]

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
    "video_metadata": "any",
    "media_resolution": {"level": "string"},
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
    "media_resolution": "string",
    "thinking_config": {"include_thoughts": "bool", "thinking_budget": "number", "thinking_level": "string"},
    "image_config": {"aspect_ratio": "string", "image_size": "string"},
}
REQUEST: Mapping[str, Shape] = {
    "model": "string",
    "contents": [_CONTENT],
    "system_instruction": _CONTENT,
    "tools": ["any"],
    "tool_config": "any",
    "safety_settings": [{"category": "string", "threshold": "string"}],
    "generation_config": _GENERATION_CONFIG,
    "cached_content": "string",
    "service_tier": "string",
    "store": "bool",
}
_SCALARS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "bytes": (str,),
    "number": (int, float, str),
    "bool": (bool,),
}

Violations = list[tuple[str, str]]


def parse_body(body: bytes) -> dict[str, Any]:
    """The body as a message with snake_case names, or a 400."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"Invalid JSON payload received. {_position(error)}"
        raise field_violations([("", message)]) from error
    if not isinstance(document, dict):
        raise invalid('Invalid JSON payload received. Unknown name "": Root element must be a message.')
    found: Violations = []
    read = _message(document, REQUEST, "", found)
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
    if isinstance(shape, Mapping):
        if isinstance(value, dict):
            return _message(value, shape, path, found)
        found.append((path, f"Invalid value at '{path}', {json.dumps(value)[:80]}"))
        return None
    if not _is_scalar(value, shape):
        found.append((path, f"Invalid value at '{path}' (TYPE_{shape.upper()}), {json.dumps(value)[:80]}"))
    return value


def _is_scalar(value: Any, shape: str) -> bool:
    if isinstance(value, bool):
        return shape == "bool"
    return isinstance(value, _SCALARS[shape])
