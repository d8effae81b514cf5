"""Names of this code that the field knows by others do not come back (the glossary of CONTRIBUTING.md)."""

import io
import keyword
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLASSES = {"Rectangle", "Outcome", "Form", "Guard", "Source", "Maker", "Player", "Picker", "Intake", "Hands"}
PARTS = ("maker", "colour", "licence", "centre", "behaviour", "intake", "mend", "player", "picker")


def identifiers(path: Path) -> set[str]:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME and not keyword.iskeyword(token.string)}


def test_no_identifier_is_an_old_name() -> None:
    found = []
    for path in sorted((ROOT / "viewfinder").rglob("*.py")):
        for name in identifiers(path):
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
            if name in CLASSES or set(words) & set(PARTS):
                found.append(f"{path.relative_to(ROOT)}: {name}")
    assert not found, f"these are old names, which CONTRIBUTING.md says in the field's words: {', '.join(found)}"
