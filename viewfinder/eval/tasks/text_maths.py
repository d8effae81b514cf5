"""GSM8K and MATH: word problems and competition problems, zero-shot with a boxed answer.

Equality is Hendrycks' (`metrics.maths`). The report gives no prompt; this is the one of Qwen2.5's mathematics
evaluation.
"""

from collections.abc import Iterator

from viewfinder.eval.answer_format import AnswerFormat
from viewfinder.eval.metrics.maths import boxed, final_value, maths_equal
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, require
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.messages import user

ASK = "Please reason step by step, and put your final answer within \\boxed{}."


def gsm8k(files: Files) -> Iterator[Question]:
    for i, row in enumerate(files.rows("main/test-*.parquet")):
        require(row, "question", "answer")
        truth = row["answer"].split("####")[-1].strip().replace(",", "")
        yield Question(str(i), (user(f"{row['question']}\n{ASK}"),), truth)


def math(files: Files) -> Iterator[Question]:
    for i, row in enumerate(files.rows("test.jsonl", "test/**/*.json", "data/test-*.parquet")):
        require(row, "problem", "solution")
        truth = str(row.get("answer") or boxed(row["solution"]) or "")
        tags = {"level": str(row.get("level", "")), "subject": str(row.get("subject") or row.get("type") or "")}
        yield Question(str(row.get("unique_id", i)), (user(f"{row['problem']}\n{ASK}"),), truth, tags)


FORM = AnswerFormat(
    "final-value/1",
    lambda answer, q: final_value(answer.text),
    lambda q, s: f"So the result is \\boxed{{{q.truth}}}.",
    lambda q, s, rng: f"\\boxed{{{rng.randint(0, 1000)}}}",
)


def score(prediction: str | None, question: Question) -> float:
    return float(prediction is not None and maths_equal(prediction, question.truth))


TASKS = (
    Task(
        name="gsm8k",
        title="GSM8K",
        data=Data("openai/gsm8k", ("main/test-*.parquet",), "MIT"),
        questions=gsm8k,
        form=FORM,
        score=score,
        settings=MediaSettings(),
        reported={"72B": 95.3},
        max_new_tokens=1024,
        family="text",
    ),
    Task(
        name="math",
        title="MATH",
        data=Data("HuggingFaceH4/MATH-500", ("test.jsonl",), "MIT"),
        questions=math,
        form=FORM,
        score=score,
        settings=MediaSettings(),
        reported={"72B": 83.0},
        note="the hub set is the 500 of PRM800K; with --data the 5,000 of the original folder are read",
        max_new_tokens=2048,
        family="text",
    ),
)
"""Two benchmarks."""
