"""HumanEval: complete a function so that its tests pass; pass@1.

The model's code runs in `eval.sandbox` (apart from the tests, in limited processes), never here. The answer may be a
fenced block, a whole program, or the function's body.
"""

import re
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, text
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.eval.rows import Row
from viewfinder.eval.sandbox import run_tests

ASK = (
    "Complete the following Python function. Answer with the whole function in one code block.\n```python\n{prompt}```"
)
"""As a format of the columns."""
_FENCE = re.compile(r"```(?:python|py)?\s*\n(.*?)(?:```|\Z)", re.DOTALL)


def truth_of(row: Row) -> dict[str, Any]:
    return {k: row[k] for k in ("prompt", "test", "entry_point", "canonical_solution")}


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


FORM = AnswerFormat("function/1", _read, _write, text.guess)
