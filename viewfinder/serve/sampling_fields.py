"""How tokens are chosen, as OpenAI's and vLLM's clients say it; every endpoint that generates shares these fields."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from viewfinder.messages import Sampling
from viewfinder.serve.body import Body, Finite

_Id = Annotated[int, Field(ge=0)]


class SamplingFields(Body):
    max_tokens: int | None = Field(default=None, gt=0, le=10**6)
    max_completion_tokens: int | None = Field(default=None, gt=0, le=10**6)
    temperature: Finite | None = Field(default=None, ge=0, le=100)
    top_p: Finite | None = Field(default=None, ge=0, le=1, description="0 is greedy.")
    top_k: int | None = Field(default=None, ge=-1, le=10**6, description="0 and -1 are all tokens.")
    min_p: Finite | None = Field(default=None, ge=0, le=1)
    repetition_penalty: Finite | None = Field(default=None, ge=0.01, le=100, description="Of prompt and answer.")
    frequency_penalty: Finite | None = Field(default=None, ge=-2, le=2, description="Of the answer.")
    presence_penalty: Finite | None = Field(default=None, ge=-2, le=2, description="Of the answer.")
    logit_bias: dict[_Id, Annotated[Finite, Field(ge=-100, le=100)]] | None = Field(default=None, max_length=1024)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    stop_token_ids: list[_Id] | None = Field(default=None, max_length=128)
    min_tokens: int | None = Field(default=None, ge=0, le=10**6)
    ignore_eos: bool | None = None
    skip_special_tokens: bool | None = None

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        most = self.max_completion_tokens or self.max_tokens
        if most is not None and (self.min_tokens or 0) > most:
            raise ValueError(f"min_tokens is {self.min_tokens}, over the {most} tokens that the answer may have")
        return self

    def sampling_over(self, defaults: Sampling) -> Sampling:
        """These wishes over the model's own settings."""
        given: dict[str, Any] = {
            name: getattr(self, name) for name in SamplingFields.model_fields if name in Sampling.model_fields
        }
        given["max_new_tokens"] = self.max_completion_tokens or self.max_tokens
        given["stop"] = (self.stop,) if isinstance(self.stop, str) else self.stop
        known = {name: value for name, value in given.items() if value is not None}
        return Sampling(**{**defaults.model_dump(), **known})
