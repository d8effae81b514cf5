"""`GrpoConfig`: the settings of training on rewards, and what its three published variants mean by them."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class GrpoConfig(BaseModel):
    """Group-relative policy optimization with verifiable rewards.

    `variant` names the loss and sets what the fields below leave at None:

    | | grpo (arXiv 2402.03300) | dr_grpo (arXiv 2503.20783) | dapo (arXiv 2503.14476) |
    |---|---|---|---|
    | a token weighs | 1 / tokens of its answer | 1 / `max_new_tokens` | 1, over the tokens of the step |
    | `scale_by_deviation` | yes | no | yes |
    | `clip_high` | `clip` | `clip` | 0.28 |
    | `dynamic_sampling` | no | no | yes |
    | `overlong_buffer` | 0 | 0 | a fifth of `max_new_tokens` |

    Attributes:
        group: answers to each prompt; prompts: of one step over all ranks, so that a step has `prompts` x `group`.
        iterations: updates from the same answers (mu). After the first the ratio is no longer 1 and clipping matters.
        delay: 1 lets answers of the next step be written, by a copy of the weights, while this step is trained; the
            importance ratio is then that to the copy.
        clip: the ratio counts between 1 - `clip` and 1 + `clip_high`.
        kl: weight of the divergence from the reference (estimator k3, Schulman 2020); 0 keeps no reference.
        unbiased_kl: the divergence is multiplied by the ratio, so that its gradient is that of the reverse divergence
            (DeepSeek-V3.2, arXiv 2512.02556; TRL's default); without it as in the GRPO paper.
        dynamic_sampling: groups without differences of reward are replaced by other prompts, at most `tries` times
            as many prompts as a step needs.
        overlong_buffer: tokens before `max_new_tokens` over which a reward falls by up to 1 (DAPO, equation 13).
        mask_truncated: answers that did not end by themselves give no loss (they still count in their group).
        max_new_tokens, temperature, top_p, top_k, min_p: of the rollouts; ratios are of what they leave.
        grammar: hold rollouts to the grammar of their kind of answer, where it has one.
        rewards: weight by name of a reward, `FILE.py:FUNCTION` or `judge:MODEL`; see `recipes.rewards`.
        reward_seconds: of the clock that a user's function has for one answer.
        worlds: offline worlds whose tasks are played instead of rows that are answered; the reward is then success less
            `step_cost` for each of at most `episode_steps` steps.
        max_log_ratio, mean_log_ratio: largest and mean |log(rollout / trainer probability)| of a token, for equal
            weights; answers beyond either stop the run. The mean is 0.02, with bfloat16 rollouts 0.1: over an answer of
            few tokens it was up to 0.03 there.
        cache_bytes: memory of the rollouts for keys and values; max_num_seqs: answers written at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    variant: Literal["grpo", "dr_grpo", "dapo"] = "grpo"
    group: int = Field(default=8, gt=1)
    prompts: int = Field(default=8, gt=0)
    iterations: int = Field(default=1, gt=0)
    delay: Literal[0, 1] = 0
    clip: float = Field(default=0.2, gt=0, lt=1)
    clip_high: float | None = Field(default=None, gt=0)
    kl: float = Field(default=0.0, ge=0)
    unbiased_kl: bool = True
    scale_by_deviation: bool | None = None
    dynamic_sampling: bool | None = None
    tries: int = Field(default=4, gt=0)
    overlong_buffer: int | None = Field(default=None, ge=0)
    mask_truncated: bool = False
    max_new_tokens: int = Field(default=256, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    min_p: float = Field(default=0.0, ge=0, le=1)
    grammar: bool = False
    rewards: dict[str, float] = Field(default_factory=lambda: {"truth": 1.0})
    reward_seconds: float = Field(default=5.0, gt=0)
    worlds: tuple[str, ...] = ()
    step_cost: float = Field(default=0.01, ge=0)
    episode_steps: int = Field(default=8, gt=0)
    max_log_ratio: float = Field(default=1.0, gt=0)
    mean_log_ratio: float | None = Field(default=None, gt=0)
    cache_bytes: int = Field(default=2**30, gt=0)
    max_num_seqs: int = Field(default=64, gt=0)

    def resolved(self, bf16: bool = False) -> Self:
        """The same with nothing left to the variant, or to the dtype of the run's matrix products."""
        dapo = self.variant == "dapo"
        defaults = {
            "clip_high": 0.28 if dapo else self.clip,
            "scale_by_deviation": self.variant != "dr_grpo",
            "dynamic_sampling": dapo,
            "overlong_buffer": self.max_new_tokens // 5 if dapo else 0,
            "mean_log_ratio": 0.1 if bf16 else 0.02,
        }
        return self.model_copy(update={name: value for name, value in defaults.items() if getattr(self, name) is None})
