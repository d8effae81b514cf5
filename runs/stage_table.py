"""What each stage of the built-in model's training was worth: one table, one picture of curves.

    python runs/stage_table.py joint:4.2:out/stages/joint sft:9.9:out/stages/sft --out docs/eval/stages

Each argument is NAME:HOURS:FOLDER: the stage of `runs/tiny.sh`, hours of training by the clock at its end, and the
folder of `viewfinder eval run builtin --model EXPORT --out FOLDER`; FOLDER#blind takes what `--beside blind` put
there. A name in brackets, such as `[blind]:14:FOLDER#blind`, is a column of the table and no point of the curves.
Writes OUT.md and OUT.png (which needs matplotlib). Before and after, with 95 % intervals and no picture:

    python runs/stage_table.py --intervals before:0:A after:8:B "[blind]:8:B#blind" "[untrained]:0:B#untrained" --out T
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measure:
    """A row: the task's score, or one of its `scores` by name, or its score where a tag has a value; the floor and the
    goal that were set, if any."""

    title: str
    task: str
    name: str = "score"
    floor: float | None = None
    goal: float | None = None
    where: tuple[str, str] | None = None

    def of(self, found: dict[str, Any]) -> float:
        return found["by"][self.where[0]][self.where[1]][0] if self.where else found["scores"][self.name]

    @property
    def has_interval(self) -> bool:
        return self.name == "score" and self.where is None


MEASURES = (
    Measure("characters wrong, Latin %", "read_latin", floor=12, goal=5),
    Measure("characters wrong, other scripts %", "read_scripts", floor=35, goal=15),
    Measure("boxes at IoU 0.5 %", "locate", floor=82, goal=90),
    Measure("none, at 90 % precision %", "absent", floor=75, goal=90),
    Measure("pointed inside %", "point", floor=88, goal=94),
    Measure("counted %", "count", floor=75, goal=90),
    Measure("asked %", "ask", floor=78, goal=88),
    Measure("page: edit distance", "page", floor=0.25, goal=0.1),
    Measure("page: F1 of boxes", "page", "box F1", floor=0.6, goal=0.85),
    Measure("table: TEDS", "table", floor=0.75, goal=0.85),
    Measure("chart: TEDS", "chart"),
    Measure("chart: relaxed accuracy", "chart", "relaxed accuracy", floor=0.45, goal=0.8),
    Measure("fields: F1", "fields", floor=0.6, goal=0.85),
    Measure("moments in 5 to 15 s: temporal IoU %", "moments", floor=60, goal=75, where=("length", "5-15 s")),
    Measure("moments in 5 to 120 s: temporal IoU %", "moments"),
    Measure("clicked inside %", "click", floor=65, goal=85),
    Measure("other renderers: boxes at IoU 0.5 %", "renderer_locate", floor=75, goal=90),
    Measure("other renderers: none, at 90 % precision %", "renderer_absent", floor=75, goal=90),
    Measure("other renderers: yes or no %", "renderer_yes_no", floor=75, goal=90),
)


INTERVALS = "Held-out fonts, names, layouts and seeds; in brackets 95 % intervals (bootstrap over the questions).\n\n"
HEAD = """# The built-in model after the stages of its training

Written by `runs/stages_tiny.sh`: one command for all, on held-out fonts, names, layouts and seeds, one run. In brackets
the same model without training, and the shipped one (`joint-10`) on blank pictures. With sixteen questions a task a
figure may be off by 25 points.

"""


@dataclass(frozen=True)
class Stage:
    name: str
    hours: float
    values: dict[str, float]
    """By title of the measure; what was not measured is absent."""
    intervals: dict[str, tuple[float, float]]
    """Of scores, 95 %; other measures have none."""
    questions: int

    @property
    def drawn(self) -> bool:
        return not self.name.startswith("[")


def read_stage(text: str) -> Stage:
    name, hours, place = text.split(":", 2)
    folder, _, column = place.partition("#")
    scores = json.loads((Path(folder) / "scores.json").read_text())["scores"]
    values, intervals, questions = {}, {}, 0
    for measure in MEASURES:
        results = scores.get(f"builtin_{measure.task}", {})
        if results:
            found = results[column or next(iter(results))]
            values[measure.title], questions = measure.of(found), max(questions, found["n"])
            if measure.has_interval:
                intervals[measure.title] = tuple(found["interval"])
    return Stage(name, float(hours), values, intervals, questions)


def as_markdown(stages: list[Stage], intervals: bool = False) -> str:
    """Measures as rows, stages as columns: a skill's way reads from left to right."""
    rows = ["| | " + " | ".join(s.name for s in stages) + " | floor | goal |", "|---" * (len(stages) + 3) + "|"]
    rows.append("| hours by the clock | " + " | ".join(f"{s.hours:.1f}" for s in stages) + " | | |")
    if intervals:
        rows.append("| questions a task | " + " | ".join(str(s.questions) for s in stages) + " | | |")
    for measure in MEASURES:
        digits = 0 if "%" in measure.title else 2
        cells = [_cell(stage, measure, digits, intervals) for stage in stages]
        ends = ["" if end is None else f"{end:g}" for end in (measure.floor, measure.goal)]
        rows.append(f"| {measure.title} | " + " | ".join((*cells, *ends)) + " |")
    return "\n".join(rows) + "\n"


def _cell(stage: Stage, measure: Measure, digits: int, intervals: bool) -> str:
    if (value := stage.values.get(measure.title)) is None:
        return ""
    low, high = stage.intervals.get(measure.title, (0.0, 0.0))
    around = f" ({low:.{digits}f} to {high:.{digits}f})" if intervals and measure.title in stage.intervals else ""
    return f"{value:.{digits}f}{around}"


def draw(stages: list[Stage], path: Path) -> None:
    """A panel a measure: score over hours, the floor dashed, the goal dotted."""
    from matplotlib.figure import Figure

    columns = 5
    figure = Figure(figsize=(15, 11), layout="constrained")
    panels = figure.subplots(-(-len(MEASURES) // columns), columns)
    for panel in panels.flat[len(MEASURES) :]:
        panel.set_visible(False)
    for measure, panel in zip(MEASURES, panels.flat, strict=False):
        points = [(s.hours, s.values[measure.title]) for s in stages if s.drawn and measure.title in s.values]
        panel.plot([h for h, _ in points], [v for _, v in points], "o-", color="#0b6bcb", markersize=4)
        for end, line in ((measure.floor, "--"), (measure.goal, ":")):
            if end is not None:
                panel.axhline(end, color="#c4551b", linestyle=line, linewidth=1)
        panel.set_title(measure.title, fontsize=9)
        panel.set_ylim(bottom=0)
    figure.supxlabel("hours of training by the clock; dashed: floor, dotted: goal", fontsize=10)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="+", metavar="NAME:HOURS:FOLDER")
    parser.add_argument("--out", type=Path, required=True, help="without ending")
    parser.add_argument("--intervals", action="store_true")
    parser.add_argument("--head", help="what stands above the table, in place of the stages' own")
    options = parser.parse_args()
    stages = [read_stage(text) for text in options.stages]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    head = options.head + "\n\n" if options.head else INTERVALS if options.intervals else HEAD
    options.out.with_suffix(".md").write_text(head + as_markdown(stages, options.intervals))
    if not options.intervals:
        draw(stages, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
