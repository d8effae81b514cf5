"""Random packed inputs for the small model, with positions by the official algorithm."""

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
