"""Keys and values in 8 bits: as attention to the rounded ones says, whatever reads them, in half the memory."""

import pytest
import torch

from viewfinder.chat import load
from viewfinder.config import OFFICIAL_SIZES, TextConfig
from viewfinder.data.sample import say
from viewfinder.errors import SettingsError
from viewfinder.messages import Sampling
from viewfinder.model import Chunk, KVCache, native
from viewfinder.model.byte_cache import to_bytes, widen_bytes
from viewfinder.model.layers import attention

CONFIG = OFFICIAL_SIZES["3B"].text.model_copy(update={"num_hidden_layers": 1, "num_key_value_heads": 2})
HEADS, GROUPS, DIM = CONFIG.num_attention_heads, CONFIG.num_key_value_heads, CONFIG.head_dim
LENGTHS = (5, 40, 7)


@pytest.fixture(params=[True, False], ids=["compiled", "plain"], autouse=True)
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(native, "library", lambda: None)


def rounded(x: torch.Tensor) -> torch.Tensor:
    """By the definition: (T, G, H), each head of each token to 255 steps."""
    scale = x.float().abs().amax(-1, keepdim=True) / 127
    return (x.float() / scale.clamp(min=1e-38)).round() * scale


def expected(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The last queries of one sequence, in float32."""
    q, k, v = (x.float().transpose(0, 1)[None] for x in (q, k, v))
    return attention(q, k, v, is_causal=True)[0].transpose(0, 1).flatten(1)


def random_parts(lengths: tuple[int, ...], dtype: torch.dtype) -> list[tuple[torch.Tensor, ...]]:
    generator = torch.Generator().manual_seed(0)
    return [
        tuple(torch.randn(n, heads, DIM, generator=generator).to(dtype) for heads in (HEADS, GROUPS, GROUPS))
        for n in lengths
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("in_row", [True, False])
@pytest.mark.parametrize("step", [1, 3])
@torch.inference_mode()
def test_what_is_read_back_is_rounded_and_nothing_else(dtype: torch.dtype, in_row: bool, step: int) -> None:
    """Three sequences of 5, 40 and 7 tokens, whose last one or three are read after the rest; blocks of 4."""
    cache = KVCache(CONFIG, num_blocks=30, block_size=4, dtype=torch.int8)
    cache.clear(range(30))
    places = list(range(30)) if in_row else torch.randperm(30, generator=torch.Generator().manual_seed(1)).tolist()
    tables = [places[:2], places[2:12], places[12:14]]
    parts = random_parts(LENGTHS, dtype)
    for part in (slice(0, -step), slice(-step, None)):
        past = [0 if part.stop else n - step for n in LENGTHS]
        news = [n - step if part.stop else step for n in LENGTHS]
        view = cache.view([Chunk(*one) for one in zip(tables, past, news, strict=True)])[0]
        found = view.attend(*(torch.cat([one[i][part] for one in parts]) for i in range(3)))
    wanted = torch.cat([expected(q[-step:], rounded(k), rounded(v)) for q, k, v in parts])
    assert found.dtype == dtype
    near = 1e-4 if dtype == torch.float32 else 2e-2  # bfloat16 rounds the widened keys and the result
    torch.testing.assert_close(found.float(), wanted, atol=near, rtol=near)


def test_rounding_is_to_half_a_step_and_nothing_stays_nothing() -> None:
    x = torch.randn(2, 9, 16) * torch.logspace(-3, 3, 9)[:, None]
    x[0, 3] = 0
    found = widen_bytes(*to_bytes(x), torch.float32)
    assert ((found - x).abs() <= x.abs().amax(-1, keepdim=True) / 254 * 1.001).all()
    assert (found[0, 3] == 0).all()


@pytest.mark.parametrize("size", ["3B", "7B"])
def test_half_the_memory(size: str) -> None:
    config: TextConfig = OFFICIAL_SIZES[size].text
    wide, narrow = (KVCache.block_bytes(config, 16, dtype) for dtype in (torch.bfloat16, torch.int8))
    assert narrow / wide < 0.52
    cache = KVCache(CONFIG, num_blocks=7, dtype=torch.int8)
    held = sum(t.numel() * t.element_size() for t in (*cache.layers, *cache.scales))
    assert held == 9 * KVCache.block_bytes(CONFIG, 16, torch.int8)  # one is always zero, one takes padding


def test_an_option_of_loading() -> None:
    question = [say("user", "Copy: harbor")]
    answers = [
        load("tiny", kv_cache_dtype=name).model.chat(question, sampling=Sampling(max_new_tokens=4)).text
        for name in (None, "int8")
    ]
    assert answers[0] == answers[1]
    with pytest.raises(SettingsError, match="keys and values"):
        load("tiny", kv_cache_dtype="int4")
