"""A task of a few pictures and models whose answers a test decides, for tests of what runs tasks."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.eval.making import png
from viewfinder.eval.answer_format import box, text
from viewfinder.eval.question import Question
from viewfinder.eval.source import Files
from viewfinder.eval.task import MediaSettings, Task
from viewfinder.messages import ImagePart, Message, Reply, Usage, user

NOWHERE = Files(Path("nowhere"), "generated")


def words_task(pictures: int = 6, **changes: Any) -> Task:
    """`pictures` of a word each; right is 1, wrong 0."""

    def questions(_: Any) -> Iterator[Question]:
        for i in range(pictures):
            picture = ImagePart(image=png(f"word{i}"))
            yield Question(
                f"q{i}", (user(picture, f"Which word? ({i})"),), f"word{i}", {"half": str(i * 2 // pictures)}
            )

    fields: dict[str, Any] = {"settings": MediaSettings(), "max_new_tokens": 8, **changes}
    score = fields.pop("score", lambda said, question: float(said == question.truth))
    return Task(name="words", title="Words", questions=questions, form=text, score=score, **fields)


def boxes_task() -> Task:
    """Two pictures with a red box each."""

    def questions(_: Any) -> Iterator[Question]:
        for i, place in enumerate(((20, 30, 80, 70), (90, 40, 150, 100))):
            picture = ImagePart(image=png("", (168, 112), place))
            yield Question(f"b{i}", (user(picture, f"Where? ({i})"),), list(map(float, place)), {"label": "red box"})

    return Task("boxes", "Boxes", questions, box, lambda said, q: float(said == q.truth), settings=MediaSettings())


class Says:
    """Answers by a function of the question's text; keeps what it was asked."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.options: list[dict[str, Any]] = []

    def chat(self, messages: Sequence[Message], **options: Any) -> Reply:
        self.asked.append(messages[-1].text)
        self.options.append(options)
        usage = Usage(prompt_tokens=10, completion_tokens=2)
        return Reply(
            text=self.answer(messages[-1].text),
            usage=usage,
            stamp="stamp",
            logprobs=(-0.1, -0.3),
            token_texts=("a", "b"),
        )

    def stream(self, messages: Sequence[Message], **options: Any) -> Iterator[str | Reply]:
        reply = self.chat(messages, **options)
        yield reply.text
        yield reply


def right(asked: str) -> str:
    return f"word{asked.split('(')[1][:-1]}"


def right_on_even(asked: str) -> str:
    return right(asked) if int(right(asked)[4:]) % 2 == 0 else "no idea"
