"""Measure a checkpoint on fresh scenes: `python runs/measure_tiny.py DIR [--count N] [--out FILE]`.

Fonts and shape-color pairs are those held out of training ("held out"), or those of training in new scenes
("seen"). Each question is asked twice: with the picture, and with a blank one of the same size, which tells how much
of the score is guessing. Greedy decoding, no grammar; seeds are fixed, so a rerun gives the same numbers.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from viewfinder.data.synth.fonts import find_families
from viewfinder.data.synth.questions import TASKS, Turn, make_turn
from viewfinder.data.synth.scene import Scene, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.engine.engine import generate
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, Sampling, user
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.model.weights import load_model
from viewfinder.outputs.boxes import parse_boxes
from viewfinder.outputs.counts import parse_count
from viewfinder.outputs.points import parse_points
from viewfinder.processor.processor import Processor

SIZES = ((112, 112), (140, 112), (112, 140), (140, 84), (84, 140), (168, 84))
Answer = Callable[[Image.Image, str], tuple[str, Transform]]


def answerer(model: Qwen2_5_VL, processor: Processor) -> Answer:
    """A function from picture and question to the answer's text, and where its coordinates lie in the picture."""
    stops = {processor.tokenizer.token_id(name) for name in ("<|im_end|>", "<|endoftext|>")}

    def answer(image: Image.Image, question: str) -> tuple[str, Transform]:
        shown = processor.prepare([user(ImagePart(image=image), question)])
        tokens = [t.id for t in generate(model, shown.inputs, Sampling(max_new_tokens=400), eos_token_ids=stops)]
        return processor.tokenizer.decode(tokens), shown.transforms[0]

    return answer


def iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / either if either > 0 else 0.0


def match(found: list[tuple[float, ...]], truth: list[tuple[float, ...]]) -> list[float]:
    """Overlaps of the best one-to-one pairs, greedily, best first: as many as the truth has, 0 for a miss."""
    pairs = sorted(((iou(f, t), i, j) for i, f in enumerate(found) for j, t in enumerate(truth)), reverse=True)
    overlaps, used_found, used_truth = [0.0] * len(truth), set[int](), set[int]()
    for overlap, i, j in pairs:
        if i not in used_found and j not in used_truth:
            overlaps[j] = overlap
            used_found.add(i)
            used_truth.add(j)
    return overlaps


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and replacements from one text to the other."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def judge(turn: Turn, text: str, frame: Transform) -> dict[str, float]:
    """Numbers to sum up: what is right in this answer, and of how many."""
    if turn.task in ("locate", "locate_text", "spot"):
        found = [box.xyxy for box in parse_boxes(text, frame)]
        truth = [tuple(map(float, box)) for box in turn.truth["boxes"]]
        overlaps = match(found, truth)
        hits = float(sum(o >= 0.5 for o in overlaps))
        if not truth:
            return {"absent": 1.0, "absent_right": float(not found and "[" in text)}
        return {"truth": len(truth), "found": len(found), "hits": hits, "iou": sum(overlaps), "none": float(not found)}
    if turn.task == "point":
        points = [point.xy for point in parse_points(text, frame)]
        boxes = list(turn.truth["boxes"])
        if not boxes:
            return {"absent": 1.0, "absent_right": float(not points and "[" in text)}
        inside = sum(any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for x, y in points) for b in boxes)
        return {"truth": len(boxes), "found": len(points), "hits": float(inside)}
    if turn.task == "count":
        said = parse_count(text)
        return {"asked": 1.0, "right": float(said is not None and said.value == turn.truth["count"])}
    if turn.task == "read":
        want, words = turn.truth["text"], turn.truth["text"].split()
        right = len(words) - max(0, edit_distance_words(words, text.split()))
        return {
            "chars": len(want),
            "edits": min(edit_distance(text, want), len(want)),
            "words": len(words),
            "words_right": max(right, 0),
        }
    return {"asked": 1.0, "right": float(text.strip().lower() == turn.truth["answer"].lower())}


