"""`viewfinder inspect`: what a request will become and cost, before any of it is run. Needs no weights."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import print_json

if TYPE_CHECKING:
    from viewfinder.config import ModelConfig
    from viewfinder.messages import MediaInfo
    from viewfinder.processor.cost import Cost
    from viewfinder.processor.processor import Prepared, Processor

Media = Annotated[list[str], typer.Argument(help="Pictures, clips or PDFs.", metavar="MEDIA...")]
Prompt = Annotated[str, typer.Option("--prompt", help="The text that comes with the media.")]
Positions = Annotated[bool, typer.Option("--positions", help="Also the temporal, height and width ids of each token.")]
ModelOrSize = Annotated[
    str,
    typer.Option(
        "--model", help="As elsewhere; the official sizes (3B, 7B, 32B, 72B) need no weights here.", show_default=True
    ),
]
Device = Annotated[
    str | None, typer.Option("--device", help="Also the least times on a device such as H100, 4090 or phone.")
]


def inspect(
    media: Media,
    prompt: Prompt = "",
    model: ModelOrSize = "tiny",
    positions: Positions = False,
    device: Device = None,
    as_json: options.AsJson = False,
    min_pixels: options.MinPixels = None,
    max_pixels: options.MaxPixels = None,
    fps: options.Fps = None,
    nframes: options.Nframes = None,
    total_pixels: options.TotalPixels = None,
) -> None:
    options.check_files(media)
    from viewfinder.processor.devices import DEVICES, told

    if device is not None and device not in DEVICES:
        raise typer.BadParameter(f"{device} is not known; devices are {', '.join(DEVICES)}", param_hint="--device")
    from viewfinder.chat.media_parts import to_parts
    from viewfinder.messages import user
    from viewfinder.processor.cost import predict

    config, processor = open_processor(model)
    budgets = {"min_pixels": min_pixels, "max_pixels": max_pixels}
    clip_budgets = {**budgets, "fps": fps, "nframes": nframes, "total_pixels": total_pixels}
    parts = to_parts(media, budgets, clip_budgets)
    prepared = processor.plan([user(*parts, prompt)])
    settings = processor.settings
    allowed = (total_pixels or settings.total_pixels) // settings.factor**2
    request = (config, [info.grid_thw for info in prepared.media], len(prepared.inputs.input_ids))
    cost = predict(*request)
    line, bound = told(*request, device, options.TENSOR_PARALLEL.get()) if device else ("", None)
    if as_json:
        document = describe(prepared, cost, media, positions, allowed)
        print_json(document | ({"device": {"name": device, **asdict(bound)}} if bound else {}))
    else:
        typer.echo("\n".join([*_lines(prepared, cost, media, allowed), *([line] if line else [])]))


def open_processor(name: str) -> "tuple[ModelConfig, Processor]":
    """Config and processor of a checkpoint, or of an official size without one."""
    from viewfinder.config import OFFICIAL_SIZES, ModelConfig
    from viewfinder.engine.checkpoints import find_checkpoint
    from viewfinder.processor.processor import Processor

    if name in OFFICIAL_SIZES and not Path(name).is_dir():
        return OFFICIAL_SIZES[name], Processor.official(name)
    directory = find_checkpoint(name)
    return ModelConfig.from_pretrained(directory), Processor.from_pretrained(directory)


def describe(prepared: "Prepared", cost: "Cost", names: list[str], positions: bool, allowed: int) -> dict[str, Any]:
    """The JSON document: `items` for the media (`allowed` tokens for a clip), then the request."""
    inputs = prepared.inputs
    sources = names if len(names) == len(prepared.media) else [None] * len(prepared.media)
    document: dict[str, Any] = {
        "items": [
            {
                "source": name,
                "second_per_grid_ts": None,
                **info.model_dump(exclude_none=True),
                **_of_clip(info, allowed),
            }
            for name, info in zip(sources, prepared.media, strict=True)
        ],
        "input_ids": len(inputs.input_ids),
        "media_tokens": sum(info.tokens for info in prepared.media),
        "rope_delta": inputs.rope_deltas[0],
        "stamp": inputs.stamp,
        "flops": cost.flops,
        "bytes": cost.bytes,
        "cost": {
            "vision_flops": cost.vision_flops,
            "prefill_flops": cost.prefill_flops,
            "decode_flops_per_token": cost.decode_flops,
            "pixel_bytes": cost.pixel_bytes,
            "cache_bytes": cost.cache_bytes,
            "weight_bytes": cost.weight_bytes,
        },
    }
    if positions:
        document["position_ids"] = inputs.position_ids.tolist()
    return document


def _of_clip(info: "MediaInfo", allowed: int) -> dict[str, int]:
    """What only a clip has: its budget in tokens, and the bytes of its decoded frames."""
    if info.frame_times is None:
        return {}
    width, height = info.resized_size
    return {"token_budget": allowed, "frame_bytes": 3 * width * height * len(info.frame_times)}


def _lines(prepared: "Prepared", cost: "Cost", names: list[str], allowed: int) -> list[str]:
    lines = []
    for i, info in enumerate(prepared.media):
        name = names[i] if len(names) == len(prepared.media) else f"page {i}"
        lines.append(_media_line(name, info, allowed))
        lines += [f"    {note}" for note in info.notes]
    inputs = prepared.inputs
    work = f"{cost.flops / 1e12:.2f} TFLOP to the first token ({cost.vision_flops / 1e12:.2f} for vision)"
    return [
        *lines,
        f"request: {len(inputs.input_ids)} tokens, rope_delta {inputs.rope_deltas[0]}, stamp {inputs.stamp}",
        f"predicted: {work}, {cost.bytes / 2**30:.2f} GiB with 16-bit weights",
    ]


def _media_line(name: str, info: "MediaInfo", allowed: int) -> str:
    (width, height), (seen_width, seen_height) = info.original_size, info.resized_size
    line = f"{name}: {info.kind} {width}x{height}, seen as {seen_width}x{seen_height}, {info.tokens} tokens"
    if info.frame_times is None:
        return line
    first, last = info.frame_times[0], info.frame_times[-1]
    line = f"{line} of {allowed} allowed"
    return f"{line}, {len(info.frame_times)} frames at {first:.2f}-{last:.2f} s of {info.duration:.2f} s"
