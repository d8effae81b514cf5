"""Values of mathematics, spelled as authors spell them."""

import pytest

from viewfinder.eval.metrics.maths import final_value, maths_equal, read_number


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("\\frac12", "\\dfrac{1}{2}"),
        ("0.5", ".50"),
        ("1,000", "1000"),
        ("1{,}000", "1000"),
        ("1\\,000", "1000"),
        ("1 000", "1000"),
        ("1\u202f000\u202f000", "1,000,000"),
        ("1,234.5", "1234.5"),
        ("−5", "-5"),
        ("–5", "-5"),
        ("−\\frac{1}{2}", "-0.5"),
        ("2\\frac12", "2.5"),
        ("2\\frac{1}{2}", "\\frac{5}{2}"),
        ("-2\\frac12", "-2.5"),
        ("2 1/2", "2.5"),
        ("1.5\\times 10^3", "1500"),
        ("1.5 \\cdot 10^{3}", "1500"),
        ("1.5×10^{-3}", "0.0015"),
        ("10^6", "1000000"),
        ("1.5e3", "1500"),
        ("\\sqrt[3]2", "\\sqrt[3]{2}"),
        ("\\sqrt2", "\\sqrt{2}"),
        ("x=5", "5"),
        ("12\\text{ cm}", "12"),
        ("90^\\circ", "90"),
        ("50\\%", "50"),
    ],
)
def test_equal(a: str, b: str) -> None:
    assert maths_equal(a, b)
    assert maths_equal(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1,2", "12"),
        ("1,23", "123"),
        ("1,2345", "12345"),
        ("(1,2)", "(12)"),
        ("2 1/2", "21/2"),
        ("2\\frac12", "\\frac{21}{2}"),
        ("\\sqrt[3]{8}", "\\sqrt{8}"),
        ("5", "-5"),
        ("1e999", "2e999"),
        ("1000001", "1000000"),
        ("\\pm 2021", "2021"),  # Math-Verify#14
        ("12:00", "1:00"),
        ("n=1, 2, 3", "n=2, 3, 4"),
        ("4\\sqrt(2)", "4"),  # Math-Verify#41
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3, \\frac{2\\pi}{3})"),  # Math-Verify#56
        ("\\frac{1}{0}", "0"),
    ],
)
def test_different(a: str, b: str) -> None:
    assert not maths_equal(a, b)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("so x = 3. The answer is 12.", "12"),
        ("The answer is 14 cm", "14 cm"),
        ("The points are (1,2) and 1,400 people came", "1400"),
        ("between 3 and 1,2", "2"),
        ("The answer is −5.", "-5"),
        ("The answer is: **3.5**", "3.5"),
        ("First the answer is 3. No: the answer is 4.", "4"),
        ("thus \\boxed{1{,}000}", "1{,}000"),
        ("nothing", "nothing"),
    ],
)
def test_final_value(text: str, value: str) -> None:
    assert final_value(text) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("14 cm", 14),
        ("1,400", 1400),
        ("$1,400 per year", 1400),
        ("about 3.5 million", 3.5),
        ("3 \\times 4 = 12 cm", 12),
        ("2\\frac12", 2.5),
        ("50%", 50),
        ("−3", -3),
        ("3 or 5", None),
        ("none", None),
    ],
)
def test_read_number(text: str, number: float | None) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize("piece", ["answer is ", "1,", "1,000", " ", "\\sqrt[", "\\frac", "$", "=", "-"])
def test_long_values_are_read_in_time_in_proportion_to_their_length(piece: str) -> None:
    final_value(piece * 20_000)  # a quadratic reader would need minutes
    read_number(piece * 20_000)
    maths_equal(piece * 20_000, "1")
