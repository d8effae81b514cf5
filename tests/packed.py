"""Random packed inputs for the small model, with positions by the official algorithm; the inverse of `pack`."""

from itertools import pairwise

import torch

from viewfinder.config import ModelConfig
from viewfinder.inputs import ModelInputs
from viewfinder.processor.mrope import rope_index


def random_inputs(
    config: ModelConfig, grids: list[tuple[int, int, int]], num_text: int = 5, seed: int = 0
) -> ModelInputs:
    """One sequence: text, then each medium between its marks, then text; t > 1 makes a video of 1 s a step."""
    generator = torch.Generator().manual_seed(seed)
    ids: list[int] = torch.randint(0, 256, (num_text,), generator=generator).tolist()
    kinds = []
    for t, h, w in grids:
        kinds.append("video" if t > 1 else "image")
        token = config.video_token_id if t > 1 else config.image_token_id
        ids += [config.vision_start_token_id, *[token] * (t * h * w // 4), config.vision_end_token_id]
    ids += torch.randint(0, 256, (num_text,), generator=generator).tolist()
    input_ids = torch.tensor(ids)
    grid_thw = torch.tensor(grids) if grids else None
    seconds = tuple(1.0 if kind == "video" else 0.0 for kind in kinds)
    position_ids, delta = rope_index(
        input_ids,
        grid_thw,
        seconds,
        image_token_id=config.image_token_id,
        video_token_id=config.video_token_id,
    )
    patches = sum(t * h * w for t, h, w in grids)
    return ModelInputs(
        input_ids=input_ids,
        position_ids=position_ids,
        cu_seqlens=torch.tensor([0, len(ids)], dtype=torch.int32),
        rope_deltas=(delta,),
        pixel_values=torch.randn(patches, 1176, generator=generator) if grids else None,
        grid_thw=grid_thw,
        media_kinds=tuple(kinds),
        media_per_sequence=(len(kinds),),
        second_per_grid_ts=seconds,
    )


def unpack(inputs: ModelInputs) -> list[ModelInputs]:
    """One `ModelInputs` per sequence."""
    result: list[ModelInputs] = []
    bounds: list[int] = inputs.cu_seqlens.tolist()
    media_at = patch_at = 0
    for i, (start, end) in enumerate(pairwise(bounds)):
        media = slice(media_at, media_at + inputs.media_per_sequence[i])
        grid = inputs.grid_thw[media] if inputs.grid_thw is not None and media.stop > media.start else None
        num_patches = 0 if grid is None else int(grid.prod(dim=1).sum())
        patches = slice(patch_at, patch_at + num_patches)
        result.append(
            ModelInputs(
                input_ids=inputs.input_ids[start:end],
                position_ids=inputs.position_ids[:, start:end],
                cu_seqlens=torch.tensor([0, end - start], dtype=torch.int32),
                rope_deltas=(inputs.rope_deltas[i],),
                pixel_values=None if inputs.pixel_values is None or grid is None else inputs.pixel_values[patches],
                grid_thw=grid,
                media_kinds=inputs.media_kinds[media],
                media_per_sequence=(inputs.media_per_sequence[i],),
                second_per_grid_ts=inputs.second_per_grid_ts[media],
                labels=None if inputs.labels is None else inputs.labels[start:end],
                stamp=inputs.stamp,
            )
        )
        media_at, patch_at = media.stop, patches.stop
    return result
