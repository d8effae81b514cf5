"""The report's benchmarks on pictures, one row each.

A row names the report's numbers (72B, 7B, 3B), where the official data are and under which license, how their rows
become questions, how an answer is read, and how it is scored. What needs more than a row stands in the file that the
row names. Settings and judges are those of the benchmark's authors, or of the model's published evaluation.
"""

from functools import partial
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, box, boxes, number, points, text, yes_no
from viewfinder.eval.judging import judge_letter, judge_value
from viewfinder.eval.metrics import anls, contains_answer, relaxed_accuracy, vqa_score
from viewfinder.eval.multiple_choice import LETTER_ONLY, SELECT, SELECT_CN, choice_benchmark, choice_rows
from viewfinder.eval.question import Question
from viewfinder.eval.rows import Rows, benchmark
from viewfinder.eval.scores import circular, equal, hallusion, mean_over, overlaps, thousand
from viewfinder.eval.task import VLMEVALKIT
from viewfinder.eval.tasks import (
    cc_ocr,
    charxiv,
    choices,
    maths,
    mmmu,
    ocrbench_v2,
    odinw,
    omnidocbench,
    pointing,
    refcoco,
    vcr,
)

_TEST, _VALIDATION = "data/test-*.parquet", "data/validation-*.parquet"
_CHARXIV = "val*.parquet **/val*.parquet"
_SHORT = "{question}\nPlease try to answer the question with short words or phrases if possible."
_ON_SERVER = "the report is on the test split, whose answers are on the organisers' server; this is the {} split"


def _anls(said: str | None, question: Question) -> float:
    return anls(said or "", question.truth)


def _kind_of_docvqa(row: dict[str, Any]) -> str:
    kinds = row.get("question_types") or row.get("answer_type") or []
    return kinds[0] if kinds else ""


def _docvqa(folder: str) -> Rows:
    columns = "questionId question image answers"
    tags = {"type": _kind_of_docvqa}
    return Rows(f"{folder}/validation-*.parquet", columns, _SHORT, "answers", "{questionId}", tags=tags)


# fmt: off
_words = partial(benchmark, form=text, max_new_tokens=128)
_refcoco = partial(
    benchmark, license="", form=box, score=overlaps, cluster="object", max_new_tokens=128)

