"""What appending the tokens that a grammar forces saves: model passes an answer, and the wall time of a job.

    python bench/forced_tokens.py [--repeats 5]
    python bench/forced_tokens.py --case 3B             `locate` at the widths of the 3B model, 2 of 36 layers

Each job runs with forced tokens appended (`ours`) and, in turns in the same process, with a pass for each token
(`peer`); tokens, texts and finish reasons must be equal. `passes` and `before` count calls of the model. The models are
the built-in one and one of its size with random weights, in float32: in bfloat16 a pass of several tokens rounds
otherwise than passes of one, as any batch does, and may decide a near tie differently.

The official vocabulary of 151,665 tokens has no weights here: there a right answer is followed token by token under its
grammar, and the tokens that are not forced are counted. Prints one JSON object a line.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from beside import arguments, beside, report

from viewfinder.chat.viewfinder import Viewfinder
from viewfinder.config import OFFICIAL_SIZES
from viewfinder.data.synth.scene import make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.engine.engine import Engine
from viewfinder.engine.grammar import GrammarCompiler, TokenGrammar
from viewfinder.engine.sampler import Sampler
from viewfinder.media.transform import Transform
from viewfinder.messages import Reply, Sampling
from viewfinder.model import Qwen2_5_VL
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.counts import format_count
from viewfinder.outputs.grammars import boxes_grammar, count_grammar, points_grammar
from viewfinder.outputs.points import Point, format_points
from viewfinder.processor.processor import Processor
from viewfinder.processor.tokenizer import official_backend

RECEIPT = {
    "type": "object",
    "properties": {
        "shop": {"type": "string", "maxLength": 20},
        "currency": {"enum": ["EUR", "USD"]},
        "total_amount": {"type": "integer", "minimum": 0, "maximum": 9999},
    },
    "required": ["shop", "currency", "total_amount"],
    "additionalProperties": False,
}


@contextmanager
def one_by_one() -> Iterator[None]:
    """A pass for each token, as it would be without looking ahead."""
    ahead = Sampler.forced
    Sampler.forced = lambda self, length: []
    try:
        yield
    finally:
        Sampler.forced = ahead


def random_engine(engine: Engine) -> Engine:
    torch.manual_seed(0)
    model = Qwen2_5_VL(engine.model.config).to(engine.model.dtype).eval()
    return Engine(model, engine.processor, sampling=engine.sampling, eos_token_ids=engine.eos_token_ids)


def wide_engine(layers: int) -> Engine:
    """Random weights at the widths of the 3B model in bfloat16, with few layers, and the official vocabulary."""
    config = OFFICIAL_SIZES["3B"]
    vision = config.vision.model_copy(update={"depth": layers, "fullatt_block_indexes": (layers - 1,)})
    text = config.text.model_copy(update={"num_hidden_layers": layers})
    with torch.device("meta"):
        model = Qwen2_5_VL(config.model_copy(update={"vision": vision, "text": text}))
    model = model.to_empty(device="cpu").bfloat16().eval()
    model.tie_weights()
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.ones_(parameter) if parameter.ndim == 1 else torch.nn.init.normal_(parameter, 0, 0.02)
    return Engine(model, Processor.official("3B", max_pixels=56 * 56))


def wide_locate(layers: int, repeats: int, clock: str) -> None:
    engine = wide_engine(layers)
    scene = make_scene(np.random.default_rng(3), (196, 196), SceneStyle())
    reader, seed = Viewfinder(engine, engine.processor), 0

    def locate() -> Reply:
        sampling = Sampling(max_new_tokens=200, temperature=1.0, seed=seed)
        reply = reader.locate(scene.image, "circle", max_items=2, sampling=sampling).reply
        assert reply is not None
        return reply

    while "bbox_2d" not in locate().text:  # random weights often say that there is none
        seed += 1

    def before() -> Reply | None:
        with one_by_one():
            return locate()

    (passes, reply), (old_passes, old) = counted(engine, locate), counted(engine, before)
    counts = {"passes": passes, "before": old_passes, "equal": reply.tokens == old.tokens, "layers": layers}
    counts |= {"tokens": len(reply.tokens)}
    report("locate, 3B widths, bfloat16", {**beside(locate, before, repeats, clock), **counts})


def jobs(engine: Engine) -> dict[str, Callable[[], Reply | None]]:
    scene = make_scene(np.random.default_rng(3), (196, 196), SceneStyle())
    reader, sampling = Viewfinder(engine, engine.processor), Sampling(max_new_tokens=200)
    few: dict[str, Any] = {"max_items": 4, "sampling": sampling}
    return {
        "locate": lambda: reader.locate(scene.image, "every circle", **few).reply,
        "point": lambda: reader.point(scene.image, "every circle", **few).reply,
        "count": lambda: reader.count(scene.image, "circles", **few).reply,
        "extract": lambda: reader.extraction(scene.image, RECEIPT, sampling=sampling).reply,
    }


def counted(engine: Engine, job: Callable[[], Reply | None]) -> tuple[int, Reply]:
    calls: list[None] = []
    hook = engine.model.register_forward_pre_hook(lambda *_: calls.append(None))
    reply = job()
    hook.remove()
    assert reply is not None
    return len(calls), reply


def unforced(grammar: TokenGrammar, ids: list[int]) -> int:
    """Passes that an answer of these tokens takes: one for each token that is not forced, the first included."""
    passes = at = 0
    while at < len(ids):
        for token_id in [*grammar.forced(len(ids)), None]:
            if at < len(ids):
                assert token_id is None or token_id == ids[at], "the answer is not in canonical tokens"
                grammar.accept(ids[at])
                at += 1
        passes += 1
    return passes


def official_answers() -> Iterator[tuple[str, int, int]]:
    backend, same = official_backend(), Transform.identity((1036, 1036))
    compiler = GrammarCompiler(backend, [151645])
    boxes = [Box(13 + 97 * i, 205, 331 + 97 * i, 418 + i, "coffee cup") for i in range(4)]
    points = [Point(120 + 97 * i, 305, "coffee cup") for i in range(4)]
    receipt = '{"shop": "Corner Bakery", "currency": "EUR", "total_amount": 1250}'
    for name, text, grammar in (
        ("locate", format_boxes(boxes, same), compiler.lark(boxes_grammar(1036, 1036))),
        ("point", format_points(points, same), compiler.lark(points_grammar(1036, 1036))),
        (
            "count",
            format_count(points, "coffee cups", same),
            compiler.lark(count_grammar(1036, 1036, places="points")),
        ),
        ("extract", receipt, compiler.json_schema(RECEIPT)),
    ):
        ids = backend.encode(text, add_special_tokens=False).ids
        yield name, unforced(grammar, ids), len(ids)


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(options.threads)
    if options.case == "3B":
        wide_locate(2, options.repeats, options.clock)
        return
    for name, passes, tokens in official_answers():
        report(f"{name}, official vocabulary", {"passes": passes, "before": tokens, "share": passes / tokens}, "passes")
    built_in = Engine.from_pretrained("tiny", dtype=torch.float32)
    for model, engine in (("built-in", built_in), ("random", random_engine(built_in))):
        for name, job in jobs(engine).items():

            def before(job: Callable[[], Reply | None] = job) -> Reply | None:
                with one_by_one():
                    return job()

            (passes, reply), (old_passes, old) = counted(engine, job), counted(engine, before)
            assert (reply.tokens, reply.text, reply.finish_reason) == (old.tokens, old.text, old.finish_reason)
            difference = max(abs(a - b) for a, b in zip(reply.logprobs, old.logprobs, strict=True))
            counts = {"passes": passes, "before": old_passes, "share": passes / old_passes}
            figures = beside(job, before, options.repeats, options.clock)
            report(f"{name}, {model} model", {**figures, **counts, "logprob_difference": difference})


if __name__ == "__main__":
    main()
