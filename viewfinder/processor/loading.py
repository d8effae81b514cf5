"""One media part of a message to its size in tokens and its pixels, ready to be cut into patches.

Documents become pictures of their pages here. Decoding, sampling and resizing are the work of `media`;
tokens and positions that of `mrope` and `chat_template`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viewfinder.media.image import Picture, load_image
from viewfinder.media.resize import MAX_PIXELS, model_size, resize_picture
from viewfinder.media.sampling import frame_bounds
from viewfinder.media.source import DEFAULT_LIMITS, Limits
from viewfinder.media.transform import Transform
from viewfinder.messages import DocumentPart, ImagePart, MediaInfo, Message, VideoPart
from viewfinder.processor.measure import measure_image
from viewfinder.processor.settings import ProcessorSettings

if TYPE_CHECKING:  # readers of clips and documents are imported for the first of each: a picture needs neither
    from viewfinder.media.plan import VideoPlan
    from viewfinder.media.video import Clip


@dataclass(frozen=True)
class Loaded:
    """A picture or clip at the model's size.

    Attributes:
        info: sizes and tokens, as replies report them.
        transform: between model pixels and original pixels.
        pixels: a resized picture, or frames (N, H, W, 3) of a clip with even N; None when only measured.
        grid_times: seconds of each frame pair when they are unevenly spaced, else None.
    """

    info: MediaInfo
    transform: Transform
    pixels: Image.Image | NDArray[np.uint8] | None
    grid_times: tuple[float, ...] | None = None


def expand_documents(messages: Sequence[Message], limits: Limits) -> tuple[Message, ...]:
    """Each document part becomes one picture part for each of its pages."""
    expanded: list[Message] = []
    for message in messages:
        if any(isinstance(part, DocumentPart) for part in message.parts):
            parts = [
                new
                for part in message.parts
                for new in (_pages(part, limits) if isinstance(part, DocumentPart) else (part,))
            ]
            message = message.model_copy(update={"parts": tuple(parts)})
        expanded.append(message)
    return tuple(expanded)


def _pages(part: DocumentPart, limits: Limits) -> Iterator[ImagePart]:
    from viewfinder.media.document import DEFAULT_DPI, chosen_pages, open_document

    with open_document(part.document, limits, password=part.password) as document:
        wanted = None if part.pages is None else [number - 1 for number in part.pages]
        for index in chosen_pages(len(document), wanted, document.name, limits):
            page = document.page(index, dpi=DEFAULT_DPI, max_pixels=part.max_pixels or MAX_PIXELS)
            yield ImagePart(image=page, min_pixels=part.min_pixels, max_pixels=part.max_pixels)


def load_part(
    part: ImagePart | VideoPart, settings: ProcessorSettings, limits: Limits, *, pixels: bool = True
) -> Loaded:
    """Decode and resize one picture or clip within its budgets; without `pixels`, only measure it.

    Raises:
        MediaError: it cannot be read, or is over a cap (`LimitError`).
    """
    if isinstance(part, VideoPart):
        return _load_video(part, settings, limits, pixels)
    budget = image_budget(part, settings)
    if not pixels and (measured := measure_image(part.image, limits)) is not None:
        return _picture(measured.then_resize(model_size(measured.resized_size, **budget)), settings)
    picture = resize_picture(load_image(part.image, limits), **budget)
    return _picture(picture.transform, settings, picture.notes, picture.image if pixels else None)


def fit_image(part: ImagePart, settings: ProcessorSettings, limits: Limits = DEFAULT_LIMITS) -> ImagePart:
    """The part with its picture loaded and at the size the model sees, which `load_part` then leaves as it is.

    A job asks for this once: `part.image` is a `Picture` whose `size` bounds the grammar and whose `transform` reads
    the answer.

    Raises:
        MediaError: as in `load_part`.
    """
    return fitted(resize_picture(load_image(part.image, limits), **image_budget(part, settings)))


def fitted(picture: Picture) -> ImagePart:
    """A part of a picture at the model's size, bounded to just that size: the rule, applied to its own result, may
    give another one (1 x 200 tokens, made of a thin strip, are over a budget of 100)."""
    area = picture.size[0] * picture.size[1]
    return ImagePart(image=picture, min_pixels=area, max_pixels=area)


def image_budget(part: ImagePart, settings: ProcessorSettings) -> dict[str, Any]:
    """Arguments of `model_size` for a picture, its own bounds before the settings'."""
    return {
        **pixel_bounds(part, settings.min_pixels, settings.max_pixels),
        "factor": settings.factor,
        "resized_height": part.resized_height,
        "resized_width": part.resized_width,
    }


