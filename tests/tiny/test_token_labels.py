import numpy as np
from PIL import Image

from viewfinder.data.synth.scene import Scene, Thing, make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.shapes import COLOR_NAMES
from viewfinder.data.synth.text_lines import TextLine
from viewfinder.data.synth.words import CHARACTERS
from viewfinder.tiny.token_labels import (
    ANSWER_HEADS,
    KINDS,
    OFFSET_ZERO,
    TEXT_HEADS,
    TOWER_HEADS,
    place_of,
    token_labels,
)


def scene(things: tuple[Thing, ...] = (), lines: tuple[TextLine, ...] = ()) -> Scene:
    return Scene(Image.new("RGB", (56, 28)), things, lines, "black")


def names(ids: np.ndarray) -> str:
    return "".join("-" if i == 0 else (CHARACTERS + " ")[i - 1] for i in ids)


def test_characters_by_cell() -> None:
    line = TextLine("aW b", "red", (0, 0, 40, 14), (3.0, 12.0, 20.0, 32.0), 9.0)
    labels = token_labels(scene(lines=(line,)))
    assert [names(row) for row in labels.characters] == ["a--W- ----------", "-b--------------"]
    assert names(labels.letters[0])[:3] == "aW-"
    assert names(labels.letters[1])[0] == "b"
    lower = TextLine("z", "red", (30, 14, 40, 28), (50.0,), 20.0)
    assert names(token_labels(scene(lines=(lower,))).characters[1]) == "--------------z-"


def test_the_second_of_two_letters_in_one_cell_takes_the_next() -> None:
    line = TextLine("il", "red", (0, 0, 8, 14), (4.0, 6.9), 9.0)
    assert names(token_labels(scene(lines=(line,))).characters[0])[:4] == "-il-"


def test_the_place_of_a_point() -> None:
    assert place_of(12.0, 20.0) == (1, 0, 3)
    assert place_of(50.0, 20.0) == (1, 1, 6)
    assert place_of(30.0, 500.0) == (35, 1, 0)
    assert place_of(-3.0, 9000.0) == (47, 0, 0)


def test_every_place_has_an_answer_of_its_head() -> None:
    last = dict(zip(("next_rows", "next_columns", "next_cells"), place_of(9000.0, 9000.0), strict=True))
    assert {name: (1, number + 1) for name, number in last.items()} == {name: ANSWER_HEADS[name] for name in last}


def test_where_a_thing_lies_seen_from_its_token_and_in_the_picture() -> None:
    thing = Thing("square", "red", (26, 4, 50, 20), Image.new("L", (24, 16), 255))
    labels = token_labels(scene(things=(thing,)))
    assert labels.kinds.tolist() == [0, KINDS.index("square")]  # a twentieth of the first token is not enough
    assert labels.colors.tolist() == [-100, COLOR_NAMES.index("red")]
    assert (labels.offsets[1] - OFFSET_ZERO).tolist() == [-1, 0, 2, 2]  # -2, 4, 22, 20 from (28, 0)
    assert labels.remainders[1].tolist() == [6, 4, 6, 4]
    assert labels.digits[1].tolist() == [0, 2, 6, 0, 0, 4, 0, 5, 0, 0, 2, 0]
    assert labels.digits[0].tolist() == [-100] * 12
    assert labels.places.tolist() == [[0, 0], [0, 1]]


def test_every_label_has_a_head_with_room_for_it() -> None:
    for seed in range(10):
        style = SceneStyle(things=(1, 4), lines=(1, 3))
        labels = token_labels(make_scene(np.random.default_rng(seed), (140, 168), style)).as_dict()
        heads = TOWER_HEADS | TEXT_HEADS
        assert labels.keys() == heads.keys()
        for name, values in labels.items():
            questions, answers = heads[name]
            assert values.shape in ((30, questions), (30,))
            assert int(values.max()) < answers
            assert int(values.min()) >= -100
