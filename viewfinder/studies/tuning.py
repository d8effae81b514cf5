"""A checkpoint tuned on some rows, for the studies that train: rows are questions with the answers they should get."""

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from viewfinder.chat import Viewfinder, load
from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.question import Question, Sight
from viewfinder.eval.task import Task
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, TextPart
from viewfinder.storage.atomic import write_whole
from viewfinder.studies.lab import Change, Lab, slug

SEED = 20_261_130
"""Of the rows that are trained on; questions of tasks have another."""

Row = tuple[Question, str]
"""A question about pictures and the answer to learn, places in pixels of the original."""


def rows(
    make: Callable[[np.random.Generator, int], Question | None],
    form: AnswerFormat,
    change: Change | None = None,
    seed: int = 0,
) -> Iterator[Row]:
    """Rows without end from a task's generator; answers are the perfect ones."""
    for number in range(10**9):
        question = make(np.random.default_rng((SEED, seed, number)), number)
        if question is not None:
            asked = question if change is None else change(question, random.Random(number))
            yield asked, right_answer(form, question)


def right_answer(form: AnswerFormat, question: Question) -> str:
    sizes = [load_image(part.image).size for part in question.media if isinstance(part, ImagePart)]
    return form.write(question, Sight(tuple(Transform.identity(size) for size in sizes), (None,) * len(sizes)))


def tuned(
    lab: Lab, name: str, taught: Sequence[Row], steps: int, recipe: str = "sft", rate: float = 2e-4, seed: int = 0
) -> Viewfinder:
    """The lab's checkpoint after `steps` of 2 x 512 tokens on these rows; a run that is there already is not run "
    "again."""
    from viewfinder.recipes.run import train

    lab.weights()
    folder = (lab.out or Path(tempfile.mkdtemp())) / "tuned" / slug(name)
    write_rows(folder, taught)
    wanted = {
        "data.source": folder / "rows.json",
        "steps": 1 if lab.smoke else steps,
        "seq_len": 512,
        "global_batch_size": 1 if lab.smoke else 2,
        "optimizer.adamw_lr": rate,
        "optimizer.warmup": 2,
        "seed": seed,
    }
    train(recipe, folder / "run", [f"{key}={value}" for key, value in wanted.items()], init=lab.source)
    return load(str(folder / "run"))


def write_rows(folder: Path, taught: Sequence[Row]) -> None:
    """A conversation file with its pictures, as `viewfinder train` reads it."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    written = []
    for number, (question, answer) in enumerate(taught):
        files = []
        for part in question.media:
            assert isinstance(part, ImagePart), "rows of clips are not written here"
            files.append(f"pictures/{number}-{len(files)}.png")
            load_image(part.image).image.save(folder / files[-1])
        words = "".join(p.text for m in question.messages for p in m.parts if isinstance(p, TextPart))
        turns = [{"role": "user", "content": "<image>" * len(files) + words}, {"role": "assistant", "content": answer}]
        written.append({"messages": turns, "images": files})
    write_whole(folder / "rows.json", json.dumps(written, ensure_ascii=False))


def scores(
    lab: Lab, model: Viewfinder | None, tasks: Mapping[str, tuple[Task, Change | None]], count: int, name: str
) -> dict[str, list[float]]:
    """Headline number of each task, changed as told, of a model of this process; of the lab's own for None."""
    from viewfinder.studies.lab import total

    def all_of(used: Viewfinder | None) -> dict[str, list[float]]:
        return {
            t: total(task, lab.ask(task, f"{name} {t}", count, change, viewfinder=used))
            for t, (task, change) in tasks.items()
        }

    if model is None:
        return all_of(None)
    with lab.other(model) as used:
        return all_of(used)
