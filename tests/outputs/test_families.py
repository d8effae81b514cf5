"""Profiles of fine-tunes: found by name, asked with their prompts, and their replies become the typed results."""

import logging
from pathlib import Path

import pytest

from tests.doubles import ScriptedChat, small_processor
from viewfinder.chat import Viewfinder, load
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import load_image
from viewfinder.media.transform import Transform
from viewfinder.outputs.families import named_profile, parse_action_text, profile_of, profiles

HALF = Transform.identity((200, 100)).then_resize((100, 50))


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("allenai/olmOCR-7B-0825",), "olmocr"),
        (("checkpoint-9", "nanonets/Nanonets-OCR-s"), "nanonets-ocr"),
        (("ByteDance-Seed/UI-TARS-1.5-7B",), "ui-tars"),
        (("reducto/RolmOCR",), "rolmocr"),
        (("HelloKKMe/GTA1-7B",), "gta1"),
        (("XiaomiMiMo/MiMo-VL-7B-RL-2508",), "mimo-vl"),
        (("Qwen/Qwen2.5-VL-7B-Instruct", "tiny"), ""),
    ],
)
def test_a_family_is_found_by_name(names: tuple[str, ...], found: str) -> None:
    assert profile_of(*names).name == found


def test_each_profile_names_its_source_and_a_known_form() -> None:
    for profile in profiles().values():
        assert profile.source.startswith("https://")
        known = ("front matter", "tagged markdown", "actions", "tool calls", "pair", "thought", "text")
        assert profile.answer in known
    with pytest.raises(ViewfinderError, match="give one of olmocr"):
        named_profile("unknown")


def test_a_page_with_a_head() -> None:
    head = "primary_language: en\nis_rotation_valid: True\nrotation_correction: 90\nis_table: False"
    reply = f"---\n{head}\n---\n# T\n\na --- b\n"
    text, about = named_profile("olmocr").text(reply)
    assert text == "# T\n\na --- b"
    assert about == {"primary_language": "en", "is_rotation_valid": True, "rotation_correction": 90, "is_table": False}
    assert named_profile("olmocr").text("no head") == ("no head", {})


def test_tags_of_a_page() -> None:
    reply = "<watermark>DRAFT</watermark>\nText ☑\n\n<page_number>4/9</page_number>"
    assert named_profile("nanonets-ocr").text(reply) == ("Text ☑", {"watermark": ["DRAFT"], "page_number": ["4/9"]})


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("click(start_box='(10,20)')", [("left_click", (20, 40))]),
        ("click(start_box='<|box_start|>(10,20)<|box_end|>')", [("left_click", (20, 40))]),
        ("click(point='<point>10 20</point>')", [("left_click", (20, 40))]),
        ("left_double(start_box='[0, 10, 20, 30]')", [("double_click", (20, 40))]),
        ("drag(start_point='<point>1 2</point>', end_point='<point>3 4</point>')",
         [("mouse_move", (2, 4)), ("left_click_drag", (6, 8))]),
        ("scroll(point='<point>1 2</point>', direction='down')", [("mouse_move", (2, 4)), ("scroll", None)]),
        ("hotkey(key='ctrl c')", [("key", None)]),
        ("wait()", [("wait", None)]),
        ("finished(content='it\\'s done')", [("terminate", None)]),
        ("press_back()", [("system_button", None)]),
    ],
)  # fmt: skip
def test_actions_as_text(call: str, expected: list[tuple[str, tuple[float, float] | None]]) -> None:
    found = parse_action_text(f"Thought: I act.\nAction: {call}", HALF)
    assert [(action.name, action.coordinate) for action in found] == expected


def test_what_is_typed_is_unescaped() -> None:
    (action,) = parse_action_text(r"Action: type(content='it\'s \"a\" (b)\n')", HALF)
    assert action.text == 'it\'s "a" (b)\n'


@pytest.mark.parametrize(
    "reply", ["I click it", "Action: dance()", "Action: click(start_box='here')", "Action: type()"]
)
def test_no_action(reply: str) -> None:
    with pytest.raises(ViewfinderError):
        parse_action_text(reply, HALF)


def test_a_family_is_asked_in_its_way() -> None:
    replies = {"read": "---\nis_table: True\n---\nText", "point": "Action: click(start_box='(28,14)')"}
    asked: list[str] = []

    def answer(messages: object) -> str:
        asked.append(messages[-1].text)  # type: ignore[index]
        return replies["point" if "GUI agent" in asked[-1] else "read"]

    chat = ScriptedChat(small_processor(), answer)
    image = load_image(b"P6 112 56 255\n" + bytes(112 * 56 * 3))
    text = Viewfinder(chat, chat.processor, named_profile("olmocr")).read(image)
    assert (str(text), text.about) == ("Text", {"is_table": True})
    (point,) = Viewfinder(chat, chat.processor, named_profile("ui-tars")).point(image, "the button")
    assert point.xy == (28, 14)
    assert asked[0].startswith("Attached is one page")
    assert asked[1].endswith("## User Instruction\nthe button")
    assert chat.requests[1][1] is None  # no grammar: the family writes another form


def test_a_grounder_is_told_the_size_it_sees_and_answers_with_a_pair() -> None:
    chat = ScriptedChat(small_processor(), lambda messages: "(28,14)")
    image = load_image(b"P6 112 56 255\n" + bytes(112 * 56 * 3))
    (point,) = Viewfinder(chat, chat.processor, named_profile("gta1")).point(image, "the button")
    assert point.xy == (28, 14)
    system, asked = chat.requests[0][0]
    assert "The image resolution is height 56 and width 112. For" in system.text
    assert system.text.endswith("Output the coordinate pair exactly:\n(x,y)")
    assert asked.text == "the button"
    assert named_profile("gta1").points("I see (1, 2) and (3,4)", HALF)[0].xy == (2, 4)
    assert named_profile("gta1").points("no idea", HALF) == []


def test_thoughts_are_asked_not_to_be_and_kept_apart() -> None:
    mimo = named_profile("mimo-vl")
    assert mimo.prompt("read", "Read all text.") == "Read all text. /no_think"
    assert mimo.text("<think>A sign.</think>\nSTOP") == ("STOP", {"thought": "A sign."})
    assert mimo.text("STOP") == ("STOP", {})
    assert not mimo.has_own_points


def test_plain_text_is_asked_for_with_the_line_end_of_the_card() -> None:
    assert named_profile("rolmocr").prompt("read", "x").endswith("as if you were reading it naturally.\n")
    assert named_profile("rolmocr").text("a\n") == ("a\n", {})


def test_load_takes_the_profile_of_the_config(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in find_checkpoint("tiny").iterdir():
        (tmp_path / path.name).symlink_to(path)
    config = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").unlink()
    for name, found in (("allenai/olmOCR-7B-0825", "olmocr"), ("someone/unknown-tune", "")):
        (tmp_path / "config.json").write_text(config.replace("{", f'{{"_name_or_path": "{name}",', 1))
        with caplog.at_level(logging.INFO):
            assert load(str(tmp_path)).profile.name == found
    assert "someone/unknown-tune is of no family" in caplog.text
    assert load("tiny", profile="ui-tars").profile.name == "ui-tars"
