"""An endless, exactly repeatable stream of packed batches from generated scenes, clips and kinds.

Batch k depends on the seed and k alone, so a run resumes at any step without having kept anything. All
pictures of a batch but those of kinds have one size (windows of one size are one matrix product); sizes change from
batch to batch within `min_side` and `max_side`, all multiples of 28.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from viewfinder.data.sample import Sample
from viewfinder.data.synth import kind_views
from viewfinder.data.synth.clip_questions import ClipStyle, View, make_view, view_sample
from viewfinder.data.synth.dense import changes_between, dense_labels, time_digits
from viewfinder.data.synth.kind_views import KindStyle
from viewfinder.data.synth.looking import look_in_clip, look_in_picture
from viewfinder.data.synth.questions import Turn, make_turn
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
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
        kind_share: share of the batches that hold samples of the kinds.
        kinds: which ones.
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
    kind_share: float = 0.0
    kinds: KindStyle = field(default_factory=KindStyle)


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
    if config.kind_share and rng.random() < config.kind_share / (1 - config.clip_share):
        return _kind_batch(rng, processor, config)
    size = _draw_size(rng, config)
    tokens = size[0] * size[1] // 28**2
    items: list[ModelInputs] = []
    dense: list[dict[str, NDArray[np.int64]]] = []
    for _ in range(_pictures(processor, config, tokens)):
        scene = make_scene(rng, size, _draw_style(rng, config))
        sample = make_sample(rng, processor, config, scene, (seed, step))
        items.append(processor(sample.messages, train=True))
        dense.append(
            dense_labels(scene).as_dict() | look_in_picture(processor, items[-1], scene, sample.truth["turns"])
        )
    return _joined(items, dense)


_FORM = (
    "system\nYou are a helpful assistant.\nuser\nLocate every red star in the image and output the coordinates in JSON "
    'format.\nassistant\n```json\n[\n\t{"bbox_2d": [10, 20, 30, 40], "label": "red star"}\n]\n```\n'
)
"""What the template and the first turn bring, however small the picture."""


def _pictures(processor: Processor, config: StreamConfig, tokens: int) -> int:
    """How many pictures of so many tokens make a batch that takes as long as any other: ranks wait for one another.

    With less text than pixels it is the pixels that take the time, and their number alone is kept.
    """
    whole = config.patches / 4 * (1 + config.text_share)
    form = len(processor.tokenizer.encode(_FORM)) if config.text_share >= 1 else 0
    return max(1, round(whole / (tokens * (1 + config.text_share) + form)))


def _joined(items: list[ModelInputs], dense: list[dict[str, NDArray[np.int64]]]) -> Batch:
    labels = {name: torch.from_numpy(np.concatenate([one[name] for one in dense])) for name in dense[0]}
    return Batch(pack(items), labels)


def _clip_batch(rng: np.random.Generator, processor: Processor, config: StreamConfig, seed: tuple[int, ...]) -> Batch:
    """Clips of one frame size, as many as fill the patches."""
    low, high = config.clips.sides
    width, height = (28 * int(rng.integers(low // 28, high // 28 + 1)) for _ in range(2))
    items: list[ModelInputs] = []
    dense: list[dict[str, NDArray[np.int64]]] = []
    left = config.patches
    while not items or left > 0:
        view = make_view(rng, config.clips, (width, height))
        items.append(processor(view_sample(rng, config.clips, view, seed).messages, train=True))
        dense.append(_clip_labels(view) | look_in_clip(processor, items[-1], view))
        left -= view.count // 2 * (width * height // 14**2)
    return _joined(items, dense)


def _clip_labels(view: View) -> dict[str, NDArray[np.int64]]:
    """Of each pair what its first frame shows, the time of that, and what changed up to its second frame since the
    second one of the pair before."""
    frames = [dense_labels(view.scene(i)) for i in range(view.count)]
    before = frames[0]
    for i, (first, second) in enumerate(zip(frames[::2], frames[1::2], strict=True)):
        first.times[:] = time_digits(2 * i / view.fps)
        first.changes[:] = changes_between(before, second)
        before = second
    seen = [frame.as_dict() for frame in frames[::2]]
    return {name: np.concatenate([one[name] for one in seen]) for name in seen[0]}


def _kind_batch(rng: np.random.Generator, processor: Processor, config: StreamConfig) -> Batch:
    """As many samples of the kinds as take about as long as any other batch."""
    items: list[ModelInputs] = []
    dense: list[dict[str, NDArray[np.int64]]] = []
    written = config.text_share >= 1  # as in `_pictures`: with little text it is the pixels that take the time
    left = config.patches / 4 * (1 + config.text_share if written else 1)
    while not items or left > 0:
        inputs, labels = kind_views.make_view(rng, processor, config.kinds)
        items.append(inputs)
        dense.append(labels)
        seen = len(labels["places"])  # the tower works twice as long on each as the language model
        left -= len(inputs.input_ids) + 2 * seen if written else seen
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
