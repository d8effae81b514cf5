"""What a step of training on rewards takes on one rank: the rollouts, and the packs of the update.

Rollouts read each prompt once, then choose one token of every answer at a time. Each time all weights of the language
model are read, so the bandwidth of a device's memory bounds them, not its products.
"""

import math
from dataclasses import dataclass

import torch

from viewfinder.engine.scheduler import EngineConfig
from viewfinder.model.attention import KVCache
from viewfinder.processor.cost import vision_flops
from viewfinder.train.config import TrainConfig
from viewfinder.train.estimate import FULL, GRID, HALF, Data
from viewfinder.train.flops import passes_of, text_flops
from viewfinder.train.learner import Learner


@dataclass(frozen=True)
class RewardStep:
    """One step of one rank: `prompts` prompts of `prompt` tokens, `media` of them (a share) of pixels, and to each
    `grpo.group` answers of `grpo.max_new_tokens` tokens, the most that they may have."""

    config: TrainConfig
    prompts: int
    prompt: int
    media: float

    @property
    def answers(self) -> int:
        return self.prompts * self.config.grpo.group

    @property
    def tokens(self) -> int:
        """Of all packs: each prompt once, and its answers."""
        return self.prompts * self.prompt + self.answers * self.config.grpo.max_new_tokens

    @property
    def pack(self) -> tuple[TrainConfig, Data]:
        """One pack as `estimate.memory` takes it."""
        length = min(self.config.seq_len, self.tokens)
        asked = self.prompts * self.prompt / self.tokens
        return self.config.model_copy(update={"seq_len": length}), Data(self.media * asked, self.prompt, 1 - asked)

    def update_flops(self) -> float:
        """Of all passes of an update over all packs, and of the pass before it where answers outlive their weights."""
        config, passes = self.config, passes_of(self.config)
        again = config.grpo.iterations > 1 or config.grpo.delay
        text = passes.text * config.grpo.iterations + again
        return text * self._text_flops() + (config.grpo.iterations + again) * self._tower_flops()

    def rollout_flops(self) -> float:
        """As many as one forward pass of an update: each prompt is read once there, too."""
        return self._text_flops() + self._tower_flops()

    def decoded_bytes(self, learner: Learner) -> float:
        """Bytes of memory that are read while answers are written: weights for each token of a batch of answers, and
        keys and values of all that each token attends to."""
        config, settings = self.config.model.text, self.config.grpo
        width = HALF if self.config.bf16 else FULL
        batches = math.ceil(self.answers / settings.max_num_seqs)
        weights = width * sum(p.numel() for p in learner.model.model.parameters())
        past = self.prompt + settings.max_new_tokens / 2
        read = self.answers * past * KVCache.block_bytes(config, 1, self._dtype)
        return settings.max_new_tokens * (batches * weights + read)

    def held(self, learner: Learner) -> int:
        """Bytes of the rollouts: keys and values, and the copy of the weights where they are not used as they are."""
        settings, size = self.config.grpo, EngineConfig.block_size
        at_once = min(settings.max_num_seqs, self.answers)
        blocks = (at_once + self.prompts) * math.ceil((self.prompt + settings.max_new_tokens) / size)
        cache = blocks * KVCache.block_bytes(self.config.model.text, size, self._dtype)
        is_narrow = learner.model.dtype == self._dtype
        copies = 0 if is_narrow and not settings.delay else sum(p.numel() for p in learner.model.parameters())
        return min(settings.cache_bytes, cache) + self._dtype.itemsize * copies

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.config.bf16 else torch.float32

    def _text_flops(self) -> float:
        length, answers = self.config.grpo.max_new_tokens, self.answers
        lengths = [self.prompt] * self.prompts + [length] * answers
        past = [0] * self.prompts + [self.prompt] * answers
        return text_flops(self.config.model.text, lengths, answers * length, past)

    def _tower_flops(self) -> float:
        per_picture = GRID[0] * GRID[1] * GRID[2] // 4
        return vision_flops(self.config.model.vision, GRID) / per_picture * self.media * self.prompt * self.prompts
