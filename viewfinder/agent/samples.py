"""Training samples from worlds and from recorded runs: screen, task, what was done so far -> thought and call.

    write_shards(world_samples(1000, split="train"), "shards/screens")

Each sample is exactly what the loop would ask at that step (`prompts.write_request`), answered as the solver does, with
the box to hit in `truth`. Places are pixels of the screen; `data.places` rewrites them for any processor. Seeds of
"train" and "test" share no words, palettes or layouts (`worlds.words`, `worlds.skins`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from viewfinder.agent.prompts import Form, PastStep, write_request
from viewfinder.agent.trajectory import Trajectory
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
    form: Form = "compact"


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
    style, made, episode = style or Style(), 0, 0
    while made < count:
        rng = np.random.default_rng((seed, 0 if split == "train" else 1, episode))
        for sample in _episode(rng, names[int(rng.integers(len(names)))], split, style, make):
            yield sample
            made += 1
            if made == count:
                return
        episode += 1


def _episode(
    rng: np.random.Generator, name: str, split: Split, style: Style, make: Callable[..., Any]
) -> Iterator[Sample]:
    """One instance solved, a sample a step, with pointing samples on its screens."""
    renderers, weights = zip(*style.renderers, strict=True)
    renderer = renderers[int(rng.choice(len(renderers), p=np.array(weights) / sum(weights)))]
    low, high = style.sizes[0] // 28, style.sizes[1] // 28
    size = 28 * int(rng.integers(low, high + 1)), 28 * int(rng.integers(low, high + 1))
    seed, touch = int(rng.integers(1 << 31)), bool(rng.random() < 0.3) or None
    world = make(name, renderer, seed, split, size=size, touch=touch)
    try:
        history: list[PastStep] = []
        for _ in range(_LONGEST):
            move = next_move(world)
            screen = world.observe().picture
            yield _sample(world, screen, world.task, history, move, style.form, (name, renderer, seed), "act")
            if rng.random() < style.pointing and (pointed := _pointing(rng, world)):
                task, aim = pointed
                yield _sample(world, screen, task, [], aim, style.form, (name, renderer, seed), "press")
            if move.action.name == "terminate":
                return
            stray = _stray(rng, world) if rng.random() < style.strays else None
            move = stray or move
            history.append(PastStep(_answer(move, screen.transform), screen))
            world.act(move.action)
    finally:
        world.close()


def _sample(
    world: Any,
    screen: Picture,
    task: str,
    history: list[PastStep],
    move: Move,
    form: Form,
    origin: tuple[Any, ...],
    kind: str,
) -> Sample:
    return _write(
        world.device, screen, task, history, move.thought, move.action, move.box, form,
        lineage=("worlds", *map(str, origin)), task_name=f"screen {kind}",
    )  # fmt: skip


def _write(
    device: Device, screen: Picture, task: str, history: Sequence[PastStep], thought: str, action: Action,
    box: Box | None, form: Form, *, lineage: tuple[str, ...], task_name: str, target: dict[str, Any] | None = None,
) -> Sample:  # fmt: skip
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


def _pointing(rng: np.random.Generator, world: Any) -> tuple[str, Move] | None:
    found = _visible(world)
    if not found:
        return None
    words, box = found[int(rng.integers(len(found)))]
    task = _NAMES[int(rng.integers(len(_NAMES)))].format(words)
    return task, Move(f"I see {words}, so I press it.", _press(world.device, box), box)


def _stray(rng: np.random.Generator, world: Any) -> Move | None:
    found = _visible(world)
    if not found:
        return None
    words, box = found[int(rng.integers(len(found)))]
    return Move(f"I try {words}.", _press(world.device, box), box)


def _press(device: Device, box: Box) -> Action:
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return Action(device, "click" if device == "mobile" else "left_click", coordinate=middle)


def trajectory_samples(trajectory: Trajectory, form: Form = "official") -> Iterator[Sample]:
    """The steps of a recorded run that are worth learning from; nothing when it did not succeed.

    Left out: steps that were not done, that had no thought, that changed nothing on the screen (detours), and those
    whose thought names another action than the one done (`matches`).
    """
    if not trajectory.succeeded:
        return
    history: list[PastStep] = []
    screens = [trajectory.screen(step) for step in trajectory.steps]
    for i, step in enumerate(trajectory.steps):
        action = step.read_action()
        if action is None:
            continue
        last = action.name == "terminate"
        moved = last or i + 1 >= len(screens) or screens[i + 1].image.tobytes() != screens[i].image.tobytes()
        if step.done and step.thought and moved and matches(step.thought, action):
            yield _write(
                action.device, screens[i], trajectory.task, history, step.thought, action, None, form,
                lineage=("trajectory", trajectory.directory.name, str(step.index)), task_name="screen act",
                target=step.target,
            )  # fmt: skip
        history.append(
            PastStep(f"{step.thought}\n{format_action(action, screens[i].transform)}", screens[i], step.note)
        )


_WORDS = {
    "type": ("type", "write", "enter", "fill"),
    "scroll": ("scroll", "look", "below", "above", "down", "up"),
    "swipe": ("swipe", "scroll", "look", "below", "above"),
    "terminate": ("done", "finished", "complete", "cannot", "can no longer", "success", "over"),
}


def matches(thought: str, action: Action) -> bool:
    """Whether a thought may stand before an action: one that types must speak of typing, the end of the end."""
    text = thought.lower()
    if action.name == "type" and action.text and action.text.strip().lower() in text:
        return True
    return any(word in text for word in _WORDS.get(action.name, ("",)))