PICTURES = (
    benchmark(
        "mmmu", "MMMU (validation)", (70.2, 58.6, 53.1), "MMMU/MMMU", "*/validation-*.parquet", "Apache-2.0",
        mmmu.mmmu_questions, mmmu.FORM, mmmu.score, settings=mmmu.SETTINGS, max_new_tokens=2048,
        judge=lambda judge, q, said: judge_letter(judge, q, said) if q.choices else said.strip()),
    benchmark(
        "mmmu_pro", "MMMU-Pro (overall)", (51.1, 38.3, 31.56), "MMMU/MMMU_Pro",
        ("standard (10 options)/*.parquet", "vision/*.parquet"), "Apache-2.0", mmmu.pro_questions, mmmu.FORM,
        mmmu.score, total=mean_over("set"), settings=mmmu.SETTINGS, judge=judge_letter, max_new_tokens=2048),
    benchmark(
        "mathvista", "MathVista (testmini)", (74.8, 68.2, 62.3), "AI4Math/MathVista", "", "CC-BY-SA-4.0",
        Rows("data/testmini-*.parquet",
             "pid query decoded_image choices answer question_type answer_type precision",
             "{query}", maths.mathvista_truth, "{pid}", "decoded_image", "choices",
             tags={"type": "{question_type}", "task": lambda row: str((row.get("metadata") or {}).get("task", ""))}),
        maths.MATHVISTA, maths.mathvista_score, max_new_tokens=1024,
        judge=lambda judge, q, said: maths.mathvista_value(judge_value(judge, q, said), q),
        note="the authors extract the value with a judge; without --judge it is extracted by rule"),
    benchmark(
        "mathvision", "MATH-Vision (full test)", (38.1, 25.1, 21.2), "MathLLMs/MathVision", "", "MIT",
        Rows(_TEST, "id question options decoded_image answer level subject", maths.mathvision_text,
             lambda row: str(row["answer"]), "{id}", "decoded_image", "options",
             tags={"subject": "{subject}", "level": "{level}"}),
        maths.MATHVISION, maths.mathvision_score, judge=judge_value, max_new_tokens=2048),
    *(choice_benchmark(
        name, title, reported, "opencompass/MMBench", file, "Apache-2.0",
        partial(choices.mmbench, pattern=file, tail=tail), total=circular, cluster="row", note=_ON_SERVER.format("dev"))
      for name, title, reported, file, tail in (
        ("mmbench_en", "MMBench-EN", (88.6, 83.5, 79.1), "MMBench_DEV_EN.tsv", SELECT),
        ("mmbench_cn", "MMBench-CN", (87.9, 83.4, 78.1), "MMBench_DEV_CN.tsv", SELECT_CN),
        ("mmbench_v11_en", "MMBench-V1.1-EN", (88.4, 82.6, 77.4), "MMBench_DEV_EN_V11.tsv", SELECT))),
    choice_benchmark(
        "mmstar", "MMStar", (70.8, 63.9, 55.9), "Lin-Chen/MMStar", "*.parquet", "",
        choice_rows("*val*.parquet **/val*.parquet", "index question image category answer",
                    ask=f"{{question}}\n{LETTER_ONLY}", id="{index}", options=choices.options_of_mmstar,
                    tags={"category": "category"})),
    benchmark(
        "realworldqa", "RealWorldQA", (75.7, 68.5, 65.4), "xai-org/RealworldQA", _TEST, "CC-BY-ND-4.0",
        choices.realworldqa, choices.LETTER_OR_WORD, choices.letter_or_word_right),
    choice_benchmark(
        "mme_realworld", "MME-RealWorld (English)", (63.2, 57.4, 53.1), "yifanzhang114/MME-RealWorld",
        "MME_RealWorld.json *.zip", "", choices.mme_realworld),
    choice_benchmark(
        "seedbench2_plus", "SEED-Bench-2-Plus", (73.0, 70.4, 67.6), "doolayer/SEED-Bench-2-Plus", "", "CC-BY-NC-4.0",
        choice_rows(_TEST, "question_id question image choice_A choice_B choice_C choice_D answer", id="{question_id}",
                    options=lambda row: [row[f"choice_{c}"] for c in "ABCD"], tags={"type": "question_image_type"})),
    choice_benchmark(
        "ai2d", "AI2D (with mask)", (88.7, 83.9, 81.6), "lmms-lab/ai2d", "", "",
        choice_rows(_TEST, "question options image answer")),
    choice_benchmark(
        "muirbench", "MuirBench", (70.7, 59.6, 47.7), "MUIRBENCH/MUIRBENCH", _TEST, "CC-BY-4.0", choices.muirbench),
    choice_benchmark(
        "blink", "BLINK (val)", (64.4, 56.4, 47.6), "BLINK-Benchmark/BLINK", "", "Apache-2.0",
        choice_rows("*/val-*.parquet", "idx sub_task prompt choices image_1 answer", ask="{prompt}", id="{idx}",
                    media=choices.pictures_of_blink, options="choices", tags={"task": "sub_task"})),
    benchmark(
        "hallusionbench", "HallusionBench (mean of aAcc, fAcc, qAcc)", (55.2, 52.9, 46.3), "lmms-lab/HallusionBench",
        "", "BSD-3-Clause",
        Rows("data/image-*.parquet",
             "category subcategory set_id figure_id question_id question gt_answer image",
             "{question} Please answer yes or no.", lambda row: "Yes" if str(row["gt_answer"]) == "1" else "No",
             "{category}_{subcategory}_{set_id}_{figure_id}_{question_id}", choices=("Yes", "No"),
             tags={"category": "{category}", "family": "{subcategory}_{set_id}",
                   "figure": "{subcategory}_{set_id}_{figure_id}", "asked": "{subcategory}_{set_id}_{question_id}"}),
        yes_no, equal, total=hallusion, cluster="family"),
)
"""Exams, mathematics and multiple choice."""

