"""Training samples from worlds: screen, task, what was done so far -> thought and call.

    write_shards(world_samples(1000, split="train"), "shards/screens")
    write_shards(pointing_samples(1000, style=Style(sizes=(140, 280))), "shards/pointing")  # a name, a click

Of recorded runs: see `run_samples`. Each sample is exactly what the loop would ask at that step
(`prompts.write_request`), answered as the solver does, with the box to hit in `truth`. Places are pixels of the
screen; `data.places` rewrites them for any processor. Seeds of "train" and "test" share no words, palettes or layouts
(`worlds.words`, `worlds.skins`).
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from viewfinder.agent.prompts import PastStep, PromptStyle, write_request
from viewfinder.agent.worlds import APPS, make_world
from viewfinder.agent.worlds.solver import Move, next_move
from viewfinder.agent.worlds.words import Split
from viewfinder.data.sample import Sample, say
from viewfinder.media.image import Picture
from viewfinder.media.transform import Box, Transform
from viewfinder.outputs.actions import Action, Device, format_action

_LONGEST = 20
_NAMES = ("Click on {}", "Press {}", "Tap {}", 'Click the "{}"', "Select {}", "Choose {}")


@dataclass(frozen=True)
class Style:
    """What screens look like.

    Attributes:
        sizes: least and largest side, pixels; sides are multiples of 28, so that a model sees them unresized.
        renderers: by weight, of `worlds.RENDERERS`.
        pointing: share of samples that name one thing to press instead of a task of several steps.
        strays: share of steps before which something else was pressed, so that samples show how to recover.
        form: of the prompt.
    """

    sizes: tuple[int, int] = (224, 336)
    renderers: tuple[tuple[str, float], ...] = (("drawn", 1.0),)
    pointing: float = 0.4
    strays: float = 0.15
    form: PromptStyle = "compact"


def world_samples(
    count: int,
    *,
    seed: int = 0,
    split: Split = "train",
    style: Style | None = None,
    names: Sequence[str] = tuple(APPS),
    make: Callable[..., Any] = make_world,
) -> Iterator[Sample]:
    """`count` samples; the same arguments give the same samples.

    Args:
        make: makes worlds; give one with a shared browser for many pages.
    """
    style = style or Style()
    stream = 0 if split == "train" else 1
    return _first(count, (seed, stream), names, lambda rng, name: _episode(rng, name, split, style, make))


def pointing_samples(
    count: int,
    *,
    seed: int = 0,
    split: Split = "train",
    style: Style | None = None,
    names: Sequence[str] = tuple(APPS),
    make: Callable[..., Any] = make_world,
    each: int = 3,
) -> Iterator[Sample]:
    """`count` samples that name one thing on a screen, answered by a click on it: grounding in the form of an action.

    Args:
        each: so many of a screen at most, about different things; the screens are those on the solver's way.
    """
    style = style or Style()
    stream = 2 if split == "train" else 3
    return _first(count, (seed, stream), names, lambda rng, name: _pointed_episode(rng, name, split, style, make, each))


def _first(
    count: int,
    seed: tuple[int, int],
    names: Sequence[str],
    play: Callable[[np.random.Generator, str], Iterator[Sample]],
) -> Iterator[Sample]:
    """The first `count` samples of endless episodes, each with a generator of its own, so none depends on another."""
    rngs = (np.random.default_rng((*seed, episode)) for episode in itertools.count())
    samples = (sample for rng in rngs for sample in play(rng, names[int(rng.integers(len(names)))]))
    return itertools.islice(samples, count)


def _instance(
    rng: np.random.Generator, name: str, split: Split, style: Style, make: Callable[..., Any]
) -> tuple[Any, tuple[Any, ...]]:
    """A world at its start, and where it comes from."""
    renderers, weights = zip(*style.renderers, strict=True)
    renderer = renderers[int(rng.choice(len(renderers), p=np.array(weights) / sum(weights)))]
    low, high = style.sizes[0] // 28, style.sizes[1] // 28
    size = 28 * int(rng.integers(low, high + 1)), 28 * int(rng.integers(low, high + 1))
    seed, touch = int(rng.integers(1 << 31)), bool(rng.random() < 0.3) or None
    return make(name, renderer, seed, split, size=size, touch=touch), (name, renderer, seed)


def _episode(
    rng: np.random.Generator, name: str, split: Split, style: Style, make: Callable[..., Any]
) -> Iterator[Sample]:
    """One instance solved, a sample a step, with pointing samples on its screens."""
    world, origin = _instance(rng, name, split, style, make)
    try:
        history: list[PastStep] = []
        for _ in range(_LONGEST):
            move = next_move(world)
            screen = world.observe().picture
            yield _sample(world, screen, world.task, history, move, style.form, origin, "act")
            if rng.random() < style.pointing and (pointed := _pointing(rng, world, 1)):
                yield _sample(world, screen, pointed[0][0], [], pointed[0][1], style.form, origin, "press")
            if move.action.name == "terminate":
                return
            stray = _stray(rng, world) if rng.random() < style.strays else None
            move = stray or move
            history.append(PastStep(_answer(move, screen.transform), screen))
            world.act(move.action)
    finally:
        world.close()


def _pointed_episode(
    rng: np.random.Generator, name: str, split: Split, style: Style, make: Callable[..., Any], each: int
) -> Iterator[Sample]:
    """Pointing samples alone, on the screens of one instance."""
    world, origin = _instance(rng, name, split, style, make)
    try:
        for _ in range(_LONGEST):
            screen = world.observe().picture
            for task, move in _pointing(rng, world, each):
                yield _sample(world, screen, task, [], move, style.form, origin, "press")
            move = next_move(world)
            if move.action.name == "terminate":
                return
            world.act(move.action)
    finally:
        world.close()


def _sample(
    world: Any,
    screen: Picture,
    task: str,
    history: list[PastStep],
    move: Move,
    form: PromptStyle,
    origin: tuple[Any, ...],
    kind: str,
) -> Sample:
    return write_sample(
        world.device, screen, task, history, move.thought, move.action, move.box, form,
        lineage=("worlds", *map(str, origin)), task_name=f"screen {kind}",
    )  # fmt: skip


def write_sample(
    device: Device, screen: Picture, task: str, history: Sequence[PastStep], thought: str, action: Action,
    box: Box | None, form: PromptStyle, *, lineage: tuple[str, ...], task_name: str,
    target: dict[str, Any] | None = None,
) -> Sample:  # fmt: skip
    """One step as a sample: what the loop would ask, and the answer; `box` (pixels of the screen) is what to hit."""
    request = write_request(task, screen, device, history, form=form)
    answer = f"{thought}\n{format_action(action, screen.transform)}"
    truth: dict[str, Any] = {"action": action.to_dict(), "thought": thought, "size": list(screen.size)}
    if target:
        truth["target"] = target
    if box is not None:
        truth["box"] = [round(edge, 2) for edge in box]
    return Sample(
        messages=(*request.messages, say("assistant", answer)),
        task=task_name,
        truth=truth,
        domain="screens",
        lineage=lineage,
        forms=("", "inline", "action"),
        device=device if form == "official" else None,
    )


def _answer(move: Move, transform: Transform) -> str:
    return f"{move.thought}\n{format_action(move.action, transform)}"


def _visible(world: Any) -> list[tuple[str, Box]]:
    """What is wholly on the screen and can be pressed, by its own words."""
    width, height = world.screen_size
    named: list[tuple[str, Box]] = []
    view, boxes = world.view(), world.boxes()
    if any("=" in id for id in boxes):  # an open list hides what is behind it
        return [(id.split("=", 1)[1], box) for id, box in boxes.items() if "=" in id]
    for id, box in boxes.items():
        widget = view.find(id)
        inside = box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height
        if inside and widget is not None and widget.text and widget.kind != "canvas":
            named.append((widget.text, box))
    words = [name for name, _ in named]
    return [(name, box) for name, box in named if words.count(name) == 1]


def _pointing(rng: np.random.Generator, world: Any, most: int) -> list[tuple[str, Move]]:
    """Up to `most` things that can be pressed now: what to do in words, and the press."""
    found, pointed = _visible(world), list[tuple[str, Move]]()
    for i in rng.permutation(len(found))[:most]:
        words, box = found[int(i)]
        task = _NAMES[int(rng.integers(len(_NAMES)))].format(words)
        pointed.append((task, Move(f"I see {words}, so I press it.", _press(world.device, box), box)))
    return pointed


def _stray(rng: np.random.Generator, world: Any) -> Move | None:
    found = _visible(world)
    if not found:
        return None
    words, box = found[int(rng.integers(len(found)))]
    return Move(f"I try {words}.", _press(world.device, box), box)


def _press(device: Device, box: Box) -> Action:
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return Action(device, "click" if device == "mobile" else "left_click", coordinate=middle)
