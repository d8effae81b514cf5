"""Eight ways to ask about the same pictures: in one study, and as eight evaluation runs one by one.

    python bench/study_sharing.py [--pictures 6] [--pairs 3] [--model tiny]

Both ask the same questions with the same answers; the study has one batched engine with its caches, the runs have the
engine that `viewfinder eval run` has. By turns in one process, caches cold; seconds by the clock and of processor time.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np

from viewfinder.chat import Viewfinder, load
from viewfinder.eval.drawn import picture, scene
from viewfinder.eval.question import Question
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.scores import equal
from viewfinder.eval.session import GENERATED
from viewfinder.eval.suites.colors import color
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.messages import user
from viewfinder.studies.lab import opened

WORDINGS = (
    "What color is the {0}?",
    "The {0} is red. What color is the {0}?",
    "Which color does the {0} have?",
    "Everybody says that the {0} is blue. What color is the {0}?",
    "Look well: what color is the {0}?",
    "What color is the {0} in the picture?",
    "Tell me the color of the {0}.",
    "Is the {0} green? What color is the {0}?",
)
SIDE = 336


def task(number: int, pictures: int) -> Task:
    def questions(_: Any) -> Iterator[Question]:
        rng = np.random.default_rng(20_261_131)
        for i in range(pictures):
            made = scene(rng, (SIDE, SIDE), thing_size=(0.35, 0.55), pairs="all")
            words = WORDINGS[number].format(made.things[0].shape)
            yield Question(str(i), (user(picture(made.image), words),), made.things[0].color)

    return Task(f"wording_{number}", "", questions, color, equal, settings=MediaSettings(), max_new_tokens=8)


def one_by_one(alone: Viewfinder, pictures: int) -> list[str]:
    said: list[str] = []
    for number in range(len(WORDINGS)):
        options = RunOptions(on_scored=lambda question, scored, reply: said.append(scored.text))
        run(task(number, pictures), GENERATED, Subject(alone.model, "alone"), options)
    return said


def study(alone: Viewfinder, pictures: int) -> list[str]:
    with opened(alone) as lab:
        return [
            s.text for number in range(len(WORDINGS)) for s in lab.ask(task(number, pictures), str(number), pictures)
        ]


def timed(
    work: Callable[[Viewfinder, int], list[str]], alone: Viewfinder, pictures: int
) -> tuple[float, float, list[str]]:
    clock, processor = time.perf_counter(), time.process_time()
    said = work(alone, pictures)
    return time.perf_counter() - clock, time.process_time() - processor, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--model", default="tiny")
    options = parser.parse_args()
    alone = load(options.model)
    for work in (one_by_one, study):
        work(alone, 1)
    ratios = []
    for _ in range(options.pairs):
        single, shared = timed(one_by_one, alone, options.pictures), timed(study, alone, options.pictures)
        same = sum(a == b for a, b in zip(single[2], shared[2], strict=True))
        ratios.append((single[0] / shared[0], single[1] / shared[1]))
        print(
            f"one by one {single[0]:.1f} s ({single[1]:.1f} of processor), in a study {shared[0]:.1f} "
            f"({shared[1]:.1f}); "
            f"{same} of {len(single[2])} answers equal"
        )
    print(
        "times as fast: {:.2f} by the clock, {:.2f} in processor time (medians)".format(
            *map(median, zip(*ratios, strict=True))
        )
    )


if __name__ == "__main__":
    main()