def video_options(part: VideoPart, settings: ProcessorSettings, *, is_list: bool) -> dict[str, Any]:
    """Fields of `VideoSettings` for a clip, its own before the settings'."""
    least, most = frame_bounds(part.min_frames, part.max_frames, settings.min_frames, settings.max_frames)
    chosen: dict[str, Any] = {
        "total_pixels": settings.total_pixels,
        "factor": settings.factor,
        **part.model_dump(exclude={"type", "video"}, exclude_none=True),
        "min_frames": least,
        "max_frames": most,
        **pixel_bounds(part, settings.video_min_pixels, settings.video_max_pixels),
    }
    if not is_list and part.nframes is None and part.frame_times is None:
        chosen.setdefault("fps", settings.fps)
    return chosen


def pixel_bounds(part: ImagePart | VideoPart, least: int, most: int) -> dict[str, int]:
    """A part's own bounds; where it names only one, the default of the other gives way to it."""
    if part.max_pixels is not None and part.min_pixels is None:
        return {"min_pixels": min(least, part.max_pixels), "max_pixels": part.max_pixels}
    if part.min_pixels is not None and part.max_pixels is None:
        return {"min_pixels": part.min_pixels, "max_pixels": max(most, part.min_pixels)}
    return {"min_pixels": part.min_pixels or least, "max_pixels": part.max_pixels or most}


def _picture(
    transform: Transform, settings: ProcessorSettings, notes: tuple[str, ...] = (), pixels: Image.Image | None = None
) -> Loaded:
    grid = grid_of(transform.resized_size, 1, settings)
    info = MediaInfo(
        kind="image",
        original_size=transform.original_size,
        resized_size=transform.resized_size,
        grid_thw=grid,
        tokens=tokens_of(grid, settings),
        transform=transform.to_dict(),
        notes=notes,
    )
    return Loaded(info, transform, pixels)


def _load_video(part: VideoPart, settings: ProcessorSettings, limits: Limits, pixels: bool) -> Loaded:
    from viewfinder.media.opening import open_video
    from viewfinder.media.plan import VideoSettings, plan_video
    from viewfinder.media.video import Clip, read_clip

    if isinstance(part.video, Clip):
        return _clip(part.video, len(part.video.frames), part.video.frames if pixels else None, settings)
    source = open_video(
        part.video,
        sample_fps=part.sample_fps,
        frame_times=part.frame_times,
        value_range=part.value_range,
        limits=limits,
    )
    options = video_options(part, settings, is_list=source.is_list)
    plan = plan_video(source, VideoSettings(**{**options, "value_range": None}), limits)
    if pixels:
        clip = read_clip(plan)
        return _clip(clip, len(clip.frames), clip.frames, settings)
    return _clip(plan, plan.shape[0], None, settings)


def _clip(
    clip: "Clip | VideoPlan", count: int, frames: NDArray[np.uint8] | None, settings: ProcessorSettings
) -> Loaded:
    from viewfinder.media.plan import VideoPlan

    timing = clip.sampling if isinstance(clip, VideoPlan) else clip
    grid = grid_of(clip.transform.resized_size, count // settings.temporal_patch_size, settings)
    info = MediaInfo(
        kind="video",
        original_size=clip.transform.original_size,
        resized_size=clip.transform.resized_size,
        grid_thw=grid,
        tokens=tokens_of(grid, settings),
        transform=clip.transform.to_dict(),
        second_per_grid_ts=timing.second_per_grid_ts,
        frame_times=clip.times,
        duration=clip.source.info.duration if isinstance(clip, VideoPlan) else clip.duration,
        notes=clip.notes,
    )
    return Loaded(info, clip.transform, frames, None if timing.regular else timing.grid_times)


def grid_of(size: tuple[int, int], steps: int, settings: ProcessorSettings) -> tuple[int, int, int]:
    """Frame pairs, rows and columns of patches for a `(width, height)` in pixels."""
    return steps, size[1] // settings.patch_size, size[0] // settings.patch_size


def tokens_of(grid: tuple[int, int, int], settings: ProcessorSettings) -> int:
    """Language-model tokens of a grid."""
    return grid[0] * grid[1] * grid[2] // settings.merge_size**2
