import numpy as np
import pytest

from viewfinder.agent.worlds.drawn import DrawnWorld
from viewfinder.data.synth.drawn_text import written_on
from viewfinder.data.synth.kinds import Options, SampleGenerator
from viewfinder.media.image import Picture
from viewfinder.messages import ImagePart
from viewfinder.outputs.actions import Action
from viewfinder.tiny import worlds


@pytest.mark.parametrize("make", [worlds.step, worlds.pointing])
def test_a_screen_depends_on_the_generator_alone_and_keeps_to_the_sizes(make: SampleGenerator) -> None:
    one, again = (make(np.random.default_rng(4), Options(140, 196)) for _ in range(2))
    assert one.answer == again.answer
    (part,) = one.media
    assert isinstance(part, ImagePart)
    assert isinstance(part.image, Picture)
    assert all(140 <= side <= 196 for side in part.image.size)
    assert one.lineage[0] == "worlds"


def test_the_words_to_press_are_noted_where_they_are_pressed() -> None:
    found = 0
    for seed in range(12):
        sample = worlds.pointing(np.random.default_rng(seed), Options(196, 280))
        words = sample.truth["thought"].removeprefix("I see ").partition(", so")[0]
        part = sample.media[-1]
        assert isinstance(part, ImagePart)
        assert isinstance(part.image, Picture)
        x1, y1, x2, y2 = sample.truth["box"]
        for line in written_on(part.image.image) or []:
            if line.text == words:
                found += x1 <= line.centers[0] <= x2 and y1 <= line.middle <= y2
    assert found >= 8


def test_words_move_with_a_screen_that_is_scrolled() -> None:
    world = DrawnWorld("settings", seed=1, size=(224, 140))
    before = {line.text: line.middle for line in written_on(world.observe().picture.image) or []}
    world.act(Action("computer", "scroll", pixels=-40, coordinate=(100, 70)))
    after = {line.text: line.middle for line in written_on(world.observe().picture.image) or []}
    both = before.keys() & after.keys()
    assert both
    moves = {round(before[text] - after[text]) for text in both}
    assert len(moves) == 1
    assert moves.pop() > 0
