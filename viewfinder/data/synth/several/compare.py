"""The kind "compare": several small pictures in one conversation: which one, how they differ, what they share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from viewfinder.data.sample import Sample
from viewfinder.data.synth.choose import chance, number, pick, weighted
from viewfinder.data.synth.exchange import Exchange, converse, one_or_two
from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.grounding import article
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.queries import pluralize, thing_label
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.media.transform import Transform
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes

_PLACES = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True)
class _Set:
    """Pictures in order."""

    scenes: tuple[Scene, ...]

    def __len__(self) -> int:
        return len(self.scenes)

    def labels(self, i: int) -> list[str]:
        return [thing_label(t) for t in self.scenes[i].things]


def make(rng: np.random.Generator, options: Options) -> Sample:
    """Pictures and one or two questions."""
    hard = options.difficulty
    count = number(rng, 2, 2 + round(3 * hard))
    style = SceneStyle(
        things=(1, 2 + round(5 * hard)),
        lines=(0, 1),
        thing_size=(0.3 - 0.15 * hard, 0.6 - 0.2 * hard),
        text_size=(13, 20),
        max_chars=10,
        pairs="train" if options.split == "train" else "held_out",
        families=find_families(options.fonts, held_out=options.split == "held_out"),
    )
    top = max(options.min_side, round(options.max_side / (1.4 if count < 4 else 1.8)))
    side = 28 * max(3, round(number(rng, min(options.min_side, top), top) / 28))
    size = (side, 28 * max(3, round(side * float(rng.uniform(0.7, 1.2)) / 28)))
    pictures = _Set(tuple(make_scene(rng, size, style) for _ in range(count)))
    exchanges = one_or_two(rng, lambda: _ask(rng, pictures), 0.4)
    return converse(exchanges, *(scene.image for scene in pictures.scenes), lineage=("scenes",))


_Ask = Callable[[np.random.Generator, _Set], Exchange | None]


def _ask(rng: np.random.Generator, pictures: _Set) -> Exchange:
    for _ in range(6):
        found = weighted(rng, _WEIGHTS)(rng, pictures)
        if found is not None:
            return found
    counts = ", ".join(f"{len(s.things)} in picture {i + 1}" for i, s in enumerate(pictures.scenes))
    return Exchange("compare", "How many things are in each picture?", f"{counts}.", truth={"answer": counts})


def _say(question: str, answer: str) -> Exchange:
    return Exchange("compare", question, answer, truth={"answer": answer})


def _picture(i: int) -> str:
    return f"Picture {i + 1}"


def _which(rng: np.random.Generator, pictures: _Set) -> Exchange | None:
    """A thing or word that is in one picture only."""
    i = number(rng, 0, len(pictures) - 1)
    others = {label for k in range(len(pictures)) if k != i for label in pictures.labels(k)}
    own = [label for label in pictures.labels(i) if label not in others]
    if pictures.scenes[i].lines and chance(rng, 0.3):
        words = pictures.scenes[i].lines[0].text
        if all(line.text != words for k, s in enumerate(pictures.scenes) if k != i for line in s.lines):
            return _say(f'Which picture says "{words}"?', _picture(i))
    return _say(f"Which picture shows {article(pick(rng, own))}?", _picture(i)) if own else None


def _count(rng: np.random.Generator, pictures: _Set) -> Exchange | None:
    counts = [len(s.things) for s in pictures.scenes]
    word, best = pick(rng, (("more", max(counts)), ("fewer", min(counts))))
    if counts.count(best) > 1:
        return None
    most = {"more": ("more", "the most"), "fewer": ("fewer", "the fewest")}[word][len(pictures) > 2]
    told = ", ".join(f"picture {i + 1} has {c}" for i, c in enumerate(counts))
    answer = _picture(counts.index(best))
    if chance(rng, 0.5):
        return Exchange(
            "compare",
            f"Which picture has {most} shapes? Count them first.",
            f"{told[0].upper()}{told[1:]}. {answer}.",
            truth={"answer": answer},
        )
    return _say(f"Which picture has {most} shapes?", answer)


def _background(rng: np.random.Generator, pictures: _Set) -> Exchange | None:
    colors = [s.background for s in pictures.scenes]
    i = number(rng, 0, len(pictures) - 1)
    if colors.count(colors[i]) > 1:
        same = colors[i]
        if len(set(colors)) == 1:
            return _say("Do the pictures have the same background color?", f"Yes, {same}.")
        return None
    if chance(rng, 0.4):
        return _say(f"What is the background color of the {_PLACES[i]} picture?", colors[i])
    return _say(f"Which picture has a {colors[i]} background?", _picture(i))


def _common(rng: np.random.Generator, pictures: _Set) -> Exchange | None:
    """What is in all pictures, or whether they share a kind of shape."""
    shared = set.intersection(*({t.shape for t in s.things} for s in pictures.scenes))
    answer = ", ".join(sorted(shared)) if shared else "None."
    return _say("Which shapes are in every picture?", answer)


def _read_one(rng: np.random.Generator, pictures: _Set) -> Exchange | None:
    i = number(rng, 0, len(pictures) - 1)
    text = "\n".join(line.text for line in pictures.scenes[i].lines)
    if not text:
        return None
    return Exchange("read", f"What does picture {i + 1} say?", text, truth={"text": text})


def _locate_one(rng: np.random.Generator, pictures: _Set) -> Exchange | None:
    """The box of a thing in one of the pictures, in that picture's pixels."""
    i = number(rng, 0, len(pictures) - 1)
    scene = pictures.scenes[i]
    if not scene.things:
        return None
    label = pick(rng, pictures.labels(i))
    found = [t for t in scene.things if thing_label(t) == label]
    words = f"the {label}" if len(found) == 1 else f"all {pluralize(label)}"
    question = prompts.locate_prompt(words).replace("in the image", f"in picture {i + 1}")
    boxes = [Box(*map(float, t.box), label=label) for t in found]
    answer = format_boxes(boxes, Transform.identity(scene.image.size))
    return Exchange(
        "locate", question, answer, f"boxes@{i}", truth={"boxes": [list(t.box) for t in found], "medium": i}
    )


def _each(rng: np.random.Generator, pictures: _Set) -> Exchange | None:
    told = "\n".join(
        f"Picture {i + 1}: {', '.join(pictures.labels(i)) or 'no shapes'} on {s.background}."
        for i, s in enumerate(pictures.scenes)
    )
    return Exchange("caption", "Describe each picture.", told, truth={"answer": told})


_WEIGHTS: dict[_Ask, float] = {
    _which: 3.0,
    _count: 2.0,
    _background: 1.0,
    _common: 1.0,
    _read_one: 1.0,
    _locate_one: 1.5,
    _each: 0.8,
}
