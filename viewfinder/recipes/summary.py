"""What a run is about to do, in sentences: where it starts, how places are read, what is trained, and its cost."""

from viewfinder.recipes.sizes import Start
from viewfinder.recipes.sources import DataConfig
from viewfinder.train.config import TrainConfig


def run_summary(start: Start, config: TrainConfig, step: int) -> list[str]:
    """Sentences before the first step; `step` is how many were done by an earlier run in the same folder."""
    if step >= config.steps:
        return [
            f"this run is at step {step} and {config.steps} were asked for, so nothing was trained; give more steps"
        ]
    data = DataConfig.read(config.data)
    origin = f"the weights in {start.weights}" if start.weights is not None else "fresh weights"
    if start.language is not None:
        origin = f"the language model {start.language.source} behind a tower of {origin}"
    parts = "adapters of the language model (LoRA)" if config.lora is not None else "all weights"
    frozen = [name for name in ("tower", "merger") if not getattr(config.lr_scale, name)]
    but = f", but for the {' and '.join(frozen)}" if frozen and config.lora is None else ""
    lines = [f"starts from {origin}; trains {parts}{but}"]
    if data.source.endswith((".json", ".jsonl")):
        frame = {"original": "the original pictures", "model": "the pictures as the model sees them"}[data.coordinates]
        lines.append(f"places in {data.source} are read as pixels of {frame} (data.coordinates={data.coordinates})")
    left = config.steps - step
    if config.objective == "policy":
        asked, rewards = config.grpo, " + ".join(f"{weight:g} x {name}" for name, weight in config.grpo.rewards.items())
        lines.append(
            f"{left} steps of {asked.prompts} prompts with {asked.group} answers of at most {asked.max_new_tokens} "
            f"tokens ({asked.variant}); reward: {rewards}"
        )
        return lines
    tokens = left * config.global_batch_size * config.seq_len
    work = 6 * _parameters(start) * tokens
    lines.append(
        f"{left} steps of {config.global_batch_size} x {config.seq_len} tokens: at most {tokens:,} tokens, "
        f"about {work / 1e12:,.3g} TFLOP, {16 * _parameters(start) / 2**30:.2g} GiB for weights and optimizer"
    )
    return lines


def _parameters(start: Start) -> int:
    """Of the language model: what nearly all work is done with."""
    text = start.model.text
    attention = text.hidden_size * (text.hidden_size * 2 + 2 * text.num_key_value_heads * text.head_dim)
    layer = attention + 3 * text.hidden_size * text.intermediate_size
    return text.num_hidden_layers * layer + text.vocab_size * text.hidden_size
