"""VCR (Wikipedia, English, hard): restore text that is covered but for thin strips; exact match of each n-gram.

The best-matching stretch of the answer must equal the covered text. Words are split at white space and punctuation;
the authors use spaCy, which differs on contractions and hyphens.
"""

from collections.abc import Iterator, Sequence

from viewfinder.eval.answer_format import AnswerFormat, text
from viewfinder.eval.metrics.covered import best_match
from viewfinder.eval.question import Question
from viewfinder.eval.source import Data, Files, picture, require
from viewfinder.eval.task import Scored, Task
from viewfinder.messages import ImagePart, user

ASK = "What is the covered texts in the image? Please restore the covered texts without outputting the explanations."


def questions(files: Files) -> Iterator[Question]:
    for row in files.rows("data/test-*.parquet"):
        require(row, "question_id", "stacked_image", "crossed_text")
        messages = (user(ImagePart(image=picture(row["stacked_image"])), ASK),)
        yield Question(str(row["question_id"]), messages, list(row["crossed_text"]))


def score(prediction: str | None, question: Question) -> float:
    """Share of the picture's covered texts that are restored exactly."""
    matches = [best_match(covered, prediction or "") for covered in question.truth]
    return sum(m.exact for m in matches) / len(matches) if matches else 0.0


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """Exact match and mean Jaccard over all covered texts, percent."""
    matches = [best_match(covered, s.prediction or "") for s in scored for covered in s.truth]
    if not matches:
        return {"score": 0.0}
    exact = sum(m.exact for m in matches) / len(matches)
    return {"score": 100 * exact, "jaccard": 100 * sum(m.jaccard for m in matches) / len(matches)}


TASKS = (
    Task(
        name="vcr_en_hard",
        title="VCR Wiki, English, hard (exact match)",
        data=Data("vcr-org/VCR-wiki-en-hard-test", ("data/test-*.parquet",), "CC-BY-SA-4.0"),
        questions=questions,
        form=AnswerFormat("text/1", text.read, lambda q, s: "\n".join(q.truth), text.guess),
        score=score,
        total=total,
        reported={"72B": 79.8, "7B": 80.5, "3B": 37.5},
        note="words are split at white space and punctuation, the authors use spaCy",
    ),
)
"""One benchmark."""
