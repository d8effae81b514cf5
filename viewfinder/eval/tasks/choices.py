"""Multiple choice that needs more than a row of the table: MMBench, MMStar, RealWorldQA, MuirBench, BLINK and MMLU-Pro.

MMBench asks each question once for every rotation of its options (`CircularEval`, as VLMEvalKit rotates) and refers to
another row's picture by its index. MMStar and RealWorldQA write the options into the question itself. MuirBench marks
places with `<image>` in question and options. MMLU-Pro has ten options and five worked examples of the same subject,
from the validation split, before each question.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from viewfinder.eval.answer_format import LETTERS, AnswerFormat, letter
from viewfinder.eval.multiple_choice import LETTER_ONLY, choice_question, choice_text, from_parts, splice
from viewfinder.eval.question import ModelAnswer, Question
from viewfinder.eval.rows import Row
from viewfinder.eval.source import Files, picture, require
from viewfinder.messages import user


def mmbench(files: Files, pattern: str, tail: str) -> Iterator[Question]:
    """Every rotation of every question; `tail` asks to select, in the language of the set."""
    shared: dict[str, str] = {}
    for row in files.rows(pattern):
        require(row, "index", "question", "image", "A", "B", "answer", "category")
        image = row["image"] if len(row["image"]) > 64 else shared[row["image"]]
        shared[row["index"]] = image
        options = [row[c] for c in "ABCD" if row.get(c) not in (None, "", "nan")]
        hint = row.get("hint") if row.get("hint") not in (None, "nan") else ""
        right = LETTERS.index(row["answer"])
        for shift in range(len(options)):
            rotated = options[shift:] + options[:shift]
            yield choice_question(
                f"{row['index']}+{shift}",
                [picture(image)],
                choice_text(row["question"], rotated, hint or "", tail),
                rotated,
                LETTERS[(right - shift) % len(options)],
                {"row": row["index"], "category": row["category"], "ability": row.get("l2-category") or ""},
            )


def options_of_mmstar(row: Row) -> list[str]:
    listed = row["question"].split("Options:")[-1].strip()
    return re.findall(r"(?:^|[,\n:]\s*)[A-D]: (.*?)(?=,\s*[A-D]: |\Z)", listed, re.DOTALL) or list("ABCD")


def pictures_of_blink(files: Files, row: Row) -> list[Any]:
    return [picture(row[f"image_{i}"]) for i in range(1, 5) if row.get(f"image_{i}")]


def mme_realworld(files: Files) -> Iterator[Question]:
    ask = "Select the best answer to the above multiple-choice question based on the image. Respond with only the "
    ask += "letter (A, B, C, D, or E) of the correct option.\nThe best answer is:"
    for row in files.rows("MME_RealWorld.json"):
        require(row, "Question_id", "Image", "Text", "Answer choices", "Ground truth", "Subtask", "Task")
        choices = row["Answer choices"]
        text = f"{row['Text']} The choices are listed below:\n" + "\n".join(choices) + f"\n{ask}"
        options = [re.sub(r"^\([A-E]\)\s*", "", c) for c in choices]
        tags = {"task": row["Task"], "subtask": row["Subtask"]}
        media = [files.media(row["Image"], "images", "**")]
        yield choice_question(row["Question_id"], media, text, options, row["Ground truth"], tags)


def realworldqa(files: Files) -> Iterator[Question]:
    """Some questions want a word or a number instead of a letter; those are compared without case."""
    for i, row in enumerate(files.rows("data/test-*.parquet")):
        require(row, "image", "question", "answer")
        options = re.findall(r"^[A-E]\. (.*)$", row["question"], re.MULTILINE)
        answer = row["answer"].strip()
        if not options and answer.lower() in ("yes", "no"):
            options = ["yes", "no"]
        question = choice_question(str(i), [picture(row["image"])], row["question"], options, answer)
        if len(answer) > 1:
            question = replace(question, truth=answer.lower(), choices=question.options, options=())
        yield question


LETTER_OR_WORD = AnswerFormat(
    "letter-or-word/1",
    lambda a, q: letter.read(a, q) if len(str(q.truth)) == 1 and q.options else a.text.strip(),
    letter.write,
    lambda q, s, rng: rng.choice(q.choices) if q.choices else str(rng.randint(0, 10)),
)


def letter_or_word_right(prediction: object, question: Question) -> float:
    return float(str(prediction).strip().strip(".").lower() == str(question.truth).lower())


def muirbench(files: Files) -> Iterator[Question]:
    for row in files.rows("data/test-*.parquet"):
        require(row, "idx", "task", "question", "options", "answer", "image_list")
        text = choice_text(row["question"], row["options"], tail=LETTER_ONLY)
        for i in range(len(row["image_list"])):
            text = text.replace("<image>", f"<image {i + 1}>", 1)
        media = {f"<image {i + 1}>": picture(image) for i, image in enumerate(row["image_list"])}
        tags = {"task": row["task"], "relation": row.get("image_relation") or ""}
        yield from_parts(str(row["idx"]), splice(text, media), row["options"], row["answer"], tags)


def mmlu_pro(files: Files) -> Iterator[Question]:
    examples: dict[str, list[str]] = {}
    for row in files.rows("data/validation-*.parquet"):
        thought = row["cot_content"].removeprefix("A: ")
        examples.setdefault(row["category"], []).append(f"{_shown(row)}\nAnswer: {thought}")
    for row in files.rows("data/test-*.parquet"):
        require(row, "question_id", "question", "options", "answer", "category")
        head = f"The following are multiple choice questions (with answers) about {row['category']}. Think step by "
        head += 'step and then output the answer in the format of "The answer is (X)" at the end.\n\n'
        shots = "\n\n".join(examples.get(row["category"], [])[:5])
        text = f"{head}{shots}\n\n{_shown(row)}\nAnswer: Let's think step by step."
        letters = tuple(LETTERS[: len(row["options"])])
        tags = {"category": row["category"]}
        yield Question(str(row["question_id"]), (user(text),), row["answer"], tags, letters, tuple(row["options"]))


def _shown(row: Row) -> str:
    options = "".join(f"({c}) {o} " for c, o in zip(LETTERS, row["options"], strict=False))
    return f"Question: {row['question']}\nOptions: {options}"


def _read_stated(answer: ModelAnswer, question: Question) -> str | None:
    stated = re.findall(r"answer is:?\s*\**\(?([A-J])\)?", answer.text)
    return stated[-1] if stated else letter.read(answer, question)


LAST_STATED = AnswerFormat(
    "last-stated-letter/1", _read_stated, lambda q, s: f"The answer is ({q.truth}).", letter.guess
)
"""The last "the answer is (X)", after a chain of thought."""
