import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from viewfinder.errors import DataError, MissingMaterial
from viewfinder.materials import needs
from viewfinder.materials.chromium import find_program, font_environment
from viewfinder.materials.needs import NEEDS, missing, require


@pytest.fixture
def without_chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))


def test_all_that_is_missing_is_said_at_once_with_its_remedy(
    without_chromium: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(needs.NEEDS, "verovio", dataclasses.replace(NEEDS["verovio"], is_there=lambda: False))
    assert [need.name for need in missing(("chromium", "verovio"))] == ["chromium", "verovio"]
    with pytest.raises(MissingMaterial) as caught:
        require("chromium", "verovio", what="the kind 'x'")
    said = str(caught.value)
    assert "the kind 'x' cannot be drawn without chromium, verovio" in said
    assert "apt-get install chromium" in said
    assert "pip install 'viewfinder[data]'" in said


def test_it_is_no_error_of_one_row() -> None:
    assert not issubclass(MissingMaterial, DataError)


def test_every_package_is_found_without_being_imported() -> None:
    code = (
        "import sys; from viewfinder.materials.needs import NEEDS, missing; missing(NEEDS);"
        "print(sorted({'torch', 'matplotlib', 'rdkit', 'playwright', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_browser_that_playwright_downloaded_is_found(without_chromium: None, tmp_path: Path) -> None:
    assert find_program() is None
    program = tmp_path / "chromium-1200" / "chrome-linux" / "chrome"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    assert find_program() == str(program)


def test_the_browsers_fonts_are_the_shipped_ones(tmp_path: Path) -> None:
    text = Path(font_environment(tmp_path)["FONTCONFIG_FILE"]).read_text()
    assert text.count("<dir>") == 1
    assert "materials/core/fonts</dir>" in text
    assert "<include" not in text
