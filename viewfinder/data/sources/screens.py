"""Screenshots with their elements: where is it, what is it called, and the action of an instruction.

    {"image": "a.png", "device": "mobile", "caption": "A settings page.",
     "elements": [{"box": [x1, y1, x2, y2], "role": "button", "name": "Save", "instruction": "Save the form"}]}

also `img_url` or `img_filename`, `element`, and `bbox`; `units="fraction"` where corners are shares of the picture's
sides, `corners="xywh"` where they are a corner and a size (ShowUI's and ScreenSpot's files).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from viewfinder.data.sample import Sample, say
from viewfinder.data.sources.conversations import read_rows
from viewfinder.data.sources.fields import DESCRIBE
from viewfinder.data.sources.keys import Keys, read_object
from viewfinder.data.sources.row_media import picture_source
from viewfinder.data.sources.rows import RowSource, new_sample
from viewfinder.errors import DataError
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, Message
from viewfinder.outputs.actions import Action, Device, format_action
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.points import Point, format_points
from viewfinder.outputs.prompts import locate_prompt, point_prompt

_CLICK = {"mobile": "click", "computer": "left_click"}
_SLACK = 1.0


class ScreenSource(RowSource):
    """A file of screens.

    Args:
        media: folder of the pictures; the file's own by default.
        units: "pixels" of the original, or "fraction" of its sides.
        corners: "xyxy" or "xywh".
        most: elements asked about one screen.
        device: of screens that do not say; None asks for no actions.
    """

    name = "screens"
    domain = "screen"

    def __init__(
        self,
        path: str,
        media: str | None = None,
        units: str = "pixels",
        corners: str = "xyxy",
        most: int = 4,
        device: Device | None = None,
        seed: int = 0,
        **about: Any,
    ) -> None:
        if units not in ("pixels", "fraction") or corners not in ("xyxy", "xywh"):
            raise DataError(f"units are pixels or fraction and corners xyxy or xywh, found {units!r} and {corners!r}")
        super().__init__(read_rows(path), **about)
        self.path, self.units, self.corners = Path(path), units, corners
        self.media = Path(media) if media else self.path.parent
        self.most, self.device, self.seed = most, device, seed

    def make(self, row: Any, number: int) -> Sample:
        keys = Keys(read_object(row))
        part = ImagePart(image=picture_source(keys.take("image", "img_url", "img_filename"), self.media))
        size = load_image(part.image).size
        stated = keys.take("img_size")
        if stated is not None and tuple(stated) != size:
            raise DataError(f"key 'img_size' is {stated} and the picture has {size[0]}x{size[1]}; correct one of them")
        given = keys.take("elements", "element")
        inner = [Keys(one) for one in given or ()]
        elements = [self._element(one, size) for one in inner or [keys]]
        for one in inner:
            one.finish("an element")
        rng = np.random.default_rng((self.seed, number))
        chosen = [elements[i] for i in rng.permutation(len(elements))[: self.most]]
        device: Any = keys.take("device") or self.device
        turns = [_ask(box, how, size, device, rng) for box, how in chosen]
        action = next((turn for turn in turns if turn[2] == "action"), None)
        turns = [action] if action else turns  # an action is asked for alone: it offers the device's function
        caption = keys.text("caption")
        if caption and not action:
            turns.insert(0, (DESCRIBE, caption, ""))
        messages: list[Message] = []
        for asked, answer, _ in turns:
            messages += [say("user", asked) if messages else say("user", part, asked), say("assistant", answer)]
        forms = tuple(form for turn in turns for form in ("", turn[2]))
        task = "action" if action else "screen"
        truth = {"elements": [{"box": list(box.xyxy), "name": box.label} for box, _ in chosen]}
        about = {"license": keys.text("license", "licence"), "language": keys.text("language")}
        keys.finish("the screen")
        return new_sample(messages, task, truth=truth, forms=forms, device=device if action else None, **about)

    def _element(self, keys: Keys, size: tuple[int, int]) -> tuple[Box, str]:
        corners = keys.take("box", "bbox")
        if not isinstance(corners, list) or len(corners) != 4:
            raise DataError(f"key 'box' of an element is {corners!r}, expected four numbers")
        values = [float(value) for value in corners]
        if self.units == "fraction":
            values = [value * size[i % 2] for i, value in enumerate(values)]
        x1, y1, x2, y2 = values
        if self.corners == "xywh":
            x2, y2 = x1 + x2, y1 + y2
        inside = -_SLACK <= x1 < x2 <= size[0] + _SLACK and -_SLACK <= y1 < y2 <= size[1] + _SLACK
        instruction, role = keys.text("instruction"), keys.text("role").strip()
        name = (keys.text("name", "text") or instruction).strip()
        keys.take("point")  # its middle
        if not inside or not name:
            raise DataError(
                f"the element {json.dumps(keys.values, ensure_ascii=False, default=str)[:120]} is empty, nameless or "
                f"outside its screen of {size[0]}x{size[1]}; check units and corners"
            )
        box = Box(max(x1, 0.0), max(y1, 0.0), min(x2, size[0]), min(y2, size[1]), label=name)
        return box, instruction or (f'the {role} "{name}"' if role else f'"{name}"')


def _ask(
    box: Box, how: str, size: tuple[int, int], device: Device | None, rng: np.random.Generator
) -> tuple[str, str, str]:
    """Question, answer and form of one element."""
    whole = Transform.identity(size)
    said = how[0].isupper()  # an instruction rather than a description
    if device and said:
        return how, format_action(Action(device, _CLICK[device], coordinate=box.center), whole), "action"
    if rng.random() < 0.5:
        return locate_prompt(how), format_boxes([box], whole), "boxes"
    return point_prompt(how), format_points([Point(*box.center, label=box.label)], whole), "points"