READING = (
    _words(
        "textvqa", "TextVQA (val)", (83.5, 84.9, 79.3), "lmms-lab/textvqa", "", "CC-BY-4.0",
        Rows(_VALIDATION, "question_id question image answers", _SHORT, "answers", "{question_id}"),
        score=lambda said, q: vqa_score(said or "", q.truth)),
    _words("docvqa", "DocVQA", (96.4, 95.7, 93.9), "lmms-lab/DocVQA", "", "", _docvqa("DocVQA"), score=_anls,
           note=_ON_SERVER.format("validation")),
    _words("infovqa", "InfoVQA", (87.3, 82.6, 77.1), "lmms-lab/DocVQA", "", "", _docvqa("InfographicVQA"), score=_anls,
           note=_ON_SERVER.format("validation")),
    _words(
        "chartqa", "ChartQA (test, mean of both halves)", (89.5, 87.3, 84.0), "lmms-lab/ChartQA", "", "GPL-3.0",
        Rows(_TEST, "type question answer image", _SHORT, lambda row: [row["answer"]], tags={"split": "{type}"}),
        score=lambda said, q: relaxed_accuracy((said or "").rstrip("."), q.truth), total=mean_over("split")),
    benchmark(
        "charxiv_rq", "CharXiv reasoning questions", (49.7, 42.5, 31.3), "princeton-nlp/CharXiv", _CHARXIV,
        "CC-BY-SA-4.0",
        Rows(_CHARXIV, "image reasoning_q reasoning_a original_id", charxiv.REASONING,
             lambda row: str(row["reasoning_a"]), "{original_id}", tags={"type": "reasoning_a_type"}),
        text, charxiv.score, judge=charxiv.judged, note=charxiv.NOTE),
    benchmark(
        "charxiv_dq", "CharXiv descriptive questions", (87.4, 73.9, 58.6), "princeton-nlp/CharXiv", _CHARXIV,
        "CC-BY-SA-4.0", charxiv.descriptive, text, charxiv.score, judge=charxiv.judged, cluster="figure",
        note=charxiv.NOTE),
    benchmark(
        "ocrbench", "OCRBench (points of 1000)", (885, 864, 797), "echo840/OCRBench", "", "",
        Rows(_TEST, "dataset question question_type answer image", "{question}",
             lambda row: row["answer"] if isinstance(row["answer"], list) else [row["answer"]],
             tags={"type": "{question_type}", "dataset": "{dataset}"}),
        text, lambda said, q: contains_answer(said or "", q.truth, formula=q.tags["dataset"] == "HME100k"),
        total=thousand, settings=VLMEVALKIT.with_(min_pixels=100 * 28**2), max_new_tokens=256),
    benchmark(
        "ocrbench_v2", "OCRBench v2 (English; `cn` in the scores)", (61.5, 56.3, 54.3), "ling99/OCRBench_v2", "", "",
        Rows(_TEST, "id type question answers image", "{question}", ocrbench_v2.truth_of, "{id}",
             tags={"type": "{type}", "question": lambda row: row["question"][:200]}),
        ocrbench_v2.FORM, ocrbench_v2.score, total=ocrbench_v2.total, max_new_tokens=2048,
        note="METEOR without WordNet, Chinese by characters instead of jieba words, documents and charts by edit "
        "similarity instead of a tree of Markdown: these kinds differ by a few points from the authors' code; the "
        "report's Chinese numbers are 63.7 / 57.2 / 52.1"),
    benchmark(
        "cc_ocr", "CC-OCR (mean of four tracks)", (79.8, 77.8, 74.5), "wulipc/CC-OCR",
        [f"{track}/**/*.tsv" for track in cc_ocr.TRACKS], "MIT", cc_ocr.questions, text, cc_ocr.score,
        total=cc_ocr.total, max_new_tokens=4096),
    benchmark(
        "vcr_en_hard", "VCR Wiki, English, hard (exact match)", (79.8, 80.5, 37.5), "vcr-org/VCR-wiki-en-hard-test", "",
        "CC-BY-SA-4.0",
        Rows(_TEST, "question_id stacked_image crossed_text",
             "What is the covered texts in the image? Please restore the covered texts without outputting the "
             "explanations.", "crossed_text", "{question_id}", "stacked_image"),
        AnswerFormat("text/1", text.read, lambda q, s: "\n".join(q.truth), text.guess), vcr.score, total=vcr.total,
        note="words are split at white space and punctuation, the authors use spaCy"),
    benchmark(
        "omnidocbench", "OmniDocBench (edit distance, English; `zh overall` in the scores)", (0.226, 0.308, 0.409),
        "opendatalab/OmniDocBench", "OmniDocBench.json images/*", "", omnidocbench.questions, omnidocbench.FORM,
        omnidocbench.score, total=omnidocbench.total, max_new_tokens=8192, better="lower",
        note="elements are matched one to one, without the authors' splitting and joining of paragraphs; the report's "
        "Chinese numbers are 0.324 / 0.398 / 0.543"),
)
"""Short answers and whole pages of text."""

