"""What a checkpoint's files say of preprocessing, as fields of `ProcessorSettings`.

Pictures: `image_processor` in `processor_config.json` (transformers 5), else `preprocessor_config.json`. Clips:
`video_processor` there, else `video_preprocessor_config.json`. A value is read, refused, or, where it has no effect,
said in the log; an absent one means what transformers takes for it.
"""

import logging
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from viewfinder.config import Count, Positive, not_text
from viewfinder.config_file import read_json, section
from viewfinder.errors import CheckpointError
from viewfinder.processor.patchify import IMAGE_MEAN, IMAGE_STD

_LOG = logging.getLogger(__name__)
_TOKEN = 28 * 28
_KERNEL = ("patch_size", "temporal_patch_size", "merge_size")
_COLOR = ("image_mean", "image_std", "rescale_factor")
_INERT = (
    "processor_class feature_extractor_type auto_map image_processor_type video_processor_type do_convert_rgb "
    "data_format input_data_format default_to_square device return_tensors disable_grouping do_sample_frames "
    "video_metadata return_metadata image_token video_token cap_pixels_per_frame max_video_tokens "
    "use_token_compression model_input_names viewfinder size min_pixels max_pixels image_processor "
    "video_processor chat_template _commit_hash"
)
_NEUTRAL = ("do_center_crop", "crop_size", "do_pad", "pad_size", "num_frames")
_BICUBIC = (3, "bicubic")
_T = TypeVar("_T", bound=BaseModel)


def _three(value: Any) -> Any:
    return [value] * 3 if isinstance(value, int | float) else value


_Flag = Annotated[bool, Field(strict=True)]
_Number = Annotated[float, BeforeValidator(not_text), Field(allow_inf_nan=False)]


class _Section(BaseModel):
    """The keys of an image or a video processor that change tokens or pixels."""

    model_config = ConfigDict(extra="allow")
    patch_size: Count = 14
    temporal_patch_size: Count = 2
    merge_size: Count = 2
    image_mean: Annotated[tuple[_Number, _Number, _Number], BeforeValidator(_three)] = IMAGE_MEAN
    image_std: Annotated[tuple[Positive, Positive, Positive], BeforeValidator(_three)] = IMAGE_STD
    rescale_factor: Positive = 1 / 255
    resample: Any = 3
    do_resize: _Flag = True
    do_rescale: _Flag = True
    do_normalize: _Flag = True
    fps: Positive | None = None
    min_frames: Count | None = None
    max_frames: Count | None = None
    shortest_edge: Count | None = None
    longest_edge: Count | None = None

    @model_validator(mode="after")
    def _computable(self) -> "_Section":
        if self.temporal_patch_size != 2:
            raise ValueError(f"temporal_patch_size {self.temporal_patch_size}, expected 2")
        for name in ("do_resize", "do_rescale", "do_normalize"):
            if not getattr(self, name):
                raise ValueError(f"sets {name} to false, which no checkpoint does")
        if self.resample not in _BICUBIC or isinstance(self.resample, bool):
            raise ValueError(f"resample asks for resampling filter {self.resample!r}, expected 3 (bicubic)")
        for name in _NEUTRAL:
            if extra := (self.model_extra or {}).get(name):
                raise ValueError(f"{name} is {extra!r}, which is not computed here")
        if (self.shortest_edge or 1) > (self.longest_edge or 2**53):
            raise ValueError(f"shortest_edge {self.shortest_edge} is over longest_edge {self.longest_edge}")
        return self


class _Own(BaseModel):
    """Video sampling, which only files written here carry."""

    model_config = ConfigDict(extra="forbid")
    fps: Positive | None = None
    min_frames: Count | None = None
    max_frames: Count | None = None
    video_min_pixels: Count | None = None
    video_max_pixels: Count | None = None
    total_pixels: Count | None = None


def read_preprocessor_config(directory: Path) -> dict[str, Any]:
    """Fields of `ProcessorSettings` that a checkpoint directory decides.

    Raises:
        CheckpointError: no such file, or a value that this package cannot honour; names file and key.
    """
    image, where, own = _image_section(directory)
    picture = _parse(_Section, _with_edges(image, where), where)
    least, most = picture.shortest_edge, picture.longest_edge
    if least is None:
        least = min(4 * _TOKEN, most or 4 * _TOKEN)
    if most and most < 4 * _TOKEN:
        _LOG.warning(
            "%s has longest_edge %d, a count of pixels (height x width) of %d tokens", where, most, most // _TOKEN
        )
    values: dict[str, Any] = {"min_pixels": least, "max_pixels": most or max(1280 * _TOKEN, least)}
    values |= {name: getattr(picture, name) for name in _KERNEL}
    # (v * r - mean) / std, of bytes v, is (v / 255 - mean / k) / (std / k) where k is 255 r.
    scale = picture.rescale_factor * 255
    scale = 1.0 if abs(scale - 1) < 1e-6 else scale
    values |= {name: tuple(v / scale for v in getattr(picture, name)) for name in ("image_mean", "image_std")}
    values |= _video_values(directory, picture, image, where)
    values |= _parse(_Own, own, f"{where}: viewfinder").model_dump(exclude_none=True)
    return values | _model_values(directory, picture, where)


