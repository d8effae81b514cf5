"""TempCompass: the same events asked in four forms; the score is the mean over the forms.

Multiple choice, yes or no, caption matching, and captioning (which a judge reads as a multiple choice). Without a
judge captioning is left out of the mean, and the manifest's breakdown shows which forms were scored.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from viewfinder.eval.answer_format import AnswerFormat, yes_no
from viewfinder.eval.judging import ask_judge
from viewfinder.eval.metrics.choices import choice_letter
from viewfinder.eval.question import ModelAnswer, Question, Sight
from viewfinder.eval.source import Files, require
from viewfinder.eval.task import Scored
from viewfinder.messages import ChatModel, VideoPart, user

_ENDINGS = {
    "multi-choice": "\nPlease directly give the best option:",
    "yes_no": "\nPlease answer yes or no:",
    "caption_matching": "\nPlease directly give the best option:",
    "captioning": "",
}
_OPTION = re.compile(r"^(?:([A-D])\.|(Caption [A-D]|Option [12]|Sentence [A-D12]|Caption [12]):)\s*(.*)$", re.MULTILINE)


def questions(files: Files) -> Iterator[Question]:
    for form, ending in _ENDINGS.items():
        for i, row in enumerate(files.rows(f"{form}/test-*.parquet")):
            require(row, "video_id", "question", "answer", "dim")
            tags = {"form": form, "dim": row["dim"], "video": row["video_id"]}
            clip = VideoPart(video=files.media(f"{row['video_id']}.mp4", "videos", "**"))
            asked = row.get("mc_question") or row["question"]
            marks = _OPTION.findall(asked)
            names = [a or b for a, b, _ in marks]
            truth = str(row.get("mc_answer") or row["answer"])
            options = tuple(words for *_, words in marks)
            choices = ("yes", "no") if form == "yes_no" else tuple(names)
            yield Question(f"{form}/{i}", (user(clip, row["question"] + ending),), truth, tags, choices, options)


def _read(answer: ModelAnswer, question: Question) -> str | None:
    """Yes or no; the option's name (`A`, `Caption B`), by name or by its words; captions need a judge."""
    if question.tags["form"] == "captioning":
        return None
    if question.tags["form"] == "yes_no":
        said = yes_no.read(answer, question)
        return said.lower() if said else None
    text = answer.text.strip()
    for name, words in zip(question.choices, question.options, strict=False):
        if len(name) > 1 and (
            text.lower().startswith(name.lower()) or text.strip(". ").lower() == words.strip(". ").lower()
        ):
            return name
    letters = [name[-1] for name in question.choices]
    found = choice_letter(text, "".join(letters)) if letters else None
    return question.choices[letters.index(found)] if found else None


def judged(judge: ChatModel, question: Question, said: str) -> str | None:
    """Captions are read as answers to the multiple-choice question by the judge; the rest by rule."""
    if question.tags["form"] != "captioning":
        from viewfinder.messages import Reply

        return _read(ModelAnswer(Reply(text=said), Sight()), question)
    options = "\n".join(f"{c}. {o}" for c, o in zip(question.choices, question.options, strict=False))
    prompt = "Choose the option that this video description supports; answer with its letter, or Z if none is.\n"
    verdict = ask_judge(judge, f"{prompt}Description: {said}\nOptions:\n{options}\nAnswer:")
    return choice_letter(verdict, "".join(question.choices) + "Z")


def score(prediction: Any, question: Question) -> float:
    if prediction is None:
        return 0.0
    truth = str(question.truth)
    if question.tags["form"] == "yes_no":
        return float(prediction == truth.lower())
    return float(truth == prediction or truth.startswith((f"{prediction}.", f"{prediction}:")))


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """Accuracy of each form and the mean; captioning only where a judge read it."""
    forms: dict[str, list[float]] = {}
    for s in scored:
        forms.setdefault(s.tags["form"], []).append(s.value)
    if all(s.prediction is None for s in scored if s.tags["form"] == "captioning") and len(forms) > 1:
        forms.pop("captioning", None)
    means = {form: 100 * sum(v) / len(v) for form, v in forms.items()}
    return {"score": sum(means.values()) / len(means) if means else 0.0, **means}


def _write(question: Question, sight: Sight) -> str:
    return str(question.truth)


FORM = AnswerFormat("tempcompass/1", _read, _write, lambda q, s, rng: rng.choice(q.choices))
