"""An endless, exactly repeatable stream of packed batches from generated scenes.

Batch k depends on the seed and k alone, so a run resumes at any step without having kept anything. All
pictures of a batch have one size (windows of one size are one matrix product); sizes change from batch to
batch within `min_side` and `max_side`, all multiples of 28.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from viewfinder.data.sample import Sample
from viewfinder.data.synth.clip_questions import ClipStyle, make_view, view_sample
from viewfinder.data.synth.dense import ANSWER_HEADS, IGNORE, dense_labels, place_of
from viewfinder.data.synth.questions import Turn, make_turn
from viewfinder.data.synth.scene import Scene, SceneStyle, make_scene
from viewfinder.inputs import ModelInputs, pack
from viewfinder.messages import ImagePart, Message, TextPart, user
from viewfinder.processor.processor import Processor


@dataclass(frozen=True)
class Batch:
    """Packed sequences, and the labels of the dense heads: for media tokens in order, and for all tokens where that
    stands of which the next one tells (`dense.ANSWER_HEADS`)."""

    inputs: ModelInputs
    dense: dict[str, Tensor]


@dataclass(frozen=True)
class StreamConfig:
    """What a batch holds.

    Attributes:
        patches: of 14 x 14 pixels, in one batch (about; fewer of small pictures, whose text weighs more).
        min_side, max_side: of a picture, pixels.
        max_pixels: largest width x height.
        text_share: tokens of text per token of picture.
        weights: share of each task.
        styles: kinds of scene and their shares.
        clip_share: share of the batches that hold clips instead of pictures.
        clips: what clips look like.
    """

    patches: int = 2304
    min_side: int = 84
    max_side: int = 252
    max_pixels: int = 168 * 168
    text_share: float = 5.0
    weights: Mapping[str, float] = field(default_factory=lambda: {"locate": 1.0, "read": 1.0})
    styles: tuple[tuple[float, SceneStyle], ...] = ((1.0, SceneStyle()),)
    clip_share: float = 0.0
    clips: ClipStyle = field(default_factory=ClipStyle)


def batches(processor: Processor, config: StreamConfig, seed: int, start: int = 0) -> Iterator[Batch]:
    """Batches `start`, `start + 1`, ... without end."""
    step = start
    while True:
        yield make_batch(processor, config, seed, step)
        step += 1


def make_batch(processor: Processor, config: StreamConfig, seed: int, step: int) -> Batch:
    """The one batch with this seed and number."""
    rng = np.random.default_rng((seed, step))
    if config.clip_share and rng.random() < config.clip_share:
        return _clip_batch(rng, processor, config, (seed, step))
    size = _draw_size(rng, config)
    tokens = size[0] * size[1] // 28**2
    items: list[ModelInputs] = []
    dense: list[dict[str, NDArray[np.int64]]] = []
    for _ in range(_pictures(processor, config, tokens)):
        scene = make_scene(rng, size, _draw_style(rng, config))
        sample = make_sample(rng, processor, config, scene, (seed, step))
        items.append(processor(sample.messages, train=True))
        dense.append(dense_labels(scene).as_dict() | looking_labels(processor, items[-1], scene))
    return _joined(items, dense)


_FORM = (
    "system\nYou are a helpful assistant.\nuser\nLocate every red star in the image and output the coordinates in JSON "
    'format.\nassistant\n```json\n[\n\t{"bbox_2d": [10, 20, 30, 40], "label": "red star"}\n]\n```\n'
)
"""What the template and the first turn bring, however small the picture."""


def _pictures(processor: Processor, config: StreamConfig, tokens: int) -> int:
    """How many pictures of so many tokens make a batch that takes as long as any other: ranks wait for one another."""
    whole = config.patches / 4 * (1 + config.text_share)
    form = len(processor.tokenizer.encode(_FORM)) if config.text_share >= 1 else 0
    return max(1, round(whole / (tokens * (1 + config.text_share) + form)))


def _joined(items: list[ModelInputs], dense: list[dict[str, NDArray[np.int64]]]) -> Batch:
    labels = {name: torch.from_numpy(np.concatenate([one[name] for one in dense])) for name in dense[0]}
    return Batch(pack(items), labels)


def looking_labels(processor: Processor, item: ModelInputs, scene: Scene) -> dict[str, NDArray[np.int64]]:
    """For each token of a conversation, where in the picture that stands of which the next one tells.

    In answers that are the text of the picture it is the next character, in answers with boxes and points the middle
    of the one whose numbers are being said; elsewhere -100. Reading is following the letters with the eye, and placing
    is having found the thing before its numbers are said: told where to look, a small model finds out how much sooner.
    """
    assert item.labels is not None
    ids, labels = item.input_ids.tolist(), item.labels.numpy()
    places = np.full((len(ids), len(ANSWER_HEADS)), IGNORE)
    for start, stop in _runs(labels != IGNORE):
        pieces = [processor.tokenizer.decode([token]) for token in ids[start:stop]]
        said = "".join(pieces[:-1])  # without the end of the turn
        spots = _read_spots(said, scene) or _told_spots(said)
        offset = 0
        for token, piece in enumerate(pieces, start):
            if offset < len(spots) and (spot := spots[offset]) is not None:
                places[token - 1] = place_of(*spot)
            offset += len(piece)
    return {name: places[:, i] for i, name in enumerate(ANSWER_HEADS)}


_Spot = tuple[float, float] | None
_NUMBERS = re.compile(r"\[(\d+), ?(\d+)(?:, ?(\d+), ?(\d+))?\]")


def _read_spots(said: str, scene: Scene) -> list[_Spot]:
    """The middle of each character of an answer that is the text of the picture; nothing for other answers."""
    if not scene.lines or said != "\n".join(line.text for line in scene.lines):
        return []
    spots: list[_Spot] = []
    for line in scene.lines:
        spots += [*((x, line.middle) for x in line.centers), None]
    return spots


def _told_spots(said: str) -> list[_Spot]:
    """The middle of a box or point for the characters of its numbers: in "[2, 4, 6, 8]" (4, 6), from "2" to "8"."""
    spots: list[_Spot] = [None] * len(said)
    for match in _NUMBERS.finditer(said):
        numbers = [float(n) for n in match.groups() if n]
        xs, ys = numbers[::2], numbers[1::2]
        first, last = match.start() + 1, match.end() - 1
        spots[first:last] = [(sum(xs) / len(xs), sum(ys) / len(ys))] * (last - first)
    return spots


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and stop of each run of True: [0, 1, 1, 0, 1] gives (1, 3) and (4, 5)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _clip_batch(rng: np.random.Generator, processor: Processor, config: StreamConfig, seed: tuple[int, ...]) -> Batch:
    """Clips of one frame size, as many as fill the patches; the labels of a pair of frames are those of its first."""
    low, high = config.clips.sides
    width, height = (28 * int(rng.integers(low // 28, high // 28 + 1)) for _ in range(2))
    items: list[ModelInputs] = []
    dense: list[dict[str, NDArray[np.int64]]] = []
    left = config.patches
    while not items or left > 0:
        view = make_view(rng, config.clips, (width, height))
        items.append(processor(view_sample(rng, config.clips, view, seed).messages, train=True))
        seen = [dense_labels(view.scene(i)).as_dict() for i in range(0, view.count, 2)]
        labels = {name: np.concatenate([one[name] for one in seen]) for name in seen[0]}
        dense.append(labels | {name: np.full(len(items[-1].input_ids), IGNORE) for name in ANSWER_HEADS})
        left -= view.count // 2 * (width * height // 14**2)
    return _joined(items, dense)


def make_sample(
    rng: np.random.Generator, processor: Processor, config: StreamConfig, scene: Scene, seed: tuple[int, ...]
) -> Sample:
    """A conversation about a scene: as many turns as the text share allows, at least one."""
    budget = config.text_share * scene.image.size[0] * scene.image.size[1] / 28**2
    turns: list[Turn] = []
    asked: set[str] = set()
    for _ in range(12):
        turn = make_turn(rng, scene, config.weights)
        if turn.question in asked:
            continue
        cost = len(processor.tokenizer.encode(turn.question + turn.answer)) + 10
        if turns and cost > budget:
            break
        budget -= cost
        turns.append(turn)
        asked.add(turn.question)
    return Sample(
        messages=conversation(scene, turns),
        task="+".join(turn.task for turn in turns),
        truth={"turns": [turn.truth for turn in turns]},
        seed=seed,
        lineage=("synth.scene", "synth.questions"),
    )


def conversation(scene: Scene, turns: list[Turn]) -> tuple[Message, ...]:
    """The picture stands before the first question."""
    picture = ImagePart(image=scene.image, resized_width=scene.image.width, resized_height=scene.image.height)
    messages = []
    for i, turn in enumerate(turns):
        messages.append(user(picture, turn.question) if i == 0 else user(turn.question))
        messages.append(Message(role="assistant", parts=(TextPart(text=turn.answer),)))
    return tuple(messages)


def _draw_size(rng: np.random.Generator, config: StreamConfig) -> tuple[int, int]:
    """Width and height, even over areas and aspects, multiples of 28."""
    while True:
        width, height = (
            28 * round(float(np.exp(rng.uniform(np.log(config.min_side - 10), np.log(config.max_side + 10)))) / 28)
            for _ in range(2)
        )
        within = min(width, height) >= config.min_side and max(width, height) <= config.max_side
        if within and width * height <= config.max_pixels and max(width, height) <= 3 * min(width, height):
            return width, height


def _draw_style(rng: np.random.Generator, config: StreamConfig) -> SceneStyle:
    shares = np.array([share for share, _ in config.styles])
    return config.styles[int(rng.choice(len(shares), p=shares / shares.sum()))][1]
