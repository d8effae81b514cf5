"""Corrected answers of the playground, kept as a set of shards that training takes as it is.

Each correction is a shard of one sample; the index is written anew after each, so the folder is whole at any
time. Places are stored in pixels of the original picture.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart
from viewfinder.outputs import prompts
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.serve.intake import Intake
from viewfinder.serve.protocol import Body, Finite, check_json

LICENCE = "unknown"


class CorrectedBox(Body):
    """Corners in pixels of the original."""

    box: tuple[Finite, Finite, Finite, Finite]
    label: str = Field(default="", max_length=500)


class SampleRequest(Body):
    """A picture, what was asked, and the right answer: `boxes` for a place, `text` for words."""

    image: str
    task: str = Field(pattern="^(locate|ask|read)$")
    question: str = Field(default="", max_length=5000, description="The query of locate, the question of ask.")
    boxes: list[CorrectedBox] | None = Field(default=None, max_length=500)
    text: str | None = Field(default=None, max_length=100_000)
    model_answer: str = Field(default="", max_length=100_000)

    @field_validator("question", "text", "model_answer")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        check_json(value)
        return value


class SampleBook:
    """A folder of corrections."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def add(self, request: SampleRequest, intake: Intake) -> dict[str, Any]:
        """Write one correction; how many there are now.

        Raises:
            MediaError: the picture cannot be read.
        """
        from viewfinder.data.sample import Sample, say
        from viewfinder.data.shards import ShardWriter, finish

        picture = intake.picture(request.image)
        prompt, answer, form, truth = _written(request, picture.size)
        sample = Sample(
            messages=(say("user", ImagePart(image=picture), prompt), say("assistant", answer)),
            task=request.task,
            truth=truth,
            domain="correction",
            licence=LICENCE,
            forms=("", form),
            lineage=(
                f"playground {time.strftime('%Y-%m-%d', time.gmtime())}",
                json.dumps({"was": request.model_answer}),
            ),
        )
        with self._lock:
            number = len(list(self.folder.glob("shard-*.tar"))) if self.folder.is_dir() else 0
            with ShardWriter(self.folder, number) as shard:
                shard.add(sample)
            manifest = finish(self.folder)
        return {"saved": number, "samples": manifest["samples"], "folder": self.folder.name}


def _written(request: SampleRequest, size: tuple[int, int]) -> tuple[str, str, str, dict[str, Any]]:
    """Prompt, answer, how places are written in it, truth."""
    if request.task == "locate":
        original = Transform.identity(size)
        boxes = [Box(*original.clamp_box_original(b.box), label=b.label) for b in request.boxes or ()]
        text = format_boxes(boxes, original)
        return prompts.locate_prompt(request.question), text, "boxes", {"boxes": [box.to_dict() for box in boxes]}
    prompt = prompts.read_prompt() if request.task == "read" else request.question
    return prompt, request.text or "", "", {"text": request.text or ""}
