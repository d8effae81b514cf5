"""HumanEval: complete a function so that its tests pass; pass@1.

The model's code runs in `eval.sandbox` (apart from the tests, in limited processes), never here. The answer may be a
fenced block, a whole program, or the function's body.
"""

import re
from collections.abc import Iterator
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, text
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.eval.sandbox import run_tests
from viewfinder.eval.source import Data, Files, require
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.messages import user

ASK = "Complete the following Python function. Answer with the whole function in one code block.\n"
_FENCE = re.compile(r"```(?:python|py)?\s*\n(.*?)(?:```|\Z)", re.DOTALL)


def questions(files: Files) -> Iterator[Question]:
    for row in files.rows("openai_humaneval/test-*.parquet", "HumanEval.jsonl"):
        require(row, "task_id", "prompt", "test", "entry_point", "canonical_solution")
        truth = {k: row[k] for k in ("prompt", "test", "entry_point", "canonical_solution")}
        yield Question(row["task_id"], (user(f"{ASK}```python\n{row['prompt']}```"),), truth)


def _read(answer: ModelAnswer, question: Question) -> str:
    """A program that defines the function: the block that has it, else the prompt continued by the answer."""
    prompt, entry = question.truth["prompt"], question.truth["entry_point"]
    blocks = _FENCE.findall(answer.text) or [answer.text]
    chosen = next((b for b in blocks if f"def {entry}" in b), blocks[0])
    if f"def {entry}" not in chosen:
        return prompt + chosen
    helpers = prompt.split(f"def {entry}")[0]
    return helpers + "\n" + chosen


def score(prediction: Any, question: Question) -> float:
    if not prediction:
        return 0.0
    truth = question.truth
    entry = truth["entry_point"]
    # some tests call what the prompt defines before the function
    tests = f"{truth['prompt'].split(f'def {entry}')[0]}\n{truth['test']}\ncheck({entry})\n"
    return float(run_tests(prediction, tests, entry).passed)


def _write(question: Question, sight: Sight) -> str:
    return f"```python\n{question.truth['prompt']}{question.truth['canonical_solution']}```"


TASKS = (
    Task(
        name="humaneval",
        title="HumanEval (pass@1)",
        data=Data("openai/openai_humaneval", ("openai_humaneval/test-*.parquet",), "MIT"),
        questions=questions,
        form=AnswerFormat("function/1", _read, _write, text.guess),
        score=score,
        settings=MediaSettings(),
        reported={"72B": 87.8},
        note="code runs in a limited process of its own",
        max_new_tokens=1024,
        family="text",
    ),
)
"""One benchmark."""
