"""Another model as a reader of answers: to name the letter meant, the value meant, or whether an answer is right.

For benchmarks that are scored that way by their authors. The judge may be any `ChatModel`; the manifest names it.
"""

from typing import Any

from viewfinder.eval.metrics.choices import choice_letter
from viewfinder.eval.question import Question
from viewfinder.messages import ChatModel, Sampling, TextPart, user


def ask_judge(judge: ChatModel, prompt: str, max_new_tokens: int = 128) -> str:
    """The judge's greedy answer to one prompt."""
    return judge.chat([user(prompt)], sampling=Sampling(max_new_tokens=max_new_tokens)).text.strip()


def asked_text(question: Question) -> str:
    """The words of a question, without media."""
    return "".join(p.text for m in question.messages for p in m.parts if isinstance(p, TextPart))


def judge_letter(judge: ChatModel, question: Question, answer: str) -> str | None:
    """The letter an answer means; a clear letter is read by rule and not asked about, as VLMEvalKit does."""
    letters = "".join(question.choices)
    if (found := choice_letter(answer, letters)) is not None:
        return found
    options = "\n".join(f"{c}. {o}" for c, o in zip(question.choices, question.options, strict=False))
    said = ask_judge(
        judge,
        "You match an answer with the options of a single choice question. If the meaning of all options differs "
        f"from the answer, output Z. Output one upper-case letter only, of {', '.join(letters)} (or Z).\n"
        f"Question: {asked_text(question)}\nOptions:\n{options}\nAnswer: {answer}\nYour output: ",
    )
    return choice_letter(said, letters + "Z")


def judge_value(judge: ChatModel, question: Question, answer: str) -> str:
    """The short value that a longer answer arrives at (MathVista, MATH-Vision)."""
    return ask_judge(
        judge,
        "Extract the final answer from the model response, in the form that the question asks for. Output the "
        f"extracted answer only.\nQuestion: {asked_text(question)}\nModel response: {answer}\nExtracted answer: ",
    )


def judge_right(judge: ChatModel, question: Question, answer: str) -> Any:
    """ "1" where the judge finds an answer to mean the same as the truth (CharXiv), else "0"."""
    said = ask_judge(
        judge,
        "Compare a response with the ground truth of a question about a figure. Numbers and words must mean the same; "
        "wording, units in another form and extra explanation do not matter. Output 1 for correct, 0 for wrong.\n"
        f"Question: {asked_text(question)}\nGround truth: {question.truth}\nResponse: {answer}\nYour output: ",
    )
    return "1" if said.startswith("1") else "0"
