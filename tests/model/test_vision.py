"""The tower against plain definitions: a mask over all patches, the convolution, frames one by one."""

import torch
from torch.nn import functional as F

from viewfinder.model import Qwen2_5_VL
from viewfinder.model.vision import frame_attention, vision_layout


def test_window_attention_equals_masked_attention_over_everything(model: Qwen2_5_VL) -> None:
    grid = torch.tensor([[2, 10, 22], [1, 4, 6], [1, 18, 18]])
    layout = vision_layout(grid, model.config.vision)
    num_patches = int(grid.prod(1).sum())
    q, k, v = torch.randn(3, num_patches, 2, 16, generator=torch.Generator().manual_seed(1)).unbind()
    frame = torch.repeat_interleave(torch.arange(4), torch.tensor([220, 220, 24, 324]))
    window = torch.cat([frame[:, None], layout.rows_cols // 8], dim=1)
    for windowed, key in ((True, window), (False, frame[:, None])):
        mask = (key[:, None] == key[None]).all(-1)
        expected = F.scaled_dot_product_attention(
            q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1), attn_mask=mask
        )
        found = frame_attention(q, k, v, layout.runs, windowed=windowed)
        torch.testing.assert_close(found, expected.transpose(0, 1).flatten(1), atol=1e-5, rtol=1e-5)


def test_patch_embedding_equals_the_convolution(model: Qwen2_5_VL) -> None:
    patches = torch.randn(7, 1176, generator=torch.Generator().manual_seed(2))
    embed = model.visual.patch_embed
    expected = embed.proj(patches.view(7, 3, 2, 14, 14)).flatten(1)
    torch.testing.assert_close(embed(patches), expected, atol=1e-4, rtol=1e-4)


def test_media_do_not_see_each_other(model: Qwen2_5_VL) -> None:
    grids = torch.tensor([[1, 10, 6], [2, 4, 4], [1, 10, 6]])
    sizes = grids.prod(1).tolist()
    patches = torch.randn(sum(sizes), 1176, generator=torch.Generator().manual_seed(3))
    together = model.visual(patches, grids)
    alone = [model.visual(p, g[None]) for p, g in zip(patches.split(sizes), grids, strict=True)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)


def test_no_attention_across_time(model: Qwen2_5_VL) -> None:
    patches = torch.randn(2 * 24, 1176, generator=torch.Generator().manual_seed(4))
    clip = model.visual(patches, torch.tensor([[2, 4, 6]]))
    first = model.visual(patches[:24], torch.tensor([[1, 4, 6]]))
    torch.testing.assert_close(clip[:6], first, atol=1e-5, rtol=1e-5)


def test_position_matters(model: Qwen2_5_VL) -> None:
    """The same patches laid out as 4x6 and as 6x4 give different features, or the 2D-RoPE is dead."""
    patches = torch.randn(24, 1176, generator=torch.Generator().manual_seed(5))
    wide, tall = (model.visual(patches, torch.tensor([g])) for g in ([1, 4, 6], [1, 6, 4]))
    assert (wide - tall).abs().max() > 1e-3
