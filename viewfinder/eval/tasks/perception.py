"""Multiple choice on pictures: MMStar, RealWorldQA, MME-RealWorld, SEED-Bench-2-Plus, AI2D, MuirBench and BLINK.

Each has its own columns; what they share is a letter as the answer. MMStar and RealWorldQA write the options into
the question itself. MuirBench marks places with `<image>` in question and options, and pairs each question with an
unanswerable twin; BLINK's `prompt` column is the whole official prompt, its pictures come first.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, letter
from viewfinder.eval.multiple_choice import (
    LETTER_ONLY,
    ChoiceRows,
    Row,
    choice_question,
    choice_task,
    choice_text,
    from_parts,
    splice,
)
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require


def _options_of_mmstar(row: Row) -> list[str]:
    listed = row["question"].split("Options:")[-1].strip()
    return re.findall(r"(?:^|[,\n:]\s*)[A-D]: (.*?)(?=,\s*[A-D]: |\Z)", listed, re.DOTALL) or list("ABCD")


def _pictures_of_blink(files: Files, row: Row) -> list[Any]:
    return [picture(row[f"image_{i}"]) for i in range(1, 5) if row.get(f"image_{i}")]


_TEST = "data/test-*.parquet"
mmstar = ChoiceRows(
    *("*val*.parquet **/val*.parquet", "index question image category", "{index}", _options_of_mmstar),
    text=lambda row, options: f"{row['question']}\n{LETTER_ONLY}",
    tags={"category": "category"},
)
seed2_plus = ChoiceRows(
    *(_TEST, "question_id question image choice_A choice_B choice_C choice_D", "{question_id}"),
    options=lambda row: [row[f"choice_{c}"] for c in "ABCD"],
    tags={"type": "question_image_type"},
)
ai2d = ChoiceRows(_TEST, "question options image", "{i}")
blink = ChoiceRows(
    *("*/val-*.parquet", "idx sub_task prompt choices image_1", "{idx}", "choices"),
    *(lambda row, options: row["prompt"], _pictures_of_blink),
    tags={"task": "sub_task"},
)


def realworldqa(files: Files) -> Iterator[Question]:
    """Some questions want a word or a number instead of a letter; those are compared without case."""
    for i, row in enumerate(files.rows("data/test-*.parquet")):
        require(row, "image", "question", "answer")
        options = re.findall(r"^[A-E]\. (.*)$", row["question"], re.MULTILINE)
        answer = row["answer"].strip()
        if not options:
            options, answer = ["yes", "no"] if answer.lower() in ("yes", "no") else [], answer
        question = choice_question(str(i), [picture(row["image"])], row["question"], options, answer)
        yield question if len(answer) == 1 else _open(question, answer)


def _open(question: Question, answer: str) -> Question:
    return replace(question, truth=answer.lower(), choices=question.options, options=())


def _realworld_score(prediction: object, question: Question) -> float:
    return float(str(prediction).strip().strip(".").lower() == str(question.truth).lower())


def mme_realworld(files: Files) -> Iterator[Question]:
    ask = (
        "Select the best answer to the above multiple-choice question based on the image. Respond with only the letter "
    )
    ask += "(A, B, C, D, or E) of the correct option.\nThe best answer is:"
    for row in files.rows("MME_RealWorld.json"):
        require(row, "Question_id", "Image", "Text", "Answer choices", "Ground truth", "Subtask", "Task")
        choices = row["Answer choices"]
        text = f"{row['Text']} The choices are listed below:\n" + "\n".join(choices) + f"\n{ask}"
        options = [re.sub(r"^\([A-E]\)\s*", "", c) for c in choices]
        tags = {"task": row["Task"], "subtask": row["Subtask"]}
        media = [files.media(row["Image"], "images", "**")]
        yield choice_question(row["Question_id"], media, text, options, row["Ground truth"], tags)


def muirbench(files: Files) -> Iterator[Question]:
    for row in files.rows("data/test-*.parquet"):
        require(row, "idx", "task", "question", "options", "answer", "image_list")
        text = choice_text(row["question"], row["options"], tail=LETTER_ONLY)
        for i in range(len(row["image_list"])):
            text = text.replace("<image>", f"<image {i + 1}>", 1)
        media = {f"<image {i + 1}>": picture(image) for i, image in enumerate(row["image_list"])}
        tags = {"task": row["task"], "relation": row.get("image_relation") or ""}
        yield from_parts(str(row["idx"]), splice(text, media), row["options"], row["answer"], tags)


_REALWORLD = AnswerFormat(
    "letter-or-word/1",
    lambda a, q: letter.read(a, q) if len(str(q.truth)) == 1 and q.options else a.text.strip(),
    letter.write,
    lambda q, s, rng: rng.choice(q.choices) if q.choices else str(rng.randint(0, 10)),
)

TASKS = (
    choice_task("mmstar", "MMStar", Data("Lin-Chen/MMStar", ("*.parquet",)), mmstar, (70.8, 63.9, 55.9)),
    choice_task(
        "realworldqa",
        "RealWorldQA",
        Data("xai-org/RealworldQA", (_TEST,), "CC-BY-ND-4.0"),
        realworldqa,
        (75.7, 68.5, 65.4),
        form=_REALWORLD,
        score=_realworld_score,
        judge=None,
    ),
    choice_task(
        "mme_realworld",
        "MME-RealWorld (English)",
        Data("yifanzhang114/MME-RealWorld", ("MME_RealWorld.json", "*.zip")),
        mme_realworld,
        (63.2, 57.4, 53.1),
    ),
    choice_task(
        "seedbench2_plus",
        "SEED-Bench-2-Plus",
        Data("doolayer/SEED-Bench-2-Plus", (_TEST,), "CC-BY-NC-4.0"),
        seed2_plus,
        (73.0, 70.4, 67.6),
    ),
    choice_task("ai2d", "AI2D (with mask)", Data("lmms-lab/ai2d", (_TEST,)), ai2d, (88.7, 83.9, 81.6)),
    choice_task(
        "muirbench", "MuirBench", Data("MUIRBENCH/MUIRBENCH", (_TEST,), "CC-BY-4.0"), muirbench, (70.7, 59.6, 47.7)
    ),
    choice_task(
        "blink",
        "BLINK (val)",
        Data("BLINK-Benchmark/BLINK", ("*/val-*.parquet",), "Apache-2.0"),
        blink,
        (64.4, 56.4, 47.6),
    ),
)
