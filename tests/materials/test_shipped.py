import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from viewfinder.data.synth.fonts import HELD_OUT_FAMILIES, find_families, materials_name
from viewfinder.data.synth.writing.languages import all_languages, drawn_letters, find_fonts, has_letters
from viewfinder.errors import DataError, MissingMaterial
from viewfinder.eval.builtin.reading import ALPHABETS
from viewfinder.eval.suites.reading import WORDS
from viewfinder.materials import shipped
from viewfinder.materials.shipped import FOLDER, FONT_FOLDER, font_file, fonts, picture_archive, read_manifest, set_name


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The set in a folder of its own, read anew."""
    folder = tmp_path / "core"
    shutil.copytree(FOLDER, folder)
    monkeypatch.setattr(shipped, "FOLDER", folder)
    monkeypatch.setattr(shipped, "FONT_FOLDER", folder / "fonts")
    monkeypatch.setattr(shipped, "read_manifest", read_manifest.__wrapped__)
    return folder


def test_every_file_is_in_the_manifest_and_its_license_beside_it() -> None:
    content = read_manifest()
    assert {path.name for path in FONT_FOLDER.iterdir()} == {entry["file"] for entry in content["fonts"]}
    for entry in (*content["fonts"], content["pictures"]):
        assert entry["license"] in ("OFL-1.1", "Apache-2.0", "Bitstream-Vera", "CC0-1.0")
        assert (FOLDER / "licenses" / f"{entry['package']}.txt").is_file()
    assert sum(entry["bytes"] for entry in content["fonts"]) < 9_000_000
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 12_000_000


def test_no_font_with_a_reserved_name_was_changed() -> None:
    for entry in read_manifest()["fonts"]:
        if entry["changes"]:
            names = TTFont(FONT_FOLDER / entry["file"])["name"]
            said = " ".join(names.getDebugName(i) or "" for i in (0, 7, 13))
            said += (FOLDER / "licenses" / f"{entry['package']}.txt").read_text()
            assert not re.search(rf'Reserved Font Names? ["“]?{entry["css"]}', said), entry["file"]


def test_a_changed_or_missing_file_is_refused_by_name(copied: Path) -> None:
    path = copied / "fonts" / "Arimo-Bold.ttf"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    with pytest.raises(MissingMaterial, match=r"Arimo-Bold\.ttf has other bytes"):
        shipped.read_manifest()
    path.unlink()
    with pytest.raises(MissingMaterial, match=r"Arimo-Bold\.ttf is not there"):
        shipped.read_manifest()


def test_the_name_follows_from_the_files(copied: Path) -> None:
    name = set_name()
    assert name.startswith("core-1-")
    content = json.loads((copied / "manifest.json").read_text())
    content["fonts"] = content["fonts"][1:]
    (copied / "manifest.json").write_text(json.dumps(content))
    assert set_name.__wrapped__() != name


@pytest.mark.parametrize("code", list(all_languages()))
def test_every_language_has_fonts_of_both_splits_that_write_all_its_letters(code: str) -> None:
    letters = "".join(sorted(drawn_letters(code)))
    train, held = (find_fonts(code, split) for split in ("train", "held_out"))
    assert train
    assert held
    assert not {path.stem.partition("-")[0] for path in train} & {path.stem.partition("-")[0] for path in held}
    for path in (*train, *held):
        assert has_letters(path, letters), path.name


def test_what_the_evaluations_write_can_be_written() -> None:
    for file, letters in (*ALPHABETS.values(), *WORDS.values()):
        assert has_letters(font_file(file), "".join(sorted(set(letters)))), file


def test_a_family_is_of_one_split_and_the_four_are_held_out() -> None:
    train, held = ({name for name, _ in find_families(held_out=value)} for value in (False, True))
    assert held == HELD_OUT_FAMILIES
    assert len(train) >= 20
    assert not train & held
    assert not {font.family for font in fonts("hand", "train")} & {font.family for font in fonts("hand", "held_out")}


def test_pictures_have_names_and_are_seen() -> None:
    with zipfile.ZipFile(picture_archive()) as archive:
        assert len(archive.namelist()) == read_manifest()["pictures"]["count"] > 1000
        assert "hot beverage.png" in archive.namelist()


def test_a_folder_adds_families_and_the_name_says_so(tmp_path: Path) -> None:
    shutil.copy(font_file("Karla-Bold"), tmp_path / "Other-Bold.otf")
    shutil.copy(font_file("Cabin-Bold"), tmp_path / "Cabin-Black.otf")
    folders = (str(tmp_path),)
    added = {name: files for name, files in find_families(folders) if (name, files) not in find_families()}
    assert added == {"Other": (tmp_path / "Other-Bold.otf",)}
    held = dict(find_families(folders, held_out=True))
    assert tmp_path / "Cabin-Black.otf" in held["Cabin"]
    assert tmp_path / "Other-Bold.otf" in find_fonts("de", "train", folders)
    assert tmp_path / "Other-Bold.otf" not in find_fonts("ru", "train", folders)
    name = materials_name(folders)
    assert name.startswith(f"{set_name()} + 2 fonts ")
    (tmp_path / "Other-Bold.otf").write_bytes(b"other bytes")
    assert materials_name(folders) != name
    with pytest.raises(DataError, match="holds no"):
        find_families((str(tmp_path / "nothing"),))
