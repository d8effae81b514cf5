import re

import numpy as np
import pytest

from tests.data.synth.pixels import background, measured, off_by
from viewfinder.agent.prompts import PastStep, write_request
from viewfinder.data.places import rewrite
from viewfinder.data.sample import Sample
from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.screens.actions import act, next_step
from viewfinder.data.synth.screens.screens import draw_screen
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart
from viewfinder.outputs.actions import format_action, parse_action

EASY = Options(max_side=280, difficulty=0.1)
HARD = Options(min_side=300, max_side=700, difficulty=1.0)


@pytest.mark.parametrize("options", [EASY, HARD])
def test_widgets_are_apart_and_where_their_ink_is(options: Options) -> None:
    compared = 0
    for seed in range(10):
        screen = draw_screen(np.random.default_rng(seed), options)
        width, height = screen.image.size
        for i, widget in enumerate(screen.widgets):
            x1, y1, x2, y2 = widget.box
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height
            assert x1 <= widget.press[0] <= x2
            assert y1 <= widget.press[1] <= y2
            for other in screen.widgets[i + 1 :]:
                a = other.box
                assert x2 <= a[0] or a[2] <= x1 or y2 <= a[1] or a[3] <= y1, (seed, widget, other)
            if widget.role in ("link", "icon", "checkbox", "switch", "radio button"):
                around = screen.image.crop((x1 - 2, y1 - 2, x2 + 2, y2 + 2))
                found = measured(screen.image, widget.box, background(around), reach=1)
                assert found is not None
                assert off_by(found, widget.box) <= 1, (seed, widget)
                compared += 1
    assert compared > 8


def _prompt(sample: Sample) -> list[tuple[str, list[str]]]:
    return [
        (m.role, ["<picture>" if isinstance(p, ImagePart) else p.text for p in m.parts])  # type: ignore[union-attr]
        for m in sample.messages[:-1]
    ]


def test_prompts_are_those_of_the_agent() -> None:
    seen = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        screen = draw_screen(rng, EASY)
        state = rng.bit_generator.state
        step = next_step(rng, screen)
        rng.bit_generator.state = state
        sample = act(rng, screen, 0.1)
        form = "official" if sample.device else "compact"
        history = [PastStep(format_action(one, screen.frame)) for one in step.before]
        picture = load_image(screen.image)
        request = write_request(step.task, picture, screen.device, history, form=form)
        theirs = Sample(messages=(*request.messages, sample.messages[-1]), task="action")
        assert _prompt(sample) == _prompt(theirs)
        seen.add((form, screen.device, bool(history)))
    assert len(seen) >= 5


def test_past_steps_follow_the_picture() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        sample = act(rng, draw_screen(rng, EASY), 0.1)
        if sample.forms[1] != "inline":
            continue
        (medium,) = sample.media
        assert isinstance(medium, ImagePart)
        start = Transform.identity(load_image(medium.image).size)
        twice = start.then_resize((2 * start.original_size[0], 2 * start.original_size[1]))
        before, after = sample.question, rewrite(sample, [start], [twice]).messages[1].text
        numbers = [int(n) for n in re.findall(r"\d+", before.split("[")[1])]
        assert f"[{2 * numbers[0]}, {2 * numbers[1]}]" in after
        return
    raise AssertionError("no sample with a past step")


def test_actions_press_the_widget_they_speak_of() -> None:
    pressed = ended = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        screen = draw_screen(rng, EASY)
        sample = act(rng, screen, 0.1)
        action = parse_action(sample.answer, Transform.identity(screen.image.size))
        assert action.device == screen.device
        if action.coordinate is None:
            ended += action.name == "terminate"
            continue
        pressed += 1
        if action.name == "swipe":
            continue
        (box,) = sample.truth["boxes"]
        assert box[0] <= action.coordinate[0] <= box[2]
        assert box[1] <= action.coordinate[1] <= box[3]
        widget = next(w for w in screen.widgets if list(w.box) == box)
        assert widget.name in sample.question
        if widget.checked is not None and "off" in sample.question.lower().split():
            assert widget.checked
    assert pressed > 20
    assert ended > 3
