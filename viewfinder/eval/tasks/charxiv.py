"""CharXiv (validation): reasoning and descriptive questions on charts of papers.

The authors grade with GPT-4o; with a judge given this does the same, without one an answer counts where it equals
the truth, numbers by value. The nineteen descriptive questions are the authors'; their answer instructions are
shortened here, so descriptive scores are not to the point comparable (`note`).
"""

from collections.abc import Iterator
from typing import Any

from viewfinder.eval.judging import judge_right
from viewfinder.eval.metrics.maths import maths_equal
from viewfinder.eval.question import Question
from viewfinder.eval.source import Files, picture, require
from viewfinder.messages import ChatModel, ImagePart, user

_WRITTEN = "Answer with what is explicitly written; if there is none, answer 'Not Applicable'."
_TICK = "Answer with the tick value that is explicitly written, at the bottom or left axis, without units."
_COUNT = "Answer with the number; if it does not apply, answer 'Not Applicable'."
REASONING = (
    "{reasoning_q}\nGive the final answer, grounded in what is written in the chart, in as few words as the question "
    "allows."
)
"""As a format of the columns."""
NOTE = "the authors grade with GPT-4o and give longer answer instructions; without --judge equality is required"
DESCRIPTIVE = {
    1: f"what is its title? {_WRITTEN}",
    2: f"what is the label of the x-axis? {_WRITTEN}",
    3: f"what is the label of the y-axis? {_WRITTEN}",
    4: f"what is the leftmost labeled tick on the x-axis? {_TICK}",
    5: f"what is the rightmost labeled tick on the x-axis? {_TICK}",
    6: f"what is the spatially lowest labeled tick on the y-axis? {_TICK}",
    7: f"what is the spatially highest labeled tick on the y-axis? {_TICK}",
    8: f"what is difference between consecutive numerical tick values on the x-axis? {_COUNT}",
    9: f"what is difference between consecutive numerical tick values on the y-axis? {_COUNT}",
    10: f"how many lines are there? {_COUNT}",
    11: "do any lines intersect? Answer 'Yes' or 'No'; if there are no lines, answer 'Not Applicable'.",
    12: f"how many discrete labels are there in the legend? {_COUNT}",
    13: f"what are the names of the labels in the legend? From top to bottom, parted by commas. {_WRITTEN}",
    14: "what is the difference between the maximum and minimum values of the tick labels on the continuous legend "
    f"(i.e., colorbar)? {_COUNT}",
    15: f"what is the maximum value of the tick labels on the continuous legend (i.e., colorbar)? {_COUNT}",
    16: "what is the general trend of data from left to right? Answer in a few words, such as 'increases'.",
    17: f"What is the total number of explicitly labeled ticks across all axes? {_COUNT}",
    18: "What is the layout of the subplots? Answer in the form 'n by m', rows by columns; '1 by 1' for one plot.",
    19: "What is the number of subplots? Answer with the number.",
}


def _subplot(row: dict[str, Any], number: int) -> str:
    """Which plot of the figure is meant, as the authors phrase it."""
    if number in (18, 19):
        return ""
    place = row.get("subplot_loc")
    if place:
        return f"For {place}, "
    if row["subplot_row"] == 0:
        return "For the current plot, "
    return f"For the subplot at row {row['subplot_row']} and column {row['subplot_col']}, "


def descriptive(files: Files) -> Iterator[Question]:
    for row in files.rows("val*.parquet", "**/val*.parquet"):
        require(row, "image", "original_id", "descriptive_q1", "descriptive_a1", "subplot_row")
        for i in range(1, 5):
            number = int(row[f"descriptive_q{i}"])
            messages = (user(ImagePart(image=picture(row["image"])), _subplot(row, number) + DESCRIPTIVE[number]),)
            tags = {"template": f"{number:02}", "figure": str(row["original_id"])}
            yield Question(f"{row['original_id']}/{i}", messages, str(row[f"descriptive_a{i}"]), tags)


def score(prediction: str | None, question: Question) -> float:
    """A judge's "1"; without a judge equality, of numbers by value."""
    said = (prediction or "").strip().rstrip(".")
    truth = str(question.truth).strip()
    return float(said.lower() == truth.lower() or maths_equal(said, truth))


def judged(judge: ChatModel, question: Question, said: str) -> str:
    """The truth itself where the judge finds the answer right, so that one score serves both ways."""
    return str(question.truth) if judge_right(judge, question, said) == "1" else "\x00"
