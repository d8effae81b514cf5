"""The recipes of the built-in model: first the vision tower learns to place and to read, then all parts to answer.

Sizes, vocabulary, mixtures and schedules. The training loop is `viewfinder.train`, the data `tiny.stream`.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.data.synth.questions import make_turn
from viewfinder.data.synth.scene import make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.outputs import prompts
from viewfinder.processor.processor import Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer
from viewfinder.tiny import worlds
from viewfinder.tiny.clip_questions import ClipStyle
from viewfinder.tiny.kind_views import KindStyle
from viewfinder.tiny.stream import StreamConfig
from viewfinder.train.config import OptimizerConfig, TrainConfig

VOCAB_SIZE = 1024
TASKS = {"locate": 1.2, "point": 0.6, "count": 0.4, "read": 1.0, "spot": 0.1, "locate_text": 0.2, "ask": 0.8}
MAX_PIXELS = 336 * 336


def model_config(processor: Processor) -> ModelConfig:
    """About 8 million parameters: a tower of 192 x 6 and a language model of 256 x 6.

    `rope_theta` is small because the width ids get the slowest third of the frequencies: with the official
    million a step of one token to the right would turn them by less than a thousandth of a radian.
    """
    token = processor.tokenizer.token_id
    return ModelConfig(
        vision=VisionConfig(
            depth=6,
            hidden_size=192,
            num_heads=6,
            intermediate_size=512,
            out_hidden_size=256,
            fullatt_block_indexes=(2, 5),
        ),
        text=TextConfig(
            vocab_size=len(processor.tokenizer),
            hidden_size=256,
            intermediate_size=704,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=8192,
            mrope_section=(8, 12, 12),
            rope_theta=100.0,
            tie_word_embeddings=True,
        ),
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        bos_token_id=token("<|endoftext|>"),
        eos_token_id=token("<|im_end|>"),
    )


def reader_config(processor: Processor) -> ModelConfig:
    """About 9 million parameters, for reading: a wider tower of larger heads, and a language model that can tell a
    token of a picture from its neighbor.

    Of `rope_theta` 10 the heights have the 14 frequencies from 0.75 to 0.29 radians a token, and the widths those from
    0.27 to 0.11; of 100 with sections 8, 12, 12 the widths had 0.056 to 0.011.
    """
    base = model_config(processor)
    vision = base.vision.model_copy(update={"hidden_size": 256, "num_heads": 4, "intermediate_size": 640})
    text = base.text.model_copy(update={"rope_theta": 10.0, "mrope_section": (4, 14, 14)})
    return base.model_copy(update={"vision": vision, "text": text})


def build_processor() -> Processor:
    """The small vocabulary, learnt from questions and answers but not from the words that are read: those are spelt
    letter by letter, so that one token is one thing to look at."""
    rng = np.random.default_rng(0)
    texts = ["system\nYou are a helpful assistant.", "user\n", "assistant\n"] * 500
    for i in range(2000):
        scene = make_scene(rng, (168, 168), SceneStyle())
        turns = [make_turn(rng, scene, TASKS) for _ in range(3)]
        for turn in turns:
            texts += [turn.question] if turn.task == "read" else [turn.question, turn.answer]
        query = f"the {turns[-1].truth.get('answer', 'red')} star appears, moves, changes color, disappears"
        texts += [prompts.moments_prompt(query), f"The given query happens in {i % 60}.5 - {i % 70}.0 seconds."]
        texts += _forms(rng)
        if i % 20 == 0:
            texts += [prompts.describe_prompt(), prompts.parse_prompt()]
    settings = ProcessorSettings().with_(min_pixels=84 * 84, max_pixels=MAX_PIXELS)
    return Processor(Tokenizer.train(texts, VOCAB_SIZE).by_whole_words(), settings)


_ALPHABETS = ("абвгдежзийклмнопрстуфхцчшщъыьэюяё", "αβγδεζηθικλμνξοπρστυφχψωάέήίόύώς")


def _forms(rng: np.random.Generator) -> list[str]:
    """How pages, tables, fields and actions are written, around words that are left out; letters of two alphabets,
    each of which becomes a token."""
    a, b, c, d = (int(v) for v in rng.integers(0, 300, 4))
    box, pair = f'data-bbox="{a} {b} {c} {d}"', f'"coordinate": [{a}, {b}]'
    letters = rng.choice(list("".join(_ALPHABETS)), 8).tolist()
    return [
        f"```html\n<html><body>\n<h1 {box}>",
        f"</h1>\n<h2 {box}></h2>\n<p {box}></p>\n<ul><li {box}></li></ul>",
        f'<table {box}>\n<tr><th></th><td></td></tr>\n<div class="image" {box}><img {box}/></div>\n</body></html>\n```',
        f'<tool_call>\n{{"name": "computer_use", "arguments": {{"action": "left_click", {pair}}}}}\n</tool_call>',
        '{"total": "", "date": null, "items": [{"name": "", "price": ""}]}',
        *letters,
        *(letter.upper() for letter in letters),
    ]


class TinyConfig(TrainConfig):
    """A run of the built-in model.

    Attributes:
        media_input: what the language model gets at media tokens: features of the pixels, or embeddings of the labels
            of what was drawn there (`label_embeddings`).
    """

    media_input: Literal["pixels", "labels"] = "pixels"


def tower(processor: Processor) -> TinyConfig:
    """Token labels only: crowded pictures, no language model."""
    return TinyConfig(
        recipe="tiny-tower",
        seed=1,
        steps=1500,
        model=model_config(processor),
        answer_weight=0.0,
        extra_losses={"token_labels": 1.0},
        optimizer=OptimizerConfig(adamw_lr=2e-3, weight_decay=0.1, warmup=20, cooldown=0.4, final=0.1),
        data={
            "max_pixels": 168 * 168,
            "text_share": 0.1,
            "styles": {"mixed": 1, "shapes": 0.6, "text": 0.7, "grid": 5},
        },
    )


def reader(processor: Processor) -> TinyConfig:
    """The tower of the new sizes alone, in bfloat16, mostly on quick pictures of text: dense labels and reading."""
    return tower(processor).model_copy(
        update={
            "recipe": "tiny-reader",
            "model": reader_config(processor),
            "bf16": True,
            "optimizer": OptimizerConfig(
                muon_lr=0.014, adamw_lr=2e-3, weight_decay=0.05, warmup=30, cooldown=0.7, final=0.05, ema=0.99
            ),
            "data": {
                "patches": 4608,
                "min_side": 84,
                "max_side": 336,
                "max_pixels": 224 * 224,
                "text_share": 0.01,
                "quick_share": 1.0,
                "styles": {
                    "few": 0.4,
                    "several": 0.5,
                    "crowd": 0.3,
                    "word": 0.4,
                    "line": 0.8,
                    "sheet": 1.2,
                    "page": 1.2,
                },
            },
        }
    )


def joint(processor: Processor) -> TinyConfig:
    """All parts together."""
    return TinyConfig(
        recipe="tiny-joint",
        seed=2,
        steps=3000,
        model=model_config(processor),
        extra_losses={"token_labels": 0.2},
        optimizer=OptimizerConfig(muon_lr=0.006, adamw_lr=7e-4, weight_decay=0.1, warmup=20, cooldown=0.4, final=0.03),
        data={
            "max_pixels": 168 * 168,
            "text_share": 2.5,
            "styles": {"mixed": 1, "shapes": 0.6, "text": 0.7, "grid": 0.8},
        },
    )


RECIPES: dict[str, Callable[[Processor], TinyConfig]] = {
    "tiny-tower": tower,
    "tiny-joint": joint,
    "tiny-reader": reader,
}


STYLES: dict[str, SceneStyle] = {
    "one": SceneStyle(things=(1, 1), lines=(0, 0), thing_size=(0.2, 0.65)),
    "pair": SceneStyle(things=(2, 2), lines=(0, 0), thing_size=(0.2, 0.5), repeat=0.25),
    "few": SceneStyle(things=(1, 4), lines=(0, 1), thing_size=(0.16, 0.5), text_size=(16, 30), max_chars=8),
    "big": SceneStyle(things=(0, 0), lines=(1, 1), text_size=(32, 52), max_chars=5, plain=0.5),
    "short": SceneStyle(things=(0, 0), lines=(1, 1), text_size=(20, 36), max_chars=4, plain=0.5),
    "word": SceneStyle(things=(0, 0), lines=(1, 1), text_size=(18, 34), max_chars=6, plain=0.5),
    "line": SceneStyle(things=(0, 0), lines=(1, 2), text_size=(15, 30), max_chars=12, plain=0.5),
    "large": SceneStyle(things=(0, 0), lines=(1, 2), text_size=(40, 110), max_chars=8, plain=0.4),
    "long": SceneStyle(things=(0, 0), lines=(1, 3), text_size=(11, 22), max_chars=48, plain=0.6),
    "spaced": SceneStyle(things=(0, 0), lines=(1, 2), plain=0.7, text_size=(13, 24), spaced=1.0),
    "several": SceneStyle(things=(2, 5), lines=(0, 1), thing_size=(0.13, 0.42), text_size=(15, 28), max_chars=10),
    "crowd": SceneStyle(things=(3, 9), lines=(0, 0), thing_size=(0.1, 0.26), repeat=0.7),
    "herd": SceneStyle(things=(3, 13), lines=(0, 0), thing_size=(0.1, 0.2), repeat=0.95),
    "mixed": SceneStyle(things=(1, 4), lines=(0, 2)),
    "shapes": SceneStyle(things=(1, 6), lines=(0, 0)),
    "text": SceneStyle(things=(0, 0), lines=(1, 2)),
    "sheet": SceneStyle(things=(0, 0), lines=(1, 7), max_chars=28, plain=0.75, text_size=(13, 34), block=1.0),
    "page": SceneStyle(things=(0, 1), lines=(4, 10), max_chars=24, plain=0.7, text_size=(13, 24)),
    "grid": SceneStyle(things=(0, 1), lines=(4, 10), max_chars=24, plain=0.7, text_size=(13, 24), spaced=0.8),
}
"""Kinds of scene, from the easiest; a recipe names their shares in `data.styles`."""


def stream_config(data: dict[str, Any]) -> StreamConfig:
    settings = {k: v for k, v in data.items() if k not in ("styles", "tasks", "clips", "kinds")}
    if "clips" in data:
        settings["clips"] = ClipStyle(**data["clips"])
    if "kinds" in data:
        settings["kinds"] = KindStyle(**data["kinds"], generators={"worlds": worlds.step, "pointing": worlds.pointing})
    styles = tuple((share, STYLES[name]) for name, share in data["styles"].items())
    return StreamConfig(weights=data.get("tasks", TASKS), styles=styles, **settings)