def _image_section(directory: Path) -> tuple[dict[str, Any], str, dict[str, Any]]:
    nested, plain = directory / "processor_config.json", directory / "preprocessor_config.json"
    whole = read_json(nested) if nested.is_file() else {}
    if found := section(whole, "image_processor", nested.name):
        where = f"{nested.name}: image_processor"
    elif plain.is_file():
        found, where = read_json(plain), plain.name
    else:
        raise CheckpointError(
            f"{directory} has no {plain.name} and no {nested.name} with image_processor, which hold the processor's "
            "settings; copy one from the checkpoint"
        )
    kind = found.get("image_processor_type", "Qwen2VLImageProcessor")
    if not str(kind).startswith("Qwen2"):
        raise CheckpointError(f"{where} has image_processor_type {kind!r}, expected 'Qwen2VLImageProcessor'")
    return found, where, section(found, "viewfinder", where)


def _with_edges(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """The two bounds of height x width, which have three spellings, under one name each."""
    size = raw.get("size", {})
    known = {"shortest_edge": "min_pixels", "longest_edge": "max_pixels"}
    others = {"height", "width", "max_height", "max_width"}
    if not isinstance(size, dict) or set(size) - {*known, *known.values(), *others}:
        raise CheckpointError(
            f"{where} has size {size!r}, which does not say whether it is the least or the most pixels of a picture; "
            "write {'shortest_edge': least, 'longest_edge': most}, both counts of height x width"
        )
    for key in others & set(size):
        if size[key] is not None:
            raise CheckpointError(
                f"{where} has {key} {size[key]!r} in size, which would change the shape of pictures; the model sees "
                "them in their own: write shortest_edge and longest_edge, both counts of height x width"
            )
    values = {name: value for name, value in raw.items() if name not in known}
    for edge, name in known.items():
        inside = {key: size[key] for key in (edge, name) if size.get(key) is not None}
        if name not in raw and len({repr(v) for v in inside.values()}) > 1:
            raise CheckpointError(f"{where} has size {inside}, two values for one bound; remove the wrong one")
        values[edge] = raw.get(name, next(iter(inside.values()), None))
    return values


def _video_values(directory: Path, picture: _Section, image: dict[str, Any], where: str) -> dict[str, Any]:
    """What a video processor says: it comes after the sampling and resizing that `fps` and the budgets of frames
    stand for, so its bounds narrow these and widen nothing."""
    nested, plain = directory / "processor_config.json", directory / "video_preprocessor_config.json"
    raw, name = section(read_json(nested) if nested.is_file() else {}, "video_processor", nested.name), nested.name
    name = f"{name}: video_processor"
    if not raw and plain.is_file():
        raw, name = read_json(plain), plain.name
    if not raw and "video_processor_type" in image:
        raw, name = image, where
    if not raw:
        return {}
    clip = _parse(_Section, _with_edges(raw, name), name)
    for key in (*_KERNEL, *_COLOR):
        if getattr(clip, key) != getattr(picture, key):
            raise CheckpointError(
                f"{name} has {key} {getattr(clip, key)!r} and {where} {getattr(picture, key)!r}, but one tower reads "
                "pictures and clips alike; make them equal"
            )
    values = {key: found for key in ("fps", "min_frames", "max_frames") if (found := getattr(clip, key)) is not None}
    most = min(768 * _TOKEN, clip.longest_edge or 768 * _TOKEN)
    least = max(128 * _TOKEN, clip.shortest_edge or 0)
    return {**values, "video_max_pixels": max(most, clip.shortest_edge or 0), "video_min_pixels": min(least, most)}


def _model_values(directory: Path, picture: _Section, where: str) -> dict[str, Any]:
    """The rate of time positions, and a check that the tower cuts patches as the processor does."""
    if not (directory / "config.json").is_file():
        return {}
    vision = section(read_json(directory / "config.json"), "vision_config", "config.json")
    pairs = (("patch_size",) * 2, ("temporal_patch_size",) * 2, ("spatial_merge_size", "merge_size"))
    for theirs, ours in pairs:
        if vision.get(theirs, getattr(picture, ours)) != getattr(picture, ours):
            raise CheckpointError(
                f"{where} has {ours} {getattr(picture, ours)}, but config.json has {theirs} {vision[theirs]!r} in "
                "vision_config; the tower would read patches of the wrong shape: make them equal"
            )
    rate = vision.get("tokens_per_second", 4 if vision else 2)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 2**31:
        raise CheckpointError(f"config.json has tokens_per_second {rate!r} in vision_config, expected a number over 0")
    return {"tokens_per_second": rate}


def _parse(cls: type[_T], raw: dict[str, Any], where: str) -> _T:
    if cls is _Section and (unknown := sorted({*raw} - {*cls.model_fields, *_NEUTRAL} - {*_INERT.split()})):
        _LOG.warning("%s has keys without effect here: %s", where, ", ".join(unknown))
    try:
        return cls(**raw)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors())
        raise CheckpointError(f"{where}: {problems}; correct it") from error
