import re

import numpy as np

from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.scene import make_scene
from viewfinder.data.synth.scene_style import SceneStyle
from viewfinder.data.synth.several import compare, relations
from viewfinder.data.synth.several.relations import _ask as ask_relation
from viewfinder.data.synth.shapes import SHAPE_NAMES, held_out_pair
from viewfinder.media.transform import Transform
from viewfinder.outputs.boxes import parse_boxes

EASY = Options(max_side=224, difficulty=0.1)


def test_relations_hold_by_the_boxes() -> None:
    """Yes and no about sides, checked from the boxes alone."""
    checked = 0
    style = SceneStyle(things=(2, 5), lines=(0, 0))
    for seed in range(120):
        rng = np.random.default_rng(seed)
        scene = make_scene(rng, (196, 196), style)
        one = ask_relation(rng, scene)
        match = re.fullmatch(
            r"Is the (\w+ \w+) (to the left of|to the right of|above|below) the (\w+ \w+)\?", one.question
        )
        if match is None:
            continue
        first, word, second = match.groups()
        boxes = {f"{t.color} {t.shape}": t.box for t in scene.things}
        a, b = boxes[first], boxes[second]
        holds = {
            "to the left of": a[2] <= b[0],
            "to the right of": a[0] >= b[2],
            "above": a[3] <= b[1],
            "below": a[1] >= b[3],
        }[word]
        assert one.answer == ("Yes" if holds else "No")
        checked += 1
    assert checked > 5


def test_places_in_one_of_several_pictures_name_it() -> None:
    found = 0
    for seed in range(60):
        sample = compare.make(np.random.default_rng(seed), EASY)
        assert 2 <= len(sample.media) <= 5
        for message, form in zip(sample.messages, sample.forms, strict=True):
            if form.startswith("boxes@"):
                medium = int(form.removeprefix("boxes@"))
                image = sample.media[medium].image  # type: ignore[union-attr]
                for box in parse_boxes(message.text, Transform.identity(image.size)):
                    assert not box.clamped
                    found += 1
    assert found > 2


def test_shapes_keep_to_their_split() -> None:
    names = "|".join(SHAPE_NAMES)
    for split, wanted in (("train", False), ("held_out", True)):
        for seed in range(8):
            options = Options(max_side=224, difficulty=0.1, split=split)  # type: ignore[arg-type]
            for answer in (m.text for m in relations.make(np.random.default_rng(seed), options).messages[1::2]):
                for color, shape in re.findall(rf"(\w+) ({names})\b", answer.lower()):
                    assert held_out_pair(shape, color) == wanted
