"""The metrics of lmms-eval and VLMEvalKit, taken from their own files where these lie; nothing of them is kept here.

A file is parsed and only the named functions are run, so neither peer's long list of requirements is needed.
"""

import ast
import contextlib
import copy
import io
import re
import statistics
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Metric = Callable[..., Any]


def take(path: Path, *names: str, **given: Any) -> dict[str, Any]:
    """Run the definitions of `names` (functions, classes, constants, methods) of a file; `given` are its imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    wanted = [node for node in ast.walk(tree) if _name(node) in names]
    for node in wanted:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = []
    space: dict[str, Any] = {"re": re, "np": np, "Counter": Counter, "deque": deque, "statistics": statistics, **given}
    code = ast.Module(body=[ast.parse("from __future__ import annotations").body[0], *wanted], type_ignores=[])
    exec(compile(code, str(path), "exec"), space)
    missing = [name for name in names if name not in space]
    assert not missing, f"{path} has no {missing}"
    return space


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def lmms_eval(root: Path) -> dict[str, Metric]:
    """`root` is the package's folder, the one with `tasks`."""
    tasks = root / "tasks"
    anls = take(root / "api/metrics.py", "anls", "levenshtein_distance")["anls"]
    chart = take(tasks / "chartqa/utils.py", "relaxed_correctness")["relaxed_correctness"]
    vqa = take(
        tasks / "textvqa/utils.py",
        "textvqa_process_results",
        **take(tasks / "_task_utils/vqa_eval_metric.py", "EvalAIAnswerProcessor"),
    )["textvqa_process_results"]
    ocr = take(tasks / "ocrbench/utils.py", "ocrbench_process_results", "_fold_fullwidth_ascii")
    boxes = take(tasks / "refcoco/utils_rec.py", "compute_iou", "compute_center_accuracy")
    times = take(tasks / "charades_sta/utils.py", "iou")["iou"]
    counts = take(
        tasks / "countbench/utils.py",
        *("countbench_process_results", "countbench_doc_to_target", "_normalize_count_answer"),
        "NUMBER_WORD_TO_NUMERAL",
    )["countbench_process_results"]
    letters = take(tasks / "_task_utils/mmmu_mcq_utils.py", "parse_mmmu_multi_choice_response", random=_Never())
    words = take(
        tasks / "cc_ocr/evaluators/ocr_metric.py",
        *("_text_normalize_and_tokenize", "_token_normalize", "_compute_pr_f1", "_match_count"),
        **_typing(),
    )
    fields = take(
        tasks / "cc_ocr/evaluators/kie_metric.py", "_flatten", "_normalize_dict", "_cal_f1_over_samples", **_typing()
    )
    return {
        "anls": lambda said, answers: anls(answers, [said])["anls"],
        "relaxed": lambda said, answers: float(any(chart(said, answer) for answer in answers)),
        "vqa": lambda said, answers: vqa({"answers": list(answers), "question_id": 0}, [said])["exact_match"],
        "contains": lambda said, answers, formula: _lmms_contains(
            ocr["ocrbench_process_results"], said, answers, formula
        ),
        "iou": boxes["compute_iou"],
        "inside": lambda point, box: float(boxes["compute_center_accuracy"](box, (*point, *point))),
        "temporal": times,
        "count": lambda said, count: counts({"number": count}, [said])["acc"],
        "letter": lambda said, letters_: _or_none(letters["parse_mmmu_multi_choice_response"], said, letters_),
        "bag": lambda said, true: _bag(words, "_text_normalize_and_tokenize", said, true),
        "fields": lambda said, true: fields["_cal_f1_over_samples"]({"a": said}, {"a": true}),
        "teds": _teds(tasks / "ocrbench_v2/TEDS_metric.py"),
    }


