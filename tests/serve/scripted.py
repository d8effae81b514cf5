"""The real engine and server with a model that says what a test wants: every token is forced by a constraint.

So the page is tested through all of the machinery, with answers a person can judge.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from tests.conftest import random_model, small_config
from tests.doubles import special_ids
from viewfinder.engine.async_engine import AsyncEngine
from viewfinder.engine.engine import Engine
from viewfinder.engine.request import EngineRequest
from viewfinder.engine.scheduler import EngineConfig
from viewfinder.outputs import prompts
from viewfinder.processor.processor import Prepared, Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer

Script = Callable[[str, Prepared], str]
"""From a prompt's words and the prepared request (`media` has its sizes) to the answer."""


class Forced:
    """A constraint that leaves one token at a time."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids, self.at = ids, 0

    def bits(self) -> np.ndarray:
        return np.packbits(np.arange(self.ids[self.at] + 1) == self.ids[self.at], bitorder="little")

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        raise AssertionError("for the oracle only")

    def accept(self, token_id: int) -> None:
        assert token_id == self.ids[self.at]
        self.at += 1

    def forced(self, most: int) -> list[int]:
        return []  # a step for each token, so that requests can be met half-way

    @property
    def is_finished(self) -> bool:
        return self.at == len(self.ids)


class ScriptedEngine(AsyncEngine):
    """Answers by a function of the prepared request; `read` are more texts for its vocabulary, `context` its length."""

    def __init__(self, script: Script, read: Sequence[str] = (), size: int = 1000, context: int = 4096) -> None:
        settings = ProcessorSettings(max_pixels=1000 * 1000, video_min_pixels=56 * 56, video_max_pixels=112 * 112)
        # what is said is in the vocabulary, so that answers take few steps
        processor = Processor(Tokenizer.train([*SAID, *read] * 2, size), settings)
        small = small_config(vocab_size=size)
        config = small.model_copy(
            update={
                "text": small.text.model_copy(update={"max_position_embeddings": context}),
                **special_ids(processor),
            }
        )
        super().__init__(Engine(random_model(config, 0).float(), processor), EngineConfig(cache_bytes=2**26))
        self.script = script

    def submit(self, request: EngineRequest, listener: Any = None) -> Any:
        tokenizer = self.engine.processor.tokenizer
        words = tokenizer.decode(request.prepared.inputs.input_ids.tolist(), skip_special=False)
        ids = tokenizer.encode(self.script(words, request.prepared))
        return super().submit(dataclasses.replace(request, constraint=Forced(ids)), listener)


ANSWER = "The total is EUR 21.20, paid by card. It stands below the subtotal, above the payment."
HAPPENS = "The given query happens in 0.5 - 1.2 and 1.8 - 2.4 seconds."
SAID = (
    *(
        ANSWER,
        HAPPENS,
        '```json\n[\n\t{"bbox_2d": [',
        '], "label": "the total"}\n]\n```',
        "You are a helpful assistant.",
    ),
    *('{"point_2d": [', '], "label": "item"},\n\t', "\n\nThere are 5 items in the image.", '<p data-bbox="', "</p>"),
    *("<html><body>", '{"value": "21.20", "bbox_2d": [', "CORNER GROCER", prompts.locate_prompt("the total"), "user\n"),
)
TOTAL = (36, 372, 384, 404)
"""Where the total stands on `examples/receipt.png`, pixels of the original."""

ELEMENTS = (
    ("h1", (96, 38, 324, 68), "CORNER GROCER"),
    ("p", (122, 78, 300, 116), "12 Mill Lane, Harbour Town<br>17 May 2025 14:32 till 3"),
    (
        "table",
        (36, 152, 384, 298),
        "<tr><th>What</th><th>EUR</th></tr><tr><td>2 x Rye bread</td><td>7.80</td></tr>",
    ),
    ("p", TOTAL, "TOTAL EUR 21.20"),
    ("p", (36, 434, 384, 486), "Card payment 21.20<br>VAT 7 % included 1.39"),
)


def about_the_receipt(words: str, prepared: Prepared) -> str:
    """What a good model would say of the receipt, or of a clip of any kind, in its own pixels."""
    if any(info.kind == "video" for info in prepared.media):
        return HAPPENS
    seen, original = prepared.media[-1].resized_size, prepared.media[-1].original_size

    def at(box: Sequence[float]) -> list[int]:
        return [round(v * seen[i % 2] / original[i % 2]) for i, v in enumerate(box)]

    if "QwenVL HTML" in words:
        parts = (f'<{tag} data-bbox="{" ".join(map(str, at(box)))}">{text}</{tag}>' for tag, box, text in ELEMENTS)
        return "<html><body>\n" + "\n".join(parts) + "\n</body></html>"
    if "key-value" in words:
        total = {"value": "21.20", "bbox_2d": at(TOTAL)}
        return json.dumps({"total": total, "seller": {"value": "CORNER GROCER", "bbox_2d": at(ELEMENTS[0][1])}})
    if "Point" in words or "key points" in words:
        points = [{"point_2d": at((60, y)), "label": "item"} for y in (164, 194, 224, 254, 284)]
        listed = "```json\n[\n\t" + ",\n\t".join(map(json.dumps, points)) + "\n]\n```"
        return listed + ("\n\nThere are 5 items in the image." if "key points" in words else "")
    if "Locate" in words:
        # a little off, so that there is something to correct
        box = json.dumps({"bbox_2d": at((30, 340, 384, 404)), "label": "the total"})
        return f"```json\n[\n\t{box}\n]\n```"
    return ANSWER
