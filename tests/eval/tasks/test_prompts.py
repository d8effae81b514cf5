"""The words of every benchmark's first question, to the letter: a score with other words is not comparable.

Where a prompt changes on purpose: run this file with `python -m tests.eval.tasks.test_prompts` and give the reason in
the commit.
"""

import json
from pathlib import Path

import pytest

from tests.eval.tasks.test_fixtures import CASES
from viewfinder.eval.source import Files
from viewfinder.eval.tasks import all_tasks

GOLDEN = Path(__file__).parents[2] / "golden" / "eval_prompts.json"


def asked(name: str, folder: Path) -> list[str]:
    """The parts of the first question in order: words as they are, media by their type."""
    CASES[name][0](folder)
    first = next(iter(all_tasks()[name].questions(Files(folder, name))))
    return [part.text if part.type == "text" else f"<{part.type}>" for m in first.messages for part in m.parts]


@pytest.mark.parametrize("name", CASES)
def test_the_words_of_a_benchmark_are_the_official_ones(name: str, tmp_path: Path) -> None:
    assert asked(name, tmp_path) == json.loads(GOLDEN.read_text())[name]


if __name__ == "__main__":
    from tempfile import mkdtemp

    found = {name: asked(name, Path(mkdtemp())) for name in CASES}
    GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