PLACES = (
    *(_refcoco(
        f"{title.lower()}_{split.lower()}", f"{title} {split}", reported, repo, f"data/{split}-*.parquet",
        questions=partial(refcoco.questions, split=split))
      for title, repo, split, reported in (
        ("RefCOCO", "lmms-lab/RefCOCO", "val", (92.7, 90.0, 89.1)),
        ("RefCOCO", "lmms-lab/RefCOCO", "testA", (94.6, 92.5, 91.7)),
        ("RefCOCO", "lmms-lab/RefCOCO", "testB", (89.7, 85.4, 84.0)),
        ("RefCOCO+", "lmms-lab/RefCOCOplus", "val", (88.9, 84.2, 82.4)),
        ("RefCOCO+", "lmms-lab/RefCOCOplus", "testA", (92.2, 89.1, 88.0)),
        ("RefCOCO+", "lmms-lab/RefCOCOplus", "testB", (83.7, 76.9, 74.1)),
        ("RefCOCOg", "lmms-lab/RefCOCOg", "val", (89.9, 87.2, 85.2)),
        ("RefCOCOg", "lmms-lab/RefCOCOg", "test", (90.3, 87.2, 85.7)))),
    benchmark(
        "odinw13", "ODinW-13 (mAP)", (43.1, 37.3, 37.5), "GLIPModel/GLIP", "odinw/**", "", odinw.questions, boxes,
        odinw.score, total=odinw.total, cluster="image", max_new_tokens=2048,
        note="sets that are not in the folder are left out of the mean"),
    benchmark(
        "pixmo_points", "Pointing (PixMo-Points, F1 inside masks)", (), "allenai/pixmo-points-eval", _TEST,
        "ODC-BY-1.0", pointing.questions, points, pointing.score,
        note="the report's PointGrounding set (67.5 / 67.3 / 58.3) is not published; this is another set of its kind"),
    benchmark(
        "countbench", "CountBench", (93.6,), "vikhyatk/CountBenchQA", "", "",
        Rows(_TEST, "image number question",
             "{question} Please first output bbox coordinates and names of every item in JSON format, and then answer "
             "the question.", lambda row: int(row["number"]), tags={"number": "{number}"}),
        number, equal, max_new_tokens=1024),
)
"""Boxes, points and counts."""
# fmt: on
