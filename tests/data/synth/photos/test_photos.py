from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viewfinder.data.synth.kinds import Options, make
from viewfinder.data.synth.photos.wall import find_photographs, hang, open_photograph
from viewfinder.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten flat 'photographs', each of its own color; two of the names are held out."""
    for i, name in enumerate(("bus", "cat", "dog", "egg", "fox", "hat", "ink", "jam", "key", "leaf", "moth", "nut")):
        Image.new("RGB", (90, 60), (20 * i, 250 - 20 * i, 90)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_photographs_of_a_folder_are_where_their_color_is(folder: Path) -> None:
    options = Options(difficulty=0.0, objects=(str(folder),))
    names = find_photographs(options)
    assert len(names) >= 8
    compared = 0
    for seed in range(12):
        wall = hang(np.random.default_rng(seed), options)
        pixels = np.asarray(wall.image, int)
        for placed in wall.objects:
            name = placed.name.removeprefix("photo of a ").removeprefix("photo of an ")
            color = np.array(open_photograph(name, options.objects).image.getpixel((0, 0)))
            x1, y1, x2, y2 = placed.box
            assert (np.abs(pixels[y1:y2, x1:x2] - color).max(axis=-1) <= 1).all()
            rows, columns = np.nonzero(np.abs(pixels - color).max(axis=-1) <= 1)
            if len(wall.named(placed.name)) == 1:
                assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == placed.box
            compared += 1
    assert compared > 12


def test_the_splits_share_no_photograph() -> None:
    train, held = (set(find_photographs(Options(split=split))) for split in ("train", "held_out"))
    assert len(train) > 10
    assert held
    assert not train & held
    samples = [make("photos", 0, i, Options(difficulty=0.2)) for i in range(8)]
    assert not any(f"photo of a {name}" in m.text for s in samples for m in s.messages for name in held)
    assert all("unknown" not in s.license for s in samples)


def test_no_photographs_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no photographs of the split 'train'"):
        find_photographs(Options(objects=(str(tmp_path),)))
