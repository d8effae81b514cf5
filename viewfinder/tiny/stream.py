"""An endless, repeatable stream of packed batches from generated scenes, clips and kinds, with token labels.

Batch k depends on the seed and k alone, so a run resumes at any step. All pictures of a batch, but those of kinds, have
one size (windows of one size are one matrix product). Sizes change from batch to batch between `min_side` and
`max_side`, in multiples of 28 pixels.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from viewfinder.data.sample import Sample
from viewfinder.data.synth.questions import Turn, conversation, make_turn
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.inputs import ModelInputs, pack
from viewfinder.processor.processor import Processor
from viewfinder.tiny import kind_views
from viewfinder.tiny.answer_labels import clip_answer_labels, scene_answer_labels
from viewfinder.tiny.clip_questions import ClipStyle, View, make_view, view_sample
from viewfinder.tiny.kind_views import KindStyle
from viewfinder.tiny.quick_scenes import make_quick_scene
from viewfinder.tiny.reading_loss import line_labels
from viewfinder.tiny.scene_kit import make_kit
from viewfinder.tiny.token_labels import changes_between, time_digits, token_labels
from viewfinder.train.batches import AnswerBatch


@dataclass(frozen=True)
class StreamConfig:
    """What a batch holds.

    Attributes:
        patches: of 14 x 14 pixels, in one batch (about; fewer of small pictures, whose text weighs more).
        min_side, max_side: of a picture, pixels.
        max_pixels: largest width x height.
        max_aspect: largest longer side by shorter side.
        text_share: tokens of text per token of picture.
        weights: share of each task.
        styles: kinds of scene and their shares.
        clip_share: share of the batches that hold clips instead of pictures.
        clips: what clips look like.
        kind_share: share of the batches that hold samples of the kinds.
        kinds: which ones.
        quick_share: share of the batches of scenes that `quick_scenes` composes.
        kit_batches: batches that share what quick scenes are composed of.
    """

    patches: int = 2304
    min_side: int = 84
    max_side: int = 252
    max_pixels: int = 168 * 168
    max_aspect: float = 3.0
    text_share: float = 5.0
    weights: Mapping[str, float] = field(default_factory=lambda: {"locate": 1.0, "read": 1.0})
    styles: tuple[tuple[float, SceneStyle], ...] = ((1.0, SceneStyle()),)
    clip_share: float = 0.0
    clips: ClipStyle = field(default_factory=ClipStyle)
    kind_share: float = 0.0
    kinds: KindStyle = field(default_factory=KindStyle)
    quick_share: float = 0.0
    kit_batches: int = 64


def batches(processor: Processor, config: StreamConfig, seed: int, start: int = 0) -> Iterator[AnswerBatch]:
    """Batches `start`, `start + 1`, ... without end."""
    step = start
    while True:
        yield make_batch(processor, config, seed, step)
        step += 1


def make_batch(processor: Processor, config: StreamConfig, seed: int, step: int) -> AnswerBatch:
    """The one batch with this seed and number."""
    rng = np.random.default_rng((seed, step))
    if config.clip_share and rng.random() < config.clip_share:
        return _clip_batch(rng, processor, config, (seed, step))
    if config.kind_share and rng.random() < config.kind_share / (1 - config.clip_share):
        return _kind_batch(rng, processor, config)
    kit = (
        make_kit(seed, step // config.kit_batches) if config.quick_share and rng.random() < config.quick_share else None
    )
    size = _draw_size(rng, config)
    tokens = size[0] * size[1] // 28**2
    items: list[ModelInputs] = []
    labels: list[dict[str, NDArray[np.int64]]] = []
    for picture in range(_pictures(processor, config, tokens)):
        style = _draw_style(rng, config)
        scene = make_scene(rng, size, style) if kit is None else make_quick_scene(rng, size, style, kit)
        sample = make_sample(rng, processor, config, scene, (seed, step))
        items.append(processor(sample.messages, train=True))
        labels.append(
            token_labels(scene).as_dict()
            | scene_answer_labels(processor, items[-1], scene, sample.truth["turns"])
            | {"lines": line_labels(size, scene.lines, picture)}
        )
    return _joined(items, labels)


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


def _joined(items: list[ModelInputs], parts: list[dict[str, NDArray[np.int64]]]) -> AnswerBatch:
    labels = {name: torch.from_numpy(np.concatenate([one[name] for one in parts])) for name in parts[0]}
    return AnswerBatch(pack(items), labels)


def _clip_batch(
    rng: np.random.Generator, processor: Processor, config: StreamConfig, seed: tuple[int, ...]
) -> AnswerBatch:
    """Clips of one frame size, as many as fill the patches."""
    low, high = config.clips.sides
    width, height = (28 * int(rng.integers(low // 28, high // 28 + 1)) for _ in range(2))
    items: list[ModelInputs] = []
    labels: list[dict[str, NDArray[np.int64]]] = []
    left = config.patches
    while not items or left > 0:
        view = make_view(rng, config.clips, (width, height))
        items.append(processor(view_sample(rng, config.clips, view, seed).messages, train=True))
        labels.append(_clip_labels(view) | clip_answer_labels(processor, items[-1], view))
        left -= view.count // 2 * (width * height // 14**2)
    return _joined(items, labels)


def _clip_labels(view: View) -> dict[str, NDArray[np.int64]]:
    """Of each pair what its first frame shows, the time of that, and what changed up to its second frame since the
    second one of the pair before."""
    frames = [token_labels(view.scene(i)) for i in range(view.count)]
    before = frames[0]
    for i, (first, second) in enumerate(zip(frames[::2], frames[1::2], strict=True)):
        first.times[:] = time_digits(2 * i / view.fps)
        first.changes[:] = changes_between(before, second)
        before = second
    seen = [frame.as_dict() for frame in frames[::2]]
    return {name: np.concatenate([one[name] for one in seen]) for name in seen[0]}


def _kind_batch(rng: np.random.Generator, processor: Processor, config: StreamConfig) -> AnswerBatch:
    """As many samples of the kinds as take about as long as any other batch."""
    items: list[ModelInputs] = []
    labels: list[dict[str, NDArray[np.int64]]] = []
    written = config.text_share >= 1  # as in `_pictures`: with little text it is the pixels that take the time
    left = config.patches / 4 * (1 + config.text_share if written else 1)
    while not items or left > 0:
        inputs, found = kind_views.make_view(rng, processor, config.kinds)
        items.append(inputs)
        labels.append(found)
        seen = len(found["places"])  # the tower works twice as long on each as the language model
        left -= len(inputs.input_ids) + 2 * seen if written else seen
    return _joined(items, labels)


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


def _draw_size(rng: np.random.Generator, config: StreamConfig) -> tuple[int, int]:
    """Width and height, even over areas and aspects, multiples of 28."""
    while True:
        width, height = (
            28 * round(float(np.exp(rng.uniform(np.log(config.min_side - 10), np.log(config.max_side + 10)))) / 28)
            for _ in range(2)
        )
        within = min(width, height) >= config.min_side and max(width, height) <= config.max_side
        if (
            within
            and width * height <= config.max_pixels
            and max(width, height) <= config.max_aspect * min(width, height)
        ):
            return width, height


def _draw_style(rng: np.random.Generator, config: StreamConfig) -> SceneStyle:
    shares = np.array([share for share, _ in config.styles])
    return config.styles[int(rng.choice(len(shares), p=shares / shares.sum()))][1]
