"""8. Filtering and rejection sampling: tuned on the same number of rows, clean, with wrong ones, and with those "
"filtered."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from viewfinder.eval.answer_format import box
from viewfinder.eval.builtin import all_builtin, renderers
from viewfinder.eval.metrics import iou
from viewfinder.eval.question import Question
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart
from viewfinder.outputs.boxes import Box, format_boxes, parse_boxes
from viewfinder.studies.lab import Lab
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, over_seeds, percent
from viewfinder.studies.tuning import Row, rows, scores, tuned

ROWS, STEPS, COUNT, WRONG, AGREES, SEEDS = 60, 20, 24, 0.4, 0.2, (1, 2, 3)
"""Rows that are taught in every run, share of wrong boxes before filtering, and the overlap with the model's own answer
below which rejection sampling drops a row, and the seeds of rows and training."""
KINDS = ("before", "clean rows", "rows with wrong boxes", "those, rejection sampled")


def settings(smoke: bool) -> Sequence[Setting]:
    before: list[Setting] = [{"name": KINDS[0], "kind": KINDS[0], "seed": 0}]
    made = [{"name": f"{kind}, seed {seed}", "kind": kind, "seed": seed} for kind in KINDS[1:] for seed in SEEDS]
    return made[-1:] if smoke else before + made


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    every, kind, seed = all_builtin(), setting["kind"], setting["seed"]
    model, told = None, {}
    if kind != "before":
        taught, told = _taught(lab, kind, 1 if lab.smoke else ROWS, seed)
        model = tuned(lab, setting["name"], taught, STEPS, seed=seed)
    tasks = {"new pictures": (every["builtin_renderer_locate"], None), "boxes": (every["builtin_locate"], None)}
    return {**scores(lab, model, tasks, lab.count(COUNT, 1), setting["name"]), **told}


def _taught(lab: Lab, kind: str, count: int, seed: int) -> tuple[list[Row], dict[str, Any]]:
    """Exactly `count` rows, and the share that the filter kept, in percent: of wrong and right ones, and of the right
    ones by their picture's size, which is the bias that it brings in."""
    drawn = rows(renderers.locate, box, seed=seed)
    if kind == "clean rows":
        return list(islice(drawn, count)), {}
    rng = random.Random(f"wrong/{seed}")
    kept: list[Row] = []
    seen: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for question, answer in drawn:
        wrong = rng.random() < WRONG
        row = (question, _wrong(question, rng)) if wrong else (question, answer)
        keep = kind == KINDS[2] or _agrees(lab, row)
        for name in ("wrong",) if wrong else ("right", f"right, {question.tags['pixels']} px"):
            seen[name][keep] += 1
        kept += [row] if keep else []
        if len(kept) == count or sum(seen["wrong"]) + sum(seen["right"]) >= 4 * count:
            break
    return kept, {"kept": {name: [kept_of, dropped + kept_of] for name, (dropped, kept_of) in sorted(seen.items())}}


def _size(question: Question) -> tuple[int, int]:
    (part,) = question.media
    assert isinstance(part, ImagePart)
    return load_image(part.image).size


def _wrong(question: Question, rng: random.Random) -> str:
    """A box of the same size somewhere else."""
    (width, height), (x1, y1, x2, y2) = _size(question), question.truth
    left, top = rng.uniform(0, width - (x2 - x1)), rng.uniform(0, height - (y2 - y1))
    moved = Box(left, top, left + x2 - x1, top + y2 - y1, label=question.tags["label"])
    return format_boxes([moved], Transform.identity((width, height)))


def _agrees(lab: Lab, row: Row) -> bool:
    """Whether the model, asked before it is taught, answers with a box that overlaps the row's a little."""
    question, answer = row
    (part,) = question.media
    assert isinstance(part, ImagePart)
    asked = question.tags["label"]
    found = lab.model().locate(part.image, asked if asked.startswith("the ") else f"the {asked}", max_items=4)
    taught = parse_boxes(answer, Transform.identity(_size(question)))
    return any(iou(mine.xyxy, taught[0].xyxy) >= AGREES for mine in found)


def find(records: Sequence[Record]) -> Findings:
    of = {kind: [r for r in records if r["kind"] == kind] for kind in KINDS}
    of = {kind: rows for kind, rows in of.items() if rows}
    new, old = ({k: over_seeds(v, task) for k, v in of.items()} for task in ("new pictures", "boxes"))
    share = _shares(of[KINDS[3]])
    answer = (
        f"Boxes right in new pictures, percent, after {ROWS} rows of each kind (mean, least and most of "
        f"{len(of[KINDS[3]])} seeds): {'; '.join(f'{k} {percent(v)}' for k, v in new.items())}. Rejection sampling by "
        f"the model's own answer kept {share.pop('right')} % of right and {share.pop('wrong')} % of wrong rows, and of "
        f"the right ones {', '.join(f'{v} % of {k[7:]}' for k, v in share.items())}."
    )
    return Findings(
        answer,
        [
            Panel(
                "After the same number of rows",
                "",
                "boxes right, %",
                [Series("new pictures", list(new), list(new.values())), Series("boxes", list(old), list(old.values()))],
                "bars",
                top=105,
            )
        ],
        ["rows", "runs", "new pictures, %", "trained pictures, %"],
        [[k, str(len(v)), percent(new[k]), percent(old[k])] for k, v in of.items()],
        [
            f"{ROWS} rows, {STEPS} steps and {COUNT} questions a task: small differences say nothing.",
            "Wrong rows were planted (a box moved elsewhere); rows of the web are wrong in other ways.",
            "Bias was measured by the size of pictures alone: the model has one language, the rows one domain.",
        ],
        "",
    )


def _shares(filtered: Sequence[Record]) -> dict[str, int]:
    """What was kept of each group over all seeds, in percent."""
    names = sorted({name for r in filtered for name in r["kept"]})
    counts = {
        n: [sum(r["kept"].get(n, (0, 0))[i] for r in filtered) for i in (0, 1)] for n in ("right", "wrong", *names)
    }
    return {n: round(100 * kept / max(1, seen)) for n, (kept, seen) in counts.items()}


STUDY = Study(
    8,
    "filters",
    "Filters and rejection sampling",
    "what filters of training rows are worth at an equal number of rows, and what they bias.",
    settings,
    measure,
    find,
    needs="weights",
    trains=True,
    hours="an hour of one core",
)
