"""Files of data sets: names stay below the folder, and archives unpack no more than they may."""

import zipfile
from pathlib import Path

import pytest

from viewfinder.errors import EvaluationError
from viewfinder.eval import source
from viewfinder.eval.source import Files


@pytest.mark.parametrize("name", ["../secret.png", "a/../../secret.png", "/etc/hostname", "{root}/../secret.png"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    root = tmp_path / "data"
    root.mkdir()
    for any_suffix in (False, True):
        with pytest.raises(EvaluationError, match="not below"):
            Files(root).media(name.replace("{root}", str(root)), any_suffix=any_suffix)


def test_members_of_an_archive_are_unpacked_below_the_folder(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    with zipfile.ZipFile(root / "media.zip", "w") as zipped:
        for member in ("../../evil.png", "/evil2.png", "good/a.png"):
            zipped.writestr(member, b"x")
    files = Files(root)
    for name in ("evil.png", "evil2.png", "a.png"):
        assert Path(files.media(name)).resolve().is_relative_to(root.resolve())
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_member_over_the_cap_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_MOST_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "media.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("bomb.png", bytes(1001))
        zipped.writestr("fits.png", bytes(1000))
    files = Files(tmp_path)
    with pytest.raises(EvaluationError, match=r"bomb\.png of 1,001 bytes, over 1,000"):
        files.media("bomb.png")
    assert not list(tmp_path.rglob("bomb.png"))
    assert Path(files.media("fits.png")).stat().st_size == 1000
