"""What a run starts from: sizes, processor and weights, by the name of a size or from a checkpoint directory."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from viewfinder.config import OFFICIAL_SIZES, ModelConfig, TextConfig, VisionConfig
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.errors import CheckpointError
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import load_model, read_tensors
from viewfinder.processor.processor import Processor
from viewfinder.recipes.language import LanguageModel, read_into
from viewfinder.train.checkpoint import newest_state
from viewfinder.train.checkpoint import read_tensors as read_state

SMALL_OFFICIAL = ModelConfig(
    vision=VisionConfig(
        depth=12,
        hidden_size=512,
        num_heads=8,
        intermediate_size=1368,
        out_hidden_size=768,
        fullatt_block_indexes=(2, 5, 8, 11),
    ),
    text=TextConfig(
        vocab_size=151936,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=20,
        num_attention_heads=12,
        num_key_value_heads=2,
        mrope_section=(8, 12, 12),
        tie_word_embeddings=True,
    ),
)
"""About 325 million parameters with the official vocabulary."""

SIZES: Mapping[str, ModelConfig] = {"300M": SMALL_OFFICIAL, **OFFICIAL_SIZES}


@dataclass(frozen=True)
class Start:
    """Sizes and processor of a run, and the directory of its starting weights; None draws fresh ones. The weights of
    the language model come from `language` where that is given, and the vocabulary too."""

    model: ModelConfig
    processor: Processor
    weights: Path | None = None
    states: Path | None = None
    language: LanguageModel | None = None


def start_of_size(name: str) -> Start:
    """Fresh weights of a size: "tiny", "300M", "3B", "7B", "32B" or "72B".

    Raises:
        CheckpointError: no such size.
    """
    if name == "tiny":
        return Start(ModelConfig.from_pretrained(find_checkpoint("tiny")), open_processor(find_checkpoint("tiny")))
    if name not in SIZES:
        raise CheckpointError(f"there is no size {name!r}; sizes are tiny, {', '.join(SIZES)}")
    return Start(SIZES[name], Processor.official("3B" if name == "300M" else name))


def start_from(source: str | Path) -> Start:
    """The weights of a run directory (its `export`), a checkpoint directory, or "tiny".

    Raises:
        CheckpointError: no checkpoint there.
    """
    run = Path(source)
    directory = run / "export" if (run / "export").is_dir() else find_checkpoint(str(source))
    states = run / "states" if (run / "states").is_dir() else None
    return Start(ModelConfig.from_pretrained(directory), open_processor(directory), directory, states)


def open_processor(directory: Path, **changes: int) -> Processor:
    return Processor.from_pretrained(directory, **changes)


def build(start: Start, seed: int, dtype: torch.dtype = torch.float32) -> Qwen2_5_VL:
    """The model of a start."""
    if start.weights is not None and start.language is None:
        return load_model(start.weights, dtype=dtype).requires_grad_(True)
    model = fresh(start.model, seed).to(dtype)
    if start.language is not None:
        if start.weights is not None:
            _read_tower(model, start.weights)
        read_into(model, start.language)
    return model


def fresh(config: ModelConfig, seed: int) -> Qwen2_5_VL:
    """Normal weights with a standard deviation of 1 / sqrt(inputs), smaller where a block ends."""
    torch.manual_seed(seed)
    model = Qwen2_5_VL(config)
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            torch.nn.init.ones_(parameter) if "norm" in name or "ln_q" in name else torch.nn.init.zeros_(parameter)
            continue
        deviation = parameter[0].numel() ** -0.5
        if name.endswith(("down_proj.weight", "o_proj.weight", "attn.proj.weight")):
            deviation *= 0.3
        if "embed_tokens" in name:
            deviation = 0.05
        torch.nn.init.normal_(parameter, std=deviation)
    return model


def with_language(start: Start, language: LanguageModel) -> Start:
    """The tower of a start before another language model: its sizes, its vocabulary, and a merger of its width."""
    token = language.tokenizer.token_id
    ids = {
        "image_token_id": token("<|image_pad|>"),
        "video_token_id": token("<|video_pad|>"),
        "vision_start_token_id": token("<|vision_start|>"),
        "vision_end_token_id": token("<|vision_end|>"),
        "bos_token_id": token("<|endoftext|>"),
        "eos_token_id": token("<|im_end|>"),
    }
    vision = start.model.vision.model_copy(update={"out_hidden_size": language.config.hidden_size})
    model = ModelConfig(vision=vision, text=language.config, **ids)
    processor = Processor(language.tokenizer, start.processor.settings)
    return Start(model, processor, start.weights, language=language)


def _read_tower(model: Qwen2_5_VL, directory: Path) -> None:
    """The tower's weights; the merger's last layer stays as drawn where the language model has another width."""
    with torch.no_grad():
        own = dict(model.named_parameters())
        for name, tensor in read_tensors(directory):
            if name.startswith("visual.") and own[name].shape == tensor.shape:
                own[name].copy_(tensor)


def read_heads(heads: Mapping[str, torch.nn.Module], states: Path | None) -> None:
    """What an earlier run learnt in layers of the same name and shape: averaged where it kept averages, as its export
    is. The others begin as drawn."""
    saved = newest_state(states) if states is not None and heads else None
    if saved is None:
        return
    for name, head in heads.items():
        found = read_state(saved, f"average.heads.{name}.") or read_state(saved, f"weights.heads.{name}.")
        own = head.state_dict()
        head.load_state_dict(own | {n: t for n, t in found.items() if n in own and own[n].shape == t.shape})


def export_processor(processor: Processor, directory: Path) -> None:
    """The files beside the weights."""
    processor.save_pretrained(directory)
    eos, pad = (processor.tokenizer.token_id(name) for name in ("<|im_end|>", "<|endoftext|>"))
    settings = {"do_sample": False, "eos_token_id": [eos, pad], "pad_token_id": pad, "repetition_penalty": 1.0}
    (directory / "generation_config.json").write_text(json.dumps(settings, indent=2) + "\n")
