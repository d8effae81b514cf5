"""Three models that need no weights: one that is always right, one that never looks, one that guesses.

They show that a task's loader, prompt, parser and score fit together (perfect reaches the top), and what a score
is worth (blind and random are its floor). Each is a `ChatModel`.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Unpack

from PIL import Image

from viewfinder.eval.question import Question, Sight, sight_of
from viewfinder.eval.task import Task
from viewfinder.media.digest import digest, digest_messages
from viewfinder.media.image import load_image
from viewfinder.media.video import load_video
from viewfinder.messages import ChatModel, ChatOptions, ImagePart, MediaInfo, Message, Part, Reply, VideoPart

NAMES = ("perfect", "blind", "random")


class Baseline:
    """`kind` is one of `NAMES`. Knows the questions it will be asked; `seed` moves the random one."""

    def __init__(self, kind: str, task: Task, questions: Iterable[Question], seed: int = 0) -> None:
        assert kind in NAMES, kind
        self.kind, self.task, self.seed = kind, task, seed
        self.questions: dict[str, Question] = {}
        for question in questions:
            key = digest(digest_messages(question.messages))
            known = self.questions.setdefault(key, question)
            assert known.truth == question.truth, f"{known.id} and {question.id} ask the same of two truths"

    def chat(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Reply:
        """The baseline's answer to a question it knows (the runner's budgets on its media do not matter)."""
        key = digest(digest_messages(_bare(messages)))
        question = self.questions.get(key) or self.questions[digest(digest_messages(messages))]
        sight = sight_of(question)
        return Reply(text=self._say(question, sight), media=_infos(question, sight), stamp=f"baseline-{self.kind}")

    def stream(self, messages: Sequence[Message], **options: Any) -> Iterator[str | Reply]:
        reply = self.chat(messages, **options)
        yield reply.text
        yield reply

    def _say(self, question: Question, sight: Sight) -> str:
        form = self.task.form
        if self.kind == "perfect":
            return form.write(question, sight)
        if self.kind == "random":
            return form.guess(question, sight, random.Random(f"{self.seed} {question.id}"))
        if question.choices:
            return question.choices[0]
        return form.blind(question, sight)


def _bare(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Messages without the budgets that a run puts on pictures and clips."""
    budgets = dict.fromkeys(("min_pixels", "max_pixels", "fps", "max_frames", "total_pixels"))
    kept = lambda part: {k: None for k in budgets if hasattr(part, k)}  # noqa: E731
    return tuple(m.model_copy(update={"parts": tuple(p.model_copy(update=kept(p)) for p in m.parts)}) for m in messages)


def _infos(question: Question, sight: Sight) -> tuple[MediaInfo, ...]:
    infos = []
    for part, transform, duration in zip(question.media, sight.transforms, sight.durations, strict=True):
        width, height = transform.resized_size
        grid = (1, height // 14, width // 14)
        infos.append(
            MediaInfo(
                kind="image" if isinstance(part, ImagePart) else "video",
                original_size=transform.original_size,
                resized_size=transform.resized_size,
                grid_thw=grid,
                tokens=grid[1] * grid[2] // 4,
                transform=transform.to_dict(),
                duration=duration,
            )
        )
    return tuple(infos)


GREY = (127, 127, 127)
_CHOICE = ("fps", "nframes", "min_frames", "max_frames", "video_start", "video_end")
"""What decides which frames of a file are seen; a list of frames is seen whole."""


class Blindfold:
    """`model`, blindfolded. It is a `ChatModel`; sizes, times and lengths stay as they are."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def chat(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Reply:
        return self.model.chat(blanked(messages), **options)

    def stream(self, messages: Sequence[Message], **options: Unpack[ChatOptions]) -> Iterator[str | Reply]:
        return self.model.stream(blanked(messages), **options)


def blanked(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Messages whose pictures and frames are grey."""
    return tuple(m.model_copy(update={"parts": tuple(map(_blank, m.parts))}) for m in messages)


def _blank(part: Part) -> Part:
    if isinstance(part, ImagePart):
        return part.model_copy(update={"image": Image.new("RGB", load_image(part.image).size, GREY)})
    if not isinstance(part, VideoPart):
        return part
    if isinstance(part.video, list):
        return part.model_copy(update={"video": [Image.new("RGB", frame.size, GREY) for frame in part.video]})
    chosen = {name: getattr(part, name) for name in _CHOICE if getattr(part, name) is not None}
    clip = load_video(part.video, min_pixels=28 * 28, max_pixels=28 * 28, **chosen)
    frames = [Image.new("RGB", clip.transform.original_size, GREY)] * len(clip.frames)
    return part.model_copy(update={"video": frames, "frame_times": tuple(clip.times), **dict.fromkeys(_CHOICE)})
