"""Letters of choices and yes or no, as answers in the world state them."""

import pytest

from viewfinder.eval.metrics.choices import choice_letter, yes_or_no


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("B.", "B"),
        ("(B) because A is too small", "B"),
        ("C. A pretty girl is smiling", "C"),  # OmniBench#8
        ("The answer is B.", "B"),
        ("The best answer is: D", "D"),
        ("The correct answer is d.", "D"),  # OPD-V#2
        ("Answer: **D**", "D"),
        ("I considered (A), but it is incorrect. Final answer: D.", "D"),
        ("Answer: $B", "B"),  # VLMEvalKit#1591
        ("Answer: $\\text{C}$", "C"),
        ("Antwort:\n\nAntwort: C", "C"),  # simple-evals#33
        ("The answer is B. Note that A is a common distractor.", "B"),  # omlx#3668
        ("ANSWER IS D. A is incorrect.", "D"),
        ("ANSWER: A ... actually, ANSWER: B", "B"),  # openai/evals#1767
        ("ANSWER: AB", None),
        ("The reference point is on the bird's leg. The correct answer is (B).", "B"),  # lmms-eval#1435
        ("Based on the picture I cannot say.", None),
        ("(A) cat\n(B) dog\n(C) fox\n(D) owl\n\n**B**", "B"),  # sglang#23864
        ("A. cat\nB. dog\nC. fox\nThe picture shows a fox. Answer: C", "C"),
        ("the answer is 14004", None),  # paper-qa#693
        ("The correct answer is B. Here's why: option B is correct, option A is not.", "B"),  # VLMEvalKit#1552
        ("A triangle has three sides, so the final answer is \\boxed{D}", "D"),
        ("\\boxed{\\text{D}}", "D"),
        ("\\boxed{D. 12}", "D"),
        ("(A) is not possible because of the sign. The correct answer is (C).", "C"),
        ("The answer is a dog, which is option C.", "C"),
        ("正确答案是B。", "B"),
        ("答案：（C）", "C"),
        ("综上所述，应该选择D选项。", "D"),
        ("故选：A", "A"),
        ("A选项不正确，B选项正确。", "B"),
        ("not A", None),
        ("It is not A, it is B", "B"),
        ("A triangle", None),
        ("A dog is running in the field.", None),
        ("Option C is the correct one.", "C"),
        ("Option A is wrong. I would choose option B.", "B"),
        ("<think>It could be A. The answer is A?</think>B", "B"),
        ("<think>Maybe A or B</think><answer>C</answer>", "C"),
        ("<answer>D. a red car</answer>", "D"),
        ("It's B.", "B"),
        ("B because it is red", "B"),
        ("A, since the sky is blue", "A"),
        ("I would choose B", "B"),
        ("I think it must be C", "C"),
        ("I choose [B]", "B"),
        ("Definitely A", "A"),
        ("unknown", None),
        ("", None),
        ("Either A or B", None),
        ("Compare (A) with (C): it is (C)", "C"),
        ("B-52 bombers", None),
        ("Vitamin C's effect", None),
    ],
)
def test_choice_letter(text: str, letter: str | None) -> None:
    assert choice_letter(text) == letter


def test_the_pronoun_is_no_option() -> None:
    assert choice_letter("The answer is C because I computed the integral.", "ABCDEFGHIJ") == "C"
    assert choice_letter("I computed the integral: it must be (G).", "ABCDEFGHIJ") == "G"
    assert choice_letter("The answer is I.", "ABCDEFGHIJ") == "I"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("**Yes**", "Yes"),
        ("Yes!", "Yes"),
        ('"No"', "No"),
        ("<answer>yes</answer>", "Yes"),
        ("\\boxed{No}", "No"),
        ("Yes, the photograph shows a death notice.", "Yes"),  # VLMEvalKit#73
        ("The notice is on the wall.", None),
        ("There is no cat.", "No"),
        ("There is no doubt about it: the answer is yes.", "Yes"),
        ("NO", "No"),
        ("是的。", "Yes"),
        ("不是", "No"),
        ("Eyes and nose", None),
        ("", None),
    ],
)
def test_yes_or_no(text: str, said: str | None) -> None:
    assert yes_or_no(text) == said


@pytest.mark.parametrize("piece", ["answer is ", "answer ", "(A) ", " ", "not A ", "option ", "A\n", "<answer>", "选"])
def test_long_replies_are_read_in_time_in_proportion_to_their_length(piece: str) -> None:
    choice_letter(piece * 20_000)  # a quadratic reader would need minutes
    yes_or_no(piece * 20_000)
