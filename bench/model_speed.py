"""The tower, prefill and one decoding step at the widths of the 3B model, beside transformers (SDPA).

Same weights, same threads, same dtype. Depth is cut (8 tower blocks with one full, as 32 with four; 4 or 12
language layers), so that a run takes minutes. On a processor without 16-bit arithmetic bfloat16 puts the
peer on a slow path; float32 beside it shows what remains.
"""

import time

import torch
from beside import added_peak, arguments, beside, peaks, report
from transformers import Qwen2_5_VLConfig
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as peer_module

from viewfinder.config import OFFICIAL_SIZES, ModelConfig
from viewfinder.model import Chunk, KVCache
from viewfinder.model.layers import compute_dtype
from viewfinder.model.qwen2_5_vl import TextModel
from viewfinder.model.vision import VisionTower

CASES = ("vision-504", "vision-1036", "prefill-1024", "decode")


def config(layers: int) -> ModelConfig:
    official = OFFICIAL_SIZES["3B"]
    vision = official.vision.model_copy(update={"depth": 8, "fullatt_block_indexes": (7,)})
    return official.model_copy(
        update={"vision": vision, "text": official.text.model_copy(update={"num_hidden_layers": layers})}
    )


def random_weights(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    module = module.to_empty(device="cpu").to(dtype).eval().requires_grad_(False)
    for parameter in module.parameters():
        parameter.fill_(1.0) if parameter.dim() == 1 else parameter.uniform_(-0.02, 0.02)
    return module


def share_weights(peer: torch.nn.Module, ours: torch.nn.Module) -> torch.nn.Module:
    peer.load_state_dict(ours.state_dict(), assign=True)
    return peer.eval()


def vision(side: int, dtype: torch.dtype):
    settings = config(1)
    with torch.device("meta"):
        ours = VisionTower(settings.vision)
    ours = random_weights(ours, dtype)
    peer_config = Qwen2_5_VLConfig(**settings.to_dict()).vision_config
    peer_config._attn_implementation = "sdpa"
    peer = share_weights(peer_module.Qwen2_5_VisionTransformerPretrainedModel(peer_config).to(dtype), ours)
    grid = torch.tensor([[1, side // 14, side // 14]])
    patches = torch.randn(int(grid.prod()), 1176)
    narrow = patches.to(dtype)
    return lambda: ours(patches, grid), lambda: peer(narrow, grid_thw=grid)


def text(layers: int, dtype: torch.dtype):
    settings = config(layers)
    with torch.device("meta"):
        ours = TextModel(settings.text)
    ours = random_weights(ours, dtype)
    peer_config = Qwen2_5_VLConfig(**settings.to_dict()).text_config
    peer_config._attn_implementation = "sdpa"
    with torch.device("meta"):
        peer = peer_module.Qwen2_5_VLTextModel(peer_config)
    peer.rotary_emb = peer_module.Qwen2_5_VLRotaryEmbedding(peer_config)
    return ours, share_weights(peer, ours)


def prefill(dtype: torch.dtype):
    ours, peer = text(4, dtype)
    wide = torch.float32 if _widens(dtype) else dtype
    hidden = torch.randn(1024, 2048).to(dtype)
    positions = torch.arange(1024).expand(3, -1)
    return (
        lambda: ours(hidden.to(wide), positions, [1024]),
        lambda: peer(inputs_embeds=hidden[None], position_ids=positions[:, None], use_cache=False),
    )


def decode(dtype: torch.dtype):
    """One token after 512, and the bytes of weights it reads."""
    ours, peer = text(12, dtype)
    wide = torch.float32 if _widens(dtype) else dtype
    prompt, token = torch.randn(512, 2048).to(dtype), torch.randn(1, 2048).to(dtype)
    positions = torch.arange(513).expand(3, -1)
    cache = KVCache(ours.config, num_blocks=33, dtype=wide)
    ours(prompt.to(wide), positions[:, :512], [512], cache.view([Chunk(range(33), 0, 512)]))
    peer_cache = peer(inputs_embeds=prompt[None], position_ids=positions[:, None, :512], use_cache=True).past_key_values

    def ours_step():
        ours(token.to(wide), positions[:, 512:], [1], cache.view([Chunk(range(33), 512, 1)]))

    def peer_step():
        if peer_cache.get_seq_length() > 512:
            peer_cache.crop(-1)
        peer(
            inputs_embeds=token[None], position_ids=positions[:, None, 512:], past_key_values=peer_cache, use_cache=True
        )

    read = sum(p.numel() * p.element_size() for layer in ours.layers for p in layer.parameters())
    return ours_step, peer_step, read


def _widens(dtype: torch.dtype) -> bool:
    return compute_dtype(dtype, torch.device("cpu")) != dtype


def read_speed() -> float:
    """Bytes a second that a sum over 1 GiB reads: the ceiling of decoding."""
    block = torch.ones(2**28)
    block.sum()
    start = time.perf_counter()
    for _ in range(3):
        block.sum()
    return 3 * 2**30 / (time.perf_counter() - start)


def build(case: str, dtype: torch.dtype):
    if case.startswith("vision"):
        return (*vision(int(case.split("-")[1]), dtype), 0)
    return (*prefill(dtype), 0) if case.startswith("prefill") else decode(dtype)


@torch.inference_mode()
def main() -> None:
    options = arguments(__doc__)
    dtype = getattr(torch, options.dtype)
    torch.set_num_threads(options.threads)
    slow = "vision-1036" if options.dtype == "bfloat16" else ""  # minutes a run for a peer without 16-bit products
    for case in [options.case] if options.case else CASES:
        ours, peer, bytes_read = build(case, dtype)
        if options.only:
            # what a call adds to the weights: activations, widened blocks, and copies the library keeps
            return print(added_peak(ours if options.only == "ours" else peer))
        if case == "decode":
            ours(), peer()
        figures = beside(
            ours, peer, {"decode": 10 * options.repeats, slow: 1}.get(case, options.repeats), options.clock
        )
        more = {} if options.no_memory else peaks("--case", case, "--dtype", options.dtype)
        if bytes_read:
            more |= {"read_bytes_per_s": bytes_read / figures["ours"], "ceiling_bytes_per_s": read_speed()}
        report(f"{case} {options.dtype}", figures, threads=options.threads, clock=options.clock, **more)
    return None


if __name__ == "__main__":
    main()
