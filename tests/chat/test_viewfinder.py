"""The jobs, with a model that says what it is told: places, confidence, second looks."""

import json
import math

import pytest
from PIL import Image

from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat import Viewfinder
from viewfinder.messages import Message


def _says(text: str, **settings: int) -> Viewfinder:
    processor = small_processor(**settings)
    return Viewfinder(ScriptedChat(processor, lambda _: text), processor)


def _boxes(*boxes: tuple[list[int], str]) -> str:
    objects = ",\n\t".join(json.dumps({"bbox_2d": box, "label": label}) for box, label in boxes)
    return f"```json\n[\n\t{objects}\n]\n```"


PICTURE = Image.new("RGB", (400, 200), "white")  # seen as 392x196: scales 400/392 and 200/196


def test_locate_gives_pixels_of_the_original() -> None:
    (box,) = _says(_boxes(([98, 49, 196, 147], "box"))).locate(PICTURE, "the box")
    assert box.xyxy == pytest.approx((100, 50, 200, 150))
    assert box.label == "box"


def test_confidence_is_that_of_the_digits_of_the_box() -> None:
    (box,) = _says(_boxes(([98, 49, 196, 147], "box"))).locate(PICTURE, "the box")
    assert box.confidence == pytest.approx(math.exp(-0.1))


def test_the_grammar_is_bounded_by_the_size_the_model_sees() -> None:
    viewfinder = _says(_boxes(), max_pixels=28 * 28 * 16)
    viewfinder.locate(PICTURE, "x")
    grammar = viewfinder.model.requests[0][1]
    width, height = viewfinder.model.chat([*viewfinder.model.requests[0][0]]).media[0].resized_size
    from viewfinder.outputs.grammars import boxes_grammar

    assert grammar == boxes_grammar(width, height, max_items=100)
    assert width < 392


def test_nothing_there_is_an_empty_list() -> None:
    found = _says("```json\n[]\n```").locate(PICTURE, "a dog")
    assert found == []
    assert found.complete


def test_points_and_counts() -> None:
    text = '```json\n[\n\t{"point_2d": [98, 49], "label": "dot"}\n]\n```\n\nThere is 1 dot in the image.'
    count = _says(text).count(PICTURE, "dots")
    assert count.value == 1
    assert count.points[0].xy == pytest.approx((100, 50))
    (point,) = _says(text).point(PICTURE, "dots")
    assert point.xy == pytest.approx((100, 50))


def test_a_second_look_holds_only_what_is_found_again_in_the_same_place() -> None:
    processor = small_processor()

    def answer(messages: list[Message]) -> str:
        picture = messages[0].parts[0].image
        if picture.transform.crop is None:
            return _boxes(([98, 49, 196, 147], "a"), ([294, 49, 343, 98], "b"))
        x0, *_ = picture.transform.crop
        if x0 < 150:  # around the first: say the same place again, in pixels of the crop as it is seen
            seen = processor.plan(messages).transforms[0]
            return _boxes(([round(v) for v in seen.box_to_model((100, 50, 200, 150))], "a"))
        return _boxes(([0, 0, 20, 20], "b"))

    boxes = Viewfinder(ScriptedChat(processor, answer), processor).locate(PICTURE, "things", verify=True)
    assert [box.verified for box in boxes] == [True, False]


def test_ask_without_media_and_with_several() -> None:
    viewfinder = _says("yes")
    assert viewfinder.ask(None, "well?") == "yes"
    viewfinder.ask([PICTURE, PICTURE], "same?")
    kinds = [part.type for part in viewfinder.model.requests[-1][0][0].parts]
    assert kinds == ["image", "image", "text"]


def test_streamed_pieces_join_to_the_reply() -> None:
    *pieces, reply = _says("a red box").stream(PICTURE, "what?")
    assert "".join(pieces) == reply.text == "a red box"
