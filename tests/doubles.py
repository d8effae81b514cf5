"""A model that says what it is told to, so that jobs can be tested without weights."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Unpack

from viewfinder.messages import ChatOptions, Message, Reply
from viewfinder.processor.processor import Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer


def small_processor(**settings: Any) -> Processor:
    """A processor with a vocabulary of bytes and small budgets."""
    return Processor(Tokenizer.train(["one two three"], 278), ProcessorSettings().with_(**settings))


def special_ids(processor: Processor) -> dict[str, int]:
    """The special tokens of a vocabulary as a `ModelConfig` names them."""
    names = {"image": "image_pad", "video": "video_pad", "eos": "im_end", "bos": "endoftext"}
    names |= {name: name for name in ("vision_start", "vision_end")}
    return {f"{key}_token_id": processor.tokenizer.token_id(f"<|{name}|>") for key, name in names.items()}


class ScriptedChat:
    """Answers by a function of the conversation and remembers every request."""

    def __init__(self, processor: Processor, answer: Callable[[Sequence[Message]], str]) -> None:
        self.processor = processor
        self.answer = answer
        self.requests: list[tuple[Sequence[Message], str | None]] = []

    def chat(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Reply:
        self.requests.append((messages, options.get("grammar")))
        prepared = self.processor.plan(messages)
        text = self.answer(messages)
        return Reply(
            text=text,
            token_texts=tuple(text),
            logprobs=tuple(-0.1 if c.isdigit() else 0.0 for c in text),
            media=prepared.media,
            stamp=prepared.inputs.stamp,
        )

    def stream(self, messages: Sequence[Message], **options: Any) -> Iterator[str | Reply]:
        reply = self.chat(messages, **options)
        yield from reply.text
        yield reply
