"""Position ids: time, height and width for every token (report 2.1.2; the official `get_rope_index_25`).

Text counts up on all three axes; a picture holds time still; a clip advances it by its seconds. What
follows a medium starts after its largest id, also after a clip, where transformers 5.x starts too early.
Knows token ids and grids only; neither text nor pixels.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

IMAGE_PAD_ID = 151655
VIDEO_PAD_ID = 151656
TIME_SLACK = 1e-6
"""Seconds (times the rate) forgiven before rounding down, so that 0.7 - 0.2 counts as half a second."""


def rope_index(
    input_ids: Int[Tensor, " T"],
    grid_thw: Int[Tensor, "N 3"] | None = None,
    second_per_grid_ts: Sequence[float] = (),
    *,
    grid_times: Sequence[Sequence[float] | None] = (),
    image_token_id: int = IMAGE_PAD_ID,
    video_token_id: int = VIDEO_PAD_ID,
    spatial_merge_size: int = 2,
    tokens_per_second: float = 2,
) -> tuple[Int[Tensor, "3 T"], int]:
    """Position ids of one sequence, and its `rope_delta` (largest id + 1 - length).

    A decoding step with `n` tokens in the cache stands at `n + rope_delta` on all three axes.

    Worked example: one word, a picture of 2 x 3 tokens (4 x 6 patches) between its marks, one word:

        tokens  w  <s  I  I  I  I  I  I  s>  w
        time    0   1  2  2  2  2  2  2   5  6
        height  0   1  2  2  2  3  3  3   5  6      rope_delta = 7 - 10 = -3
        width   0   1  2  3  4  2  3  4   5  6

    Args:
        input_ids: tokens with the media placeholders already expanded.
        grid_thw: per medium, in order of appearance: frame pairs, rows and columns of patches.
        second_per_grid_ts: per medium, seconds between frame pairs; 0.0 for a still picture. Empty
            means 0.0 for every picture and 1.0 for every clip.
        grid_times: per medium, seconds of each frame pair on the clip's own clock, for clips whose
            frames are not evenly spaced; None where `second_per_grid_ts` holds.
    """
    is_media = (input_ids == image_token_id) | (input_ids == video_token_id)
    media_at = is_media.nonzero().flatten()
    grids: list[list[int]] = [] if grid_thw is None else grid_thw.tolist()
    counts = [t * h * w // spatial_merge_size**2 for t, h, w in grids]
    assert sum(counts) == len(media_at), f"{len(media_at)} media tokens for grids of {counts}"

    positions = torch.empty(3, len(input_ids), dtype=torch.int64)
    cursor = next_id = seen = 0
    for i, (grid, count) in enumerate(zip(grids, counts, strict=True)):
        start = int(media_at[seen])
        assert bool(is_media[start : start + count].all()), "the tokens of one medium are not contiguous"
        positions[:, cursor:start] = torch.arange(next_id, next_id + start - cursor)
        next_id += start - cursor
        is_video = int(input_ids[start]) == video_token_id
        step = second_per_grid_ts[i] if second_per_grid_ts else float(is_video)
        times = grid_times[i] if grid_times else None
        time_ids = _time_ids(grid[0], step, times, tokens_per_second)
        block = _media_block(time_ids, grid[1] // spatial_merge_size, grid[2] // spatial_merge_size)
        positions[:, start : start + count] = block + next_id
        next_id += int(block.max()) + 1
        cursor = start + count
        seen += count
    positions[:, cursor:] = torch.arange(next_id, next_id + len(input_ids) - cursor)
    next_id += len(input_ids) - cursor
    return positions, next_id - len(input_ids)


def _time_ids(
    steps: int, second_per_grid: float, times: Sequence[float] | None, tokens_per_second: float
) -> Int[Tensor, " steps"]:
    """Temporal ids of the frame pairs of one medium, rounded down.

    Even spacing repeats the reference to the bit: single precision, seconds before rate. With 2 ids a
    second: 1.0 s apart gives 0 2 4; 0.999 s gives 0 1 3; times 10.0 10.5 12.0 give 0 1 4.
    """
    if times is None:
        seconds = torch.arange(steps) * second_per_grid
        return (seconds * tokens_per_second).long()
    assert len(times) == steps, f"{len(times)} times for {steps} frame pairs"
    since_start = torch.tensor(times, dtype=torch.float64) - times[0]
    return (since_start * tokens_per_second + TIME_SLACK).floor().long()


def _media_block(time_ids: Int[Tensor, " t"], rows: int, columns: int) -> Int[Tensor, "3 n"]:
    """Ids relative to the medium's first: time changes slowest, the column fastest."""
    shape = (len(time_ids), rows, columns)
    return torch.stack(
        [
            time_ids.view(-1, 1, 1).expand(shape).flatten(),
            torch.arange(rows).view(1, -1, 1).expand(shape).flatten(),
            torch.arange(columns).view(1, 1, -1).expand(shape).flatten(),
        ]
    )
