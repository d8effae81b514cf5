"""The lock file of the server: whole, with hashes, as pyproject.toml asks, and free of versions known as unsafe."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("lock", ROOT / "tools" / "lock.py")
assert _spec is not None
assert _spec.loader is not None
lock = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lock)

TEXT = (ROOT / "requirements.lock").read_text()
ADVISORIES = json.loads((ROOT / "tools" / "advisories.json").read_text())


def test_the_lock_is_whole_and_safe() -> None:
    assert lock.problems(TEXT, ADVISORIES) == []
    assert len(lock.locked(TEXT)) > 40


@pytest.mark.parametrize(
    ("pattern", "instead", "problem"),
    [
        (r"^(h11==)\S+", r"\g<1>0.15.0", "h11 0.15.0 is affected by CVE-2025-43859"),
        (r"^(pillow==)\S+", r"\g<1>9.0.0", "pyproject.toml needs Pillow"),
        (r"^jinja2==.*\n(?:    .*\n)+", "", "needs jinja2, which is not in the lock"),
        (r"^(anyio==\S+) \\\n(?:    --hash.*\n)+", r"\1\n", "anyio has no hash"),
        (r"^(anyio)==", r"\1>=", "1 lines are no exact version"),
    ],
)
def test_what_is_wrong_is_said(pattern: str, instead: str, problem: str) -> None:
    changed, count = re.subn(pattern, instead, TEXT, flags=re.MULTILINE)
    assert count == 1
    assert any(problem in found for found in lock.problems(changed, ADVISORIES))


def test_every_advisory_has_a_range_and_a_public_number() -> None:
    for advisory in ADVISORIES:
        assert re.fullmatch(r"CVE-\d{4}-\d{4,}", advisory["id"])
        assert advisory["affected"].count("<") >= 1
        assert advisory["checked"]


def test_the_lock_names_no_index_but_the_public_one_of_torch() -> None:
    assert set(re.findall(r"https?://[^/\s]+", TEXT)) == {"https://download.pytorch.org"}
