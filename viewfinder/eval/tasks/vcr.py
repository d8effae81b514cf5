"""VCR (Wikipedia): restore text that is covered but for thin strips; exact match of each n-gram.

The best-matching stretch of the answer must equal the covered text. Words are split at white space and punctuation;
the authors use spaCy, which differs on contractions and hyphens.
"""

from collections.abc import Sequence

from viewfinder.eval.metrics.answers import best_match
from viewfinder.eval.question import Question
from viewfinder.eval.task import Scored


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
