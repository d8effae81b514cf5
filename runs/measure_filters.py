"""How well the filters find planted faults, and what they keep: precision and recall by fault, yield by stage.

    python runs/measure_filters.py --pages DIR [--count 150] [--part sft] [--json OUT.json]

`--pages` is a folder of real web pages with pictures (a manual, say); everything else is generated. Precision is that
of one faulty sample for every clean one. Faults that no measure without a model can see are planted too
(`planted_*.py`), and show as missed.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from filter_table import Line, lines_of
from planted_copies import duplicate_lines, leak_lines, stored
from planted_in_answers import answer_faults, conversations
from planted_in_pages import document_faults, documents
from planted_thoughts import reasoning_lines

from viewfinder.data.catalogue import OPERATORS
from viewfinder.data.runner import run_plan
from viewfinder.data.sample import Sample
from viewfinder.data.shards import write_shards
from viewfinder.messages import ImagePart


def yields(pages: Sequence[Sample], pictures: Sequence[Sample]) -> dict[str, Any]:
    """One faulty sample in five through the whole of two plans: what each operator was given and let through."""
    rng = random.Random(9)
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, clean, faults, operators in (
            ("documents", pages, document_faults(pages), ["near_duplicates", "interleaved"]),
            ("answers", pictures, answer_faults(pictures), ["near_duplicates", "tag", "sft"]),
        ):  # fmt: skip
            plants = list(faults.values())
            bad = [plants[i % len(plants)](sample, rng) for i, sample in enumerate(clean[::5])]
            mixed = [*clean, *(one for one in bad if one is not None), *clean[: len(clean) // 10]]
            write_shards((replace(s, id=f"{i}") for i, s in enumerate(map(stored, mixed))), Path(folder) / name)
            out = Path(folder) / f"{name}-out"
            run_plan(
                {
                    "source": {"name": "shards", "path": str(Path(folder) / name)},
                    "operators": [{"name": one} for one in operators],
                },
                out,
            )
            result[name] = json.loads((out / "report.json").read_text())["operators"]
    return result


PARTS = ("interleaved", "sft", "duplicates", "contamination", "rejection", "yields")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, required=True)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this; all by default")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    parts = given.part or PARTS
    pages = documents(given.pages, given.count)
    pictures = conversations(given.count)
    seen = [sample for sample in pictures if len(sample.media) == 1 and isinstance(sample.media[0], ImagePart)]
    makers: dict[str, Callable[[], list[Line]]] = {
        "interleaved": lambda: lines_of("interleaved", OPERATORS["interleaved"]()(), pages, document_faults(pages)),
        "sft": lambda: lines_of("sft", OPERATORS["sft"]()(), pictures, answer_faults(pictures)),
        "duplicates": lambda: duplicate_lines(seen, pages),
        "contamination": lambda: leak_lines(seen, pages),
        "rejection": lambda: reasoning_lines(given.count),
    }
    print(f"{len(pages)} pages, {len(pictures)} conversations", file=sys.stderr, flush=True)
    print(
        "| filter | fault | found | of | recall | precision | clean lost |\n|---|---|---|---|---|---|---|", flush=True
    )
    lines: list[Line] = []
    for part in (part for part in parts if part in makers):
        print(f"measuring {part}", file=sys.stderr, flush=True)
        made = makers[part]()
        for line in made:
            print(line.row(), flush=True)
        lines += made
    flow = yields(pages, pictures) if "yields" in parts else {}
    for name, operators in flow.items():
        steps = ", ".join(f"{step} {c['taken']:.0f} -> {c['given']:.0f}" for step, c in operators.items())
        print(f"yield of {name}: {steps}")
    if given.json:
        given.json.write_text(json.dumps({"lines": [vars(line) for line in lines], "yields": flow}, indent=1))


if __name__ == "__main__":
    main()
