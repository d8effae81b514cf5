"""Samples of every stage from generated scenes and clips, by number: sample k depends on the seed and k alone.

So each recipe runs without any file of data; real sets come as shards or conversation files.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from viewfinder.data.sample import Sample, say
from viewfinder.data.synth.clips import clip_sample, make_clip
from viewfinder.data.synth.queries import thing_label
from viewfinder.data.synth.questions import make_turn
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.messages import ImagePart, Message
from viewfinder.outputs.prompts import describe_prompt, read_prompt
from viewfinder.train.dataloader import Row, RowSource

TASKS = {"locate": 1.0, "point": 0.5, "count": 0.4, "read": 1.0, "ask": 0.8}
SIDES = (84, 224)
STYLE = SceneStyle(things=(1, 4), lines=(0, 1), text_size=(14, 26))


def synthetic_source(kinds: Mapping[str, float], seed: int) -> RowSource:
    """An endless source; `kinds` are weights of the functions in `KINDS`."""
    names = list(kinds)
    shares = np.array([kinds[name] for name in names]) / sum(kinds.values())

    def make(number: int) -> Sample:
        rng = np.random.default_rng((seed, number))
        return KINDS[names[int(rng.choice(len(names), p=shares))]](rng)

    def rows(start: int) -> Iterator[Row]:
        while True:
            yield Row(f"synthetic {seed}/{start}", partial(make, start))
            start += 1

    return rows


def caption(rng: np.random.Generator) -> Sample:
    """A picture and all that is in it."""
    scene = _scene(rng)
    messages = [say("user", _picture(scene), describe_prompt()), say("assistant", describe(scene))]
    return _sample("caption", messages, {"scene": scene})


def describe(scene: Scene) -> str:
    """Everything in a scene with its third of the picture, from top to bottom."""
    width, height = scene.image.size
    names = [(t.center, f"a {thing_label(t)}") for t in scene.things]
    names += [(((t.box[0] + t.box[2]) / 2, t.middle), f'the {t.color} text "{t.text}"') for t in scene.lines]
    told = [f"{name} {_where(x / width, y / height)}" for (x, y), name in sorted(names, key=lambda n: n[0][1])]
    return f"{', '.join(told) or 'nothing'}, on a {scene.background} background"


def _where(x: float, y: float) -> str:
    row, column = ("at the top", "in the middle", "at the bottom")[min(int(y * 3), 2)], ("left", "", "right")
    return " ".join(filter(None, (row, column[min(int(x * 3), 2)])))


def answers(rng: np.random.Generator) -> Sample:
    """One to three questions about a picture, with what was drawn."""
    scene = _scene(rng)
    messages: list[Message] = []
    for i in range(int(rng.integers(1, 4))):
        turn = make_turn(rng, scene, TASKS)
        messages += [say("user", *([_picture(scene)] if i == 0 else []), turn.question), say("assistant", turn.answer)]
    return _sample("answers", messages, {"scene": scene})


def pages(rng: np.random.Generator) -> Sample:
    """Several pictures in one conversation, and what stands on one of them."""
    scenes = [_scene(rng) for _ in range(int(rng.integers(2, 7)))]
    which = int(rng.integers(len(scenes)))
    question = f"{read_prompt()} Only picture {which + 1} counts."
    text = "\n".join(line.text for line in scenes[which].lines) or "There is no text."
    return _sample("pages", [say("user", *map(_picture, scenes), question), say("assistant", text)])


def clip(rng: np.random.Generator, seconds: tuple[float, float] = (4.0, 12.0)) -> Sample:
    """A clip, and when its event happens."""
    size = (28 * int(rng.integers(3, 5)), 28 * int(rng.integers(3, 5)))
    return clip_sample(make_clip(rng, size, seconds=seconds), fps=float(rng.choice([1.0, 2.0])))


def long_clip(rng: np.random.Generator) -> Sample:
    """The same over a minute or two."""
    return clip(rng, (60.0, 120.0))


def trace(rng: np.random.Generator) -> Sample:
    """Many turns, each with a new picture: what an agent sees and answers."""
    messages: list[Message] = []
    for _ in range(int(rng.integers(4, 9))):
        scene = _scene(rng)
        turn = make_turn(rng, scene, {"point": 1.0, "ask": 1.0})
        messages += [say("user", _picture(scene), turn.question), say("assistant", turn.answer)]
    return _sample("trace", messages)


def text(rng: np.random.Generator) -> Sample:
    """Words only: small sums and orders."""
    numbers = rng.integers(0, 100, int(rng.integers(2, 6))).tolist()
    if rng.random() < 0.5:
        question, answer = f"What is {' plus '.join(map(str, numbers))}?", str(sum(numbers))
    else:
        question, answer = f"Sort {', '.join(map(str, numbers))}.", ", ".join(map(str, sorted(numbers)))
    return _sample("text", [say("user", question), say("assistant", answer)])


def pair(rng: np.random.Generator) -> Sample:
    """A question about a picture, its answer, and the answer to another picture."""
    scene, other = _scene(rng), _scene(rng)
    return Sample(
        messages=(say("user", _picture(scene), describe_prompt()), say("assistant", describe(scene))),
        rejected=say("assistant", describe(other)),
        task="pair",
        lineage=("recipes.synthetic",),
    )


KINDS: dict[str, Callable[[np.random.Generator], Sample]] = {
    "caption": caption,
    "answers": answers,
    "pages": pages,
    "clip": clip,
    "long_clip": long_clip,
    "trace": trace,
    "text": text,
    "pair": pair,
}


def _scene(rng: np.random.Generator) -> Scene:
    low, high = SIDES[0] // 28, SIDES[1] // 28
    return make_scene(rng, (28 * int(rng.integers(low, high + 1)), 28 * int(rng.integers(low, high + 1))), STYLE)


def _picture(scene: Scene) -> ImagePart:
    return ImagePart(image=scene.image, resized_width=scene.image.width, resized_height=scene.image.height)


def _sample(task: str, messages: list[Message], truth: dict[str, object] | None = None) -> Sample:
    return Sample(messages=tuple(messages), task=task, truth=truth or {}, lineage=("recipes.synthetic",))
