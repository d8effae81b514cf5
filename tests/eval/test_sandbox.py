"""Model's programs apart from their tests: what is right passes, and no way of pretending does."""

import os

import pytest

from viewfinder.errors import EvaluationError
from viewfinder.eval import sandbox
from viewfinder.eval.sandbox import run_tests

TESTS = "def check(candidate):\n    assert candidate(2, b=3) == (5, [2])\ncheck(f)\n"
RIGHT = "def f(a, b): return a + b, [a]\n"
CHEATS = {
    "exit": "import sys; sys.exit(0)",
    "hard exit": "import os; os._exit(0)",
    "exit when called": "def f(a, b):\n    import os; os._exit(0)",
    "equal to all": "class A(tuple):\n    def __eq__(self, o): return True\ndef f(a, b): return A()",
    "no check": "def check(c): pass\ndef f(a, b): return 1",
    "no assert": "import builtins\nbuiltins.AssertionError = None\ndef f(a, b): return 1",
    "prints": "def f(a, b):\n    print('passed'); return 1",
    "other reply": "import os\nos.write(1, b\"('value', 1)\\n\")\ndef f(a, b): return 1",
    "wrong": "def f(a, b): return 1",
    "no program": "def f(",
}


def test_a_right_answer_passes() -> None:
    assert run_tests(RIGHT, TESTS, "f").passed
    raising = "try:\n    f(0)\nexcept ZeroDivisionError:\n    pass\nelse:\n    raise AssertionError\n"
    assert run_tests("def f(x): return 1 / x", raising, "f").passed


@pytest.mark.parametrize("kind", CHEATS)
def test_no_answer_decides_for_itself(kind: str) -> None:
    assert not run_tests(CHEATS[kind], TESTS, "f").passed


def test_an_answer_reaches_nothing(tmp_path: str) -> None:
    for body in (
        "open('out.txt', 'w')",
        f"open({os.fspath(__file__)!r})",
        "import socket; socket.socket()",
        "import os; os.listdir('/')",
        "import subprocess; subprocess.run(['true'])",
    ):
        answer = (
            f"def f():\n    try:\n        {body}\n    except OSError:\n        return 'refused'\n    return 'done'\n"
        )
        result = run_tests(answer, "assert f() == 'refused'", "f")
        assert result.passed, (body, result.reason)


def test_an_endless_answer_ends() -> None:
    assert not run_tests("def f():\n    while True: pass\n", "f()", "f", seconds=1).passed


def test_root_runs_nothing_without_confinement(monkeypatch: pytest.MonkeyPatch) -> None:
    without = sandbox._CONFINE.replace("_held = [", "_held = [False, ").replace("geteuid", "zero")
    without = without.replace('getattr(os, "zero", lambda: 1)()', "0")
    monkeypatch.setattr(sandbox, "_CONFINE", without)
    with pytest.raises(EvaluationError, match="without confinement"):
        run_tests(RIGHT, TESTS, "f")
