"""The models that the emulator serves and what each of them takes (gemini-api.md section 1).

The emulator has its own catalogue on purpose, so that an error in the client's is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.gemini.emulator.google_errors import WireError, error_info

Grid = Mapping[str, tuple[int, int]]

_LANDSCAPE_1K = {
    "1:1": (1024, 1024),
    "16:9": (1376, 768),
    "3:2": (1264, 848),
    "4:3": (1200, 896),
    "5:4": (1152, 928),
    "21:9": (1584, 672),
}
# Measured, not as documented: the docs say 2048x512 and 3072x384.
_BANNERS_1K = {"4:1": (2064, 512), "8:1": (2928, 352)}
_LANDSCAPE_25 = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "3:2": (1248, 832),
    "4:3": (1184, 864),
    "5:4": (1152, 896),
    "21:9": (1536, 672),
}


def _both_ways(landscape: Grid, *, turned: frozenset[str]) -> dict[str, tuple[int, int]]:
    grid = dict(landscape)
    for ratio in turned:
        across, down = ratio.split(":")
        width, height = landscape[ratio]
        grid[f"{down}:{across}"] = (height, width)
    return grid


_TURNED = frozenset({"16:9", "3:2", "4:3", "5:4"})
GRID_10 = _both_ways(_LANDSCAPE_1K, turned=_TURNED)
GRID_14 = {**GRID_10, **_both_ways(_BANNERS_1K, turned=frozenset(_BANNERS_1K))}
GRID_25 = _both_ways(_LANDSCAPE_25, turned=_TURNED)
SCALES = {"512": 0.5, "1K": 1.0, "2K": 2.0, "4K": 4.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """What one model takes and what its answers count.

    Attributes:
        image_tokens: tokens of one output picture, by size; its keys are the sizes that the model makes.
        takes_image_size: whether ``imageSize`` may be sent at all.
        takes_sampling: whether temperature and its kin are accepted (section 1.2).
        thinking_levels: accepted levels; empty where thinking cannot be set.
        versions: API versions under which the id is known.
        serves_as: what ``modelVersion`` says, where the id is an alias.
        searches: whether it may look things up with Google Search (section 1.2).
    """

    id: str
    display_name: str
    grid: Grid
    image_tokens: Mapping[str, int]
    input_image_tokens: int
    thoughts: int
    thinking_levels: frozenset[str]
    takes_image_size: bool = True
    takes_sampling: bool = True
    versions: frozenset[str] = frozenset({"v1", "v1beta"})
    input_limit: int = 131_072
    serves_as: str = ""
    searches: bool = True

    @property
    def version_name(self) -> str:
        """What answers carry as ``modelVersion``."""
        return self.serves_as or self.id

    def document(self) -> dict[str, Any]:
        """The model as ``GET models/{id}`` describes it."""
        return {
            "name": f"models/{self.id}",
            "version": "001",
            "displayName": self.display_name,
            "description": f"{self.display_name}, as the retouch emulator plays it",
            "inputTokenLimit": self.input_limit,
            "outputTokenLimit": 32_768,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
            "thinking": bool(self.thoughts),
        }


_PRO = Model(
    id="gemini-3-pro-image",
    display_name="Nano Banana Pro",
    grid=GRID_10,
    image_tokens={"1K": 1120, "2K": 1120, "4K": 2000},
    input_image_tokens=258,
    thoughts=310,
    thinking_levels=frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"}),  # taken and ignored
    input_limit=65_536,
)
MODELS = {
    model.id: model
    for model in (
        Model(
            id="gemini-nano-banana-2.1",
            display_name="Nano Banana 2.1",
            grid=GRID_14,
            image_tokens={"1K": 1120, "2K": 1680, "4K": 3780},
            input_image_tokens=1680,
            thoughts=173,
            thinking_levels=frozenset({"MINIMAL", "MEDIUM", "HIGH"}),
            takes_sampling=False,
            versions=frozenset({"v1beta"}),
        ),
        Model(
            id="gemini-3.1-flash-image",
            display_name="Nano Banana 2",
            grid=GRID_14,
            image_tokens={"512": 747, "1K": 1120, "2K": 1680, "4K": 2520},
            input_image_tokens=1120,
            thoughts=120,
            thinking_levels=frozenset({"MINIMAL", "HIGH"}),
        ),
        _PRO,
        Model(
            id="nano-banana-pro-preview",
            display_name="Nano Banana Pro",
            grid=_PRO.grid,
            image_tokens=_PRO.image_tokens,
            input_image_tokens=_PRO.input_image_tokens,
            thoughts=_PRO.thoughts,
            thinking_levels=_PRO.thinking_levels,
            versions=frozenset({"v1beta"}),
            input_limit=_PRO.input_limit,
            serves_as=_PRO.id,
        ),
        Model(
            id="gemini-3.1-flash-lite-image",
            display_name="Nano Banana 2 Lite",
            grid=GRID_14,
            image_tokens={"1K": 1120},
            input_image_tokens=1120,
            thoughts=60,
            thinking_levels=frozenset({"MINIMAL", "HIGH"}),
            searches=False,
        ),
        Model(
            id="gemini-2.5-flash-image",
            display_name="Nano Banana",
            grid=GRID_25,
            image_tokens={"1K": 1290},
            input_image_tokens=258,
            thoughts=0,
            thinking_levels=frozenset(),
            takes_image_size=False,
            searches=False,
            input_limit=32_768,
        ),
    )
}
_SUCCESSORS = {
    "gemini-3.1-flash-image-preview": "gemini-3.1-flash-image",
    "gemini-3-pro-image-preview": "gemini-3-pro-image",
    "gemini-2.5-flash-image-preview": "gemini-2.5-flash-image",
}


def _serves(version: str, model: Model) -> bool:
    return ("v1beta" if version == "v1alpha" else version) in model.versions


def served(version: str) -> list[Model]:
    """Every model that this API version lists."""
    return [model for model in MODELS.values() if _serves(version, model)]


def find_model(model_id: str, version: str) -> Model:
    """The model of that id under that API version, or the 404 that Google gives for it."""
    model = MODELS.get(model_id)
    if model is not None and _serves(version, model):
        return model
    if model_id in _SUCCESSORS:
        message = (
            f"models/{model_id} is no longer available. Please use models/{_SUCCESSORS[model_id]} instead."
        )
        raise WireError(404, message, [error_info("MODEL_RETIRED")])
    message = (
        f"models/{model_id} is not found for API version {version}, or is not supported for generateContent. "
        "Call ListModels to see the list of available models and their supported methods."
    )
    raise WireError(404, message)


def nearest_ratio(grid: Grid, width: int, height: int) -> str:
    """The ratio of the grid closest to a picture's: what models mostly follow when none is asked for."""
    wanted = width / height

    def distance(ratio: str) -> float:
        across, down = grid[ratio]
        here = across / down
        return max(here / wanted, wanted / here)

    return min(grid, key=distance)


def output_pixels(model: Model, ratio: str, size: str) -> tuple[int, int]:
    """Width and height of the output picture (section 1.2): the 1K grid, doubled for 2K, fourfold for 4K."""
    width, height = model.grid[ratio]
    scale = SCALES[size]
    return round(width * scale), round(height * scale)
