"""Single-picture multiple choice: MMStar, RealWorldQA, MME-RealWorld, SEED-Bench-2-Plus and AI2D.

Each has its own columns; what they share is a letter as the answer. MMStar and RealWorldQA write the options into
the question itself.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from viewfinder.eval.answer_format import LETTERS, AnswerFormat, letter
from viewfinder.eval.judging import judge_letter
from viewfinder.eval.multiple_choice import LETTER_ONLY, choice_question, choice_text, letter_right
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Task


def mmstar(files: Files) -> Iterator[Question]:
    for row in files.rows("*val*.parquet", "**/val*.parquet"):
        require(row, "index", "question", "image", "answer", "category")
        options = re.findall(
            r"(?:^|[,\n:]\s*)[A-D]: (.*?)(?=,\s*[A-D]: |\Z)", row["question"].split("Options:")[-1].strip(), re.DOTALL
        )
        tags = {"category": row["category"]}
        text = f"{row['question']}\n{LETTER_ONLY}"
        yield choice_question(
            str(row["index"]), [picture(row["image"])], text, options or list("ABCD"), row["answer"], tags
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


def seed2_plus(files: Files) -> Iterator[Question]:
    for row in files.rows("data/test-*.parquet"):
        require(row, "question_id", "question", "image", "choice_A", "choice_B", "choice_C", "choice_D", "answer")
        options = [row[f"choice_{c}"] for c in "ABCD"]
        tags = {"type": row.get("question_image_type") or ""}
        text = choice_text(row["question"], options)
        yield choice_question(str(row["question_id"]), [picture(row["image"])], text, options, row["answer"], tags)


def ai2d(files: Files) -> Iterator[Question]:
    for i, row in enumerate(files.rows("data/test-*.parquet")):
        require(row, "question", "options", "answer", "image")
        text = choice_text(row["question"], row["options"])
        yield choice_question(str(i), [picture(row["image"])], text, row["options"], LETTERS[int(row["answer"])])


_REALWORLD = AnswerFormat(
    "letter-or-word/1",
    lambda a, q: letter.read(a, q) if len(str(q.truth)) == 1 and q.options else a.text.strip(),
    letter.write,
    lambda q, s, rng: rng.choice(q.choices) if q.choices else str(rng.randint(0, 10)),
)

TASKS = (
    Task(
        name="mmstar",
        title="MMStar",
        data=Data("Lin-Chen/MMStar", ("*.parquet",)),
        questions=mmstar,
        form=letter,
        score=letter_right,
        reported={"72B": 70.8, "7B": 63.9, "3B": 55.9},
        judge=judge_letter,
    ),
    Task(
        name="realworldqa",
        title="RealWorldQA",
        data=Data("xai-org/RealworldQA", ("data/test-*.parquet",), "CC-BY-ND-4.0"),
        questions=realworldqa,
        form=_REALWORLD,
        score=_realworld_score,
        reported={"72B": 75.7, "7B": 68.5, "3B": 65.4},
    ),
    Task(
        name="mme_realworld",
        title="MME-RealWorld (English)",
        data=Data("yifanzhang114/MME-RealWorld", ("MME_RealWorld.json", "*.zip")),
        questions=mme_realworld,
        form=letter,
        score=letter_right,
        reported={"72B": 63.2, "7B": 57.4, "3B": 53.1},
        judge=judge_letter,
    ),
    Task(
        name="seedbench2_plus",
        title="SEED-Bench-2-Plus",
        data=Data("doolayer/SEED-Bench-2-Plus", ("data/test-*.parquet",), "CC-BY-NC-4.0"),
        questions=seed2_plus,
        form=letter,
        score=letter_right,
        reported={"72B": 73.0, "7B": 70.4, "3B": 67.6},
        judge=judge_letter,
    ),
    Task(
        name="ai2d",
        title="AI2D (with mask)",
        data=Data("lmms-lab/ai2d", ("data/test-*.parquet",)),
        questions=ai2d,
        form=letter,
        score=letter_right,
        reported={"72B": 88.7, "7B": 83.9, "3B": 81.6},
        judge=judge_letter,
    ),
)
"""Five benchmarks of one picture a question."""