def edit_distance_words(a: list[str], b: list[str]) -> int:
    """Edit distance over whole words."""
    names = {word: chr(0xE000 + i) for i, word in enumerate(dict.fromkeys(a + b))}
    return edit_distance("".join(names[w] for w in a), "".join(names[w] for w in b))


def summarize(task: str, rows: list[dict[str, float]]) -> dict[str, float]:
    total = {key: sum(row.get(key, 0.0) for row in rows) for key in {k for row in rows for k in row}}

    def share(part: str, whole: str) -> float:
        return round(total.get(part, 0.0) / total[whole], 4) if total.get(whole) else 0.0

    if task in ("locate", "locate_text", "spot", "point"):
        result = {
            "recall": share("hits", "truth"),
            "precision": share("hits", "found"),
            "things": total.get("truth", 0.0),
        }
        if task != "point":
            result["mean_iou"] = share("iou", "truth")
        if total.get("absent"):
            result |= {"absent_none": share("absent_right", "absent"), "absent": total["absent"]}
        return result
    if task == "read":
        return {"cer": share("edits", "chars"), "words_exact": share("words_right", "words"), "words": total["words"]}
    return {"exact": share("right", "asked"), "questions": total["asked"]}


def cases(task: str, split: str, count: int) -> list[tuple[Scene, Turn]]:
    """`count` questions of one task; `split` is "held_out one" (a single shape or line), "seen several", ..."""
    held, several = split.startswith("held_out"), split.endswith("several")
    families = find_families(held_out=held)
    text = task in ("read", "spot", "locate_text")
    rng = np.random.default_rng((20261123, sorted(TASKS).index(task), held, several))
    result: list[tuple[Scene, Turn]] = []
    while len(result) < count:
        style = SceneStyle(
            things=(0, 1 if several else 0) if text else (1, 4 if several else 1),
            lines=(1, 2 if several else 1) if text else (0, 1 if several else 0),
            thing_size=(0.16, 0.55),
            text_size=(18, 34),
            max_chars=10,
            pairs="held_out" if held else "train",
            families=families,
            repeat=0.3,
        )
        scene = make_scene(rng, SIZES[len(result) % len(SIZES)], style)
        if not (scene.lines if text else scene.things):
            continue
        turn = make_turn(rng, scene, {task: 1.0})
        if turn.task == task:
            result.append((scene, turn))
    return result


def measure(answer: Answer, tasks: list[str], count: int, *, blind: bool = True) -> dict[str, Any]:
    """Scores by split, task and whether the picture was shown."""
    report: dict[str, Any] = {}
    for split in ("held_out one", "held_out several", "seen one", "seen several"):
        for task in tasks:
            seeing, blinded = [], []
            for scene, turn in cases(task, split, count):
                seeing.append(judge(turn, *answer(scene.image, turn.question)))
                if blind:
                    blank = Image.new("RGB", scene.image.size, (127, 127, 127))
                    blinded.append(judge(turn, *answer(blank, turn.question)))
            entry: dict[str, Any] = {"picture": summarize(task, seeing)}
            if blind:
                entry["blank"] = summarize(task, blinded)
            report.setdefault(split, {})[task] = entry
            print(f"{split:16} {task:12} {json.dumps(entry)}", file=sys.stderr, flush=True)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--no-blind", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--show", type=int, default=0, help="print so many answers of each task instead")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    answer = answerer(load_model(options.directory, dtype=torch.float32), Processor.from_pretrained(options.directory))
    tasks = options.tasks.split(",")
    if options.show:
        for task in tasks:
            for scene, turn in cases(task, "held_out several", options.show):
                said = re.sub(r"\s+", " ", answer(scene.image, turn.question)[0])
                print(f"{task} | {turn.question}\n   want {re.sub(chr(92) + 's+', ' ', turn.answer)}\n   said {said}")
        return
    began = time.perf_counter()
    report = measure(answer, tasks, options.count, blind=not options.no_blind)
    report["settings"] = {"count": options.count, "seconds": round(time.perf_counter() - began, 1)}
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n")
    else:
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