def vlmevalkit(root: Path) -> dict[str, Metric]:
    """`root` is the package's folder, the one with `dataset`."""
    misc = take(root / "smp/misc.py", "process_punctuation")
    names = ("levenshtein_distance", "anls_compute", "relaxed_correctness", "process_answer", "_process_digit_article")
    short = take(root / "dataset/utils/vqa_eval.py", *names, Optional=Any, **misc)
    ocr = root / "dataset/utils/ocrbench.py"
    matching = take(
        root / "utils/matching_util.py", "can_infer_option", "_VERBOSE_ANSWER_RE", os=__import__("os"), cp=copy
    )
    words = take(
        root / "dataset/utils/ccocr_evaluator/ocr_evaluator.py",
        *("text_normalize_and_tokenize", "token_normalize", "evaluate_single_sample"),
    )
    fields = take(
        root / "dataset/utils/ccocr_evaluator/kie_evaluator.py", "flatten", "normalize_dict", "cal_f1_all", **_typing()
    )
    iou = take(root / "dataset/refcoco.py", "_compute_iou")["_compute_iou"]
    inside = take(root / "dataset/GUI/screenspot.py", "compute_center_accuracy")["compute_center_accuracy"]

    def anls(said: str, answers: list[str]) -> float:
        best = 1 - min(short["anls_compute"](answer, said) for answer in answers)
        return 0.0 if best < 0.5 else best  # the rule of its hit_calculate

    def vqa(said: str, answers: list[str]) -> float:
        true, told = [short["process_answer"](a) for a in answers], short["process_answer"](said)
        others = [[t for j, t in enumerate(true) if j != i] for i in range(len(true))]
        return float(np.mean([min(1, sum(t == told for t in rest) / 3) for rest in others]))

    def f1(said: Any, true: Any) -> float:
        with contextlib.redirect_stdout(io.StringIO()):
            return fields["cal_f1_all"]({"a": said}, {"a": true})[0]

    return {
        "anls": anls,
        "relaxed": lambda said, answers: float(any(short["relaxed_correctness"](a, said.strip()) for a in answers)),
        "vqa": vqa,
        "contains": lambda said, answers, formula: _ocrbench(ocr, said, answers, formula),
        "iou": lambda a, b: iou(np.array(a), np.array(b)),
        "inside": lambda point, box: float(inside(box, (*point, *point))),
        "letter": lambda said, letters: matching["can_infer_option"](said, {c: c for c in letters}) or None,
        "bag": lambda said, true: _bag(words, "text_normalize_and_tokenize", said, true),
        "fields": f1,
        "teds": _teds(root / "dataset/utils/ccocr_evaluator/doc_parsing_evaluator.py"),
        "document": lambda said, true: _document(root, said, true),
    }


class _Guess(Exception):
    """Where a peer would answer at random."""


class _Never:
    def choice(self, *_: Any) -> Any:
        raise _Guess


def _or_none(parse: Metric, said: str, letters: str) -> str | None:
    try:
        return parse(said, list(letters), {c: "?" * 60 + c for c in letters})
    except _Guess:
        return None


def _typing() -> dict[str, Any]:
    import typing

    return {name: getattr(typing, name) for name in ("Any", "Dict", "List", "Union", "Tuple")}


def _lmms_contains(process: Metric, said: str, answers: list[str], formula: bool) -> float:
    row = {"answer": list(answers), "dataset": "HME100k" if formula else "other", "question_type": ""}
    return float(process(row, [said])["ocrbench_accuracy"]["score"])


def _ocrbench(path: Path, said: str, answers: list[str], formula: bool) -> float:
    """Its evaluator takes a file of rows and writes the points: here one row, caught."""
    import pandas as pd

    kind = "Handwritten Mathematical Expression Recognition" if formula else "Doc-oriented VQA"
    caught: dict[str, Any] = {}
    given = {
        "load": lambda _: pd.DataFrame([{"prediction": said, "answer": repr(list(answers)), "category": kind}]),
        "dump": lambda content, _: caught.update(content),
        "get_intermediate_file_path": lambda *_: "",
        "tqdm": lambda items: items,
        "logger": _Quiet(),
    }
    take(path, "OCRBench_eval", **given)["OCRBench_eval"]("")
    return float(caught["Final Score"])


class _Quiet:
    def info(self, *_: Any) -> None:
        pass


def _bag(words: dict[str, Any], tokenize: str, said: str, true: str) -> float:
    """The F1 of one page by a peer's tokens and counts."""
    a, b = (words[tokenize](text.strip(), True, True, False) for text in (said, true))
    if "_compute_pr_f1" in words:
        return words["_compute_pr_f1"](b, a)[2]
    right = words["evaluate_single_sample"](b, a)
    recall, precision = right / (len(b) + 1e-9), right / (len(a) + 1e-9)
    return 2 * recall * precision / (recall + precision + 1e-9)


def _teds(path: Path) -> Metric:
    import apted
    import apted.helpers
    import Levenshtein
    import nltk
    from lxml import etree, html

    given = {"APTED": apted.APTED, "Config": apted.Config, "Tree": apted.helpers.Tree, "etree": etree, "html": html}
    given |= {"nltk": nltk, "Levenshtein": Levenshtein, "distance": _Distance()}
    scorer = take(path, "TableTree", "CustomConfig", "TEDS", **given)["TEDS"]()
    wrap = "<html><body>{}</body></html>".format
    return lambda said, true: scorer.evaluate(wrap(said), wrap(true))


class _Distance:
    """What a peer calls `distance`: its `levenshtein` over any sequences."""

    @staticmethod
    def levenshtein(a: Any, b: Any) -> int:
        import nltk

        return nltk.edit_distance(a, b)


def _document(root: Path, said: str, true: str) -> float:
    import nltk

    path = root / "dataset/utils/ccocr_evaluator/doc_parsing_evaluator.py"
    evaluate = take(path, "eval_doc", "patterns", nltk=nltk, tqdm=lambda items: items)["eval_doc"]
    return evaluate(None, {"a": said}, {"a": true})
