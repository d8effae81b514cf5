"""What generated tasks share: scenes of shapes and words held out of training, and questions about what was drawn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from viewfinder.data.synth.clips import EventClip
from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.scene import Scene, Thing, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.question import Question
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.media.encode import Encoded, encode_picture
from viewfinder.messages import ImagePart, VideoPart, user
from viewfinder.outputs import prompts


def scene(
    rng: np.random.Generator,
    size: tuple[int, int],
    things: tuple[int, int] = (1, 1),
    lines: tuple[int, int] = (0, 0),
    thing_size: tuple[float, float] = (0.2, 0.55),
    pairs: str = "held_out",
    text_size: tuple[int, int] = (18, 34),
    max_chars: int = 10,
) -> Scene:
    """A scene that has at least as many things and lines as asked for."""
    style = SceneStyle(
        things=things,
        lines=lines,
        thing_size=thing_size,
        text_size=text_size,
        max_chars=max_chars,
        pairs=pairs,
        families=find_families(held_out=True),
        repeat=0.0,
    )
    for _ in range(200):
        made = make_scene(rng, size, style)
        if len(made.things) >= things[0] and len(made.lines) >= lines[0]:
            return made
    raise AssertionError(f"no scene of {things} things fits {size}")


def only_ones(things: Sequence[Thing]) -> list[Thing]:
    """Things that are the only ones of their shape."""
    return [t for t in things if sum(o.shape == t.shape for o in things) == 1]


def picture(image: Image.Image | Encoded) -> ImagePart:
    """A file (PNG where it is none yet), so that requests do not depend on how Pillow keeps a picture."""
    return ImagePart(image=image if isinstance(image, Encoded) else encode_picture(image.convert("RGB")))


def where(
    id: str, image: Image.Image | Encoded, phrase: str, box: Sequence[float], tags: Mapping[str, str]
) -> Question:
    """Locate what is there once; the truth is its box."""
    messages = (user(picture(image), prompts.locate_prompt(phrase)),)
    return Question(id, messages, list(map(float, box)), tags)


def where_point(id: str, image: Image.Image, phrase: str, box: Sequence[float], tags: Mapping[str, str]) -> Question:
    """Point at what is there once; the truth is its box."""
    messages = (user(picture(image), prompts.point_prompt(phrase)),)
    return Question(id, messages, {"boxes": [list(map(float, box))]}, tags)


def where_or_none(
    id: str, image: Image.Image | Encoded, name: str, boxes: Iterable[Sequence[float]], tags: Mapping[str, str]
) -> Question:
    """Locate what may not be there; the truth is the boxes of all that have the name."""
    messages = (user(picture(image), prompts.locate_prompt(f"the {name}")),)
    found = [list(map(float, box)) for box in boxes]
    tags = {**tags, "there": "yes" if found else "no", "label": name}
    return Question(id, messages, {"boxes": found, "labels": [name] * len(found)}, tags)


def whether(name: str) -> str:
    """The question whether there is something of a name."""
    return f"Is there {'an' if name[0] in 'aeiou' else 'a'} {name} in the image?"


def when(id: str, video: VideoPart, clip: EventClip, tags: Mapping[str, str]) -> Question:
    """When the event of a clip happens, in seconds of the clip."""
    truth = {"span": [clip.start, clip.end], "duration": clip.duration}
    return Question(id, (user(video, prompts.moments_prompt(clip.query)),), truth, tags)


def suite(
    name: str, title: str, questions: Callable[[Any], Iterable[Question]], form: AnswerFormat, score: Any, **rest: Any
) -> Task:
    """A generated task, asked with the model's own budgets of pixels."""
    return Task(f"suite_{name}", title, questions, form, score, settings=MediaSettings(), family="suite", **rest)
