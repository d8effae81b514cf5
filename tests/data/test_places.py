from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.data.samples import boxed_sample
from tests.doubles import small_processor
from viewfinder.data.places import FORMS, for_model, prepare, rewrite
from viewfinder.data.sample import Sample, say
from viewfinder.errors import DataError
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import parse_action
from viewfinder.outputs.boxes import parse_boxes

_START = Transform.identity((60, 40))
_TEXTS = {
    "boxes": 'Here:\n```json\n[\n\t{"bbox_2d": [10, 20, 30, 40], "label": "a"}\n]\n```\n\nThere is 1 a in the image.',
    "points": '```json\n[\n\t{"point_2d": [10, 20], "label": "a"}\n]\n```',
    "points xml": '<points x1="10" y1="20" alt="a">a</points>',
    "plain boxes": "10,20,30,40 a\n0,0,5,5 b",
    "html": '<html><body>\n<p data-bbox="10 20 30 40">a</p>\n</body></html>',
    "action": "I tap.\n"
    '<tool_call>\n{"name": "mobile_use", "arguments": {"action": "click", "coordinate": [10, 20]}}\n</tool_call>',
    "marked": '{"bbox_2d": [10,20, 30,40]} <point>10 20</point> in [1990, 2000]',
    "inline": "The thing at [10, 20, 30, 40] and [10, 20] of [3].",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_kept_by_the_identity_and_scaled_by_a_resize(form: str) -> None:
    text = _TEXTS[form]
    assert FORMS[form](text, _START, _START) == text
    doubled = FORMS[form](text, _START, _START.then_resize((120, 120)))
    assert "20" in doubled
    assert "60" in doubled  # y = 20, times three
    assert FORMS[form](doubled, _START.then_resize((120, 120)), _START) == text


def test_a_fenced_page_stays_fenced() -> None:
    text = f"```html\n{_TEXTS['html']}\n```"
    assert FORMS["html"](text, _START, _START) == text


def test_a_sample_speaks_pixels_of_what_the_model_sees() -> None:
    sample = boxed_sample()
    view = for_model(sample, small_processor())
    (transform,) = view.transforms
    assert transform.resized_size == (84, 56)
    (box,) = parse_boxes(view.messages[1].text, transform)
    for got, true in zip(box.xyxy, sample.truth["boxes"][0], strict=True):
        assert abs(got - true) <= 0.5
    assert prepare(sample, small_processor()).inputs.labels is not None


def test_actions_offer_the_function_at_the_shown_size() -> None:
    sample = Sample(
        messages=(say("user", Image.new("RGB", (300, 500)), "tap"), say("assistant", _TEXTS["action"])),
        task="action",
        forms=("", "action"),
        device="mobile",
        rejected=say("assistant", _TEXTS["action"]),
    )
    view = for_model(sample, small_processor())
    width, height = view.transforms[0].resized_size
    assert f"{width}x{height}" in view.tools[0]["function"]["description"]
    action = parse_action(view.messages[1].text, view.transforms[0])
    assert action.coordinate is not None
    assert abs(action.coordinate[0] - 10) <= 0.6
    assert view.rejected == view.messages[1]


@given(
    size=st.tuples(st.integers(30, 400), st.integers(30, 400)), corner=st.tuples(st.integers(0, 20), st.integers(0, 20))
)
def test_boxes_come_back_within_half_a_model_pixel(size: tuple[int, int], corner: tuple[int, int]) -> None:
    sample = boxed_sample()
    text = f'```json\n[\n\t{{"bbox_2d": [{corner[0]}, {corner[1]}, 29, 30], "label": "a"}}\n]\n```'
    sample = replace(sample, messages=(sample.messages[0], say("assistant", text)))
    start = Transform.identity(size)
    after = start.then_resize((28 * max(1, size[0] // 28), 28 * max(1, size[1] // 28)))
    view = rewrite(sample, [start], [after])
    (box,) = parse_boxes(view.messages[1].text, after)
    for got, true, scale in zip(box.xyxy, (*corner, 29, 30), after.scale * 2, strict=True):
        assert abs(got - true) <= 0.5 / scale + 1e-9


def test_unknown_forms_and_media_are_refused() -> None:
    for form in ("circles", "boxes@1"):
        with pytest.raises(DataError, match="unknown or names a medium"):
            for_model(replace(boxed_sample(), forms=("", form)), small_processor())
