"""How the outcomes of a benchmark's questions add up to its numbers, where that is not their mean."""

from collections.abc import Sequence

from viewfinder.eval.task import Scored, Total


def by_tag(scored: Sequence[Scored], tag: str) -> dict[str, list[float]]:
    """The values of each value of a tag, in order of first occurrence."""
    groups: dict[str, list[float]] = {}
    for s in scored:
        groups.setdefault(s.tags[tag], []).append(s.value)
    return groups


def mean(values: Sequence[float]) -> float:
    """0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def mean_over(tag: str, shown: bool = True) -> Total:
    """The mean of the accuracies of a tag's values, whatever their sizes, percent; with each of them where `shown`."""

    def total(scored: Sequence[Scored]) -> dict[str, float]:
        means = {name: 100 * mean(values) for name, values in by_tag(scored, tag).items()}
        return {"score": mean(list(means.values())), **(dict(sorted(means.items())) if shown else {})}

    return total


def all_right(scored: Sequence[Scored], tag: str) -> float:
    """The share of a tag's values whose every question is right, percent."""
    return 100 * mean([min(values) for values in by_tag(scored, tag).values()])


def circular(scored: Sequence[Scored]) -> dict[str, float]:
    """MMBench: questions right in all rotations of their options, and plain accuracy over all requests, percent."""
    return {"score": all_right(scored, "row"), "vanilla": 100 * mean([s.value for s in scored])}


def hallusion(scored: Sequence[Scored]) -> dict[str, float]:
    """HallusionBench: accuracy of answers, of figures, of questions asked of several figures, and their mean, percent.

    As VLMEvalKit's `Hallusion_rating` groups them.
    """
    if not scored:
        return {"score": 0.0}
    answers = 100 * mean([s.value for s in scored])
    figures, asked = all_right(scored, "figure"), all_right(scored, "asked")
    return {"score": (answers + figures + asked) / 3, "aAcc": answers, "fAcc": figures, "qAcc": asked}


def thousand(scored: Sequence[Scored]) -> dict[str, float]:
    """OCRBench: points of a thousand; of another number of questions, as many per thousand."""
    right = sum(s.value for s in scored)
    return {"score": 1000 * right / len(scored) if scored else 0.0, "right": right}
