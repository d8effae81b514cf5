"""How long a sample is for the language model, with the stamp of the settings that say so."""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from viewfinder.data.places import for_model
from viewfinder.data.plan import Bad
from viewfinder.data.sample import Sample
from viewfinder.errors import DataError, MediaError
from viewfinder.processor.processor import Processor


@lru_cache(maxsize=4)
def open_processor(model: str) -> Processor:
    """The processor of the built-in model ("tiny"), of the official sizes ("official"), or of a directory."""
    if model == "official":
        return Processor.official()
    if model == "tiny":
        from importlib.resources import files

        return Processor.from_pretrained(str(files("viewfinder") / "weights" / "tiny"))
    return Processor.from_pretrained(model)


class Measure:
    """Count tokens; drop what is longer than `max_tokens`."""

    name, version = "measure", 1

    def __init__(self, model: str = "tiny", max_tokens: int | None = None) -> None:
        self.model, self.max_tokens = model, max_tokens

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]:
        processor = open_processor(self.model)
        try:
            view = for_model(sample, processor)
            plan = processor.plan(view.messages, tools=view.tools, train=True)
        except MediaError as error:
            raise DataError(str(error)) from error
        tokens = len(plan.inputs.input_ids)
        if self.max_tokens is not None and tokens > self.max_tokens:
            return [Bad(f"measure: {tokens} tokens, at most {self.max_tokens} are taken", sample.id)]
        return [replace(sample, tokens=tokens, stamp=plan.inputs.stamp)]
