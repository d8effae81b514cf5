"""Actions: every one of the official tables, in pixels of the screen; impossible ones are refused in words."""

import pytest

from viewfinder.errors import ViewfinderError
from viewfinder.media.transform import Transform
from viewfinder.messages import ToolCall
from viewfinder.outputs.actions import COMPUTER, MOBILE, Action, format_action, parse_action, read_action, tool_schema

HALF = Transform(original_size=(500, 1000), resized_size=(1000, 2000))


def call(device: str, **arguments: object) -> ToolCall:
    return ToolCall(name=f"{device}_use", arguments=arguments)


def test_the_official_example() -> None:
    text = (
        '<tool_call>\n{"name": "mobile_use", "arguments": {"action": "click", "coordinate": [935, 406]}}\n</tool_call>'
    )
    action = parse_action("I tap search.\n" + text, HALF)
    assert action == Action("mobile", "click", coordinate=(467.5, 203))
    assert action.to_dict() == {"device": "mobile", "action": "click", "coordinate": [467.5, 203]}
    assert format_action(action, HALF) == text


MOBILE_EXAMPLES = [
    Action("mobile", "key", text="volume_up"),
    Action("mobile", "click", coordinate=(10, 20)),
    Action("mobile", "long_press", coordinate=(10, 20), time=2),
    Action("mobile", "swipe", coordinate=(10, 20), coordinate2=(10, 200)),
    Action("mobile", "type", text='hé\n"llo"'),
    Action("mobile", "system_button", button="Back"),
    Action("mobile", "open", text="Maps"),
    Action("mobile", "wait", time=1.5),
    Action("mobile", "terminate", status="success"),
]
COMPUTER_EXAMPLES = [
    Action("computer", "key", keys=("ctrl", "c")),
    Action("computer", "type", text="hello"),
    *(Action("computer", name, coordinate=(10, 20)) for name in COMPUTER if "click" in name or name == "mouse_move"),
    Action("computer", "left_click"),
    Action("computer", "scroll", pixels=-300),
    Action("computer", "wait", time=2),
    Action("computer", "terminate", status="failure"),
]


@pytest.mark.parametrize("action", MOBILE_EXAMPLES + COMPUTER_EXAMPLES, ids=lambda action: action.name)
def test_every_action_survives_format_and_parse(action: Action) -> None:
    assert parse_action(format_action(action, HALF), HALF) == action


def test_the_examples_are_complete() -> None:
    assert {action.name for action in MOBILE_EXAMPLES} == set(MOBILE)
    assert {action.name for action in COMPUTER_EXAMPLES} == set(COMPUTER)


def test_sloppy_values() -> None:
    assert read_action(call("mobile", action="click", coordinate=["935", "406"]), HALF).coordinate == (467.5, 203)
    assert read_action(call("mobile", action="click", coordinate="[935, 406]"), HALF).coordinate == (467.5, 203)
    assert read_action(call("mobile", action="wait", time="2s"), HALF).time == 2
    assert read_action(call("computer", action="key", keys="ctrl+c"), HALF).keys == ("ctrl", "c")
    assert read_action(call("computer", action="key", text="enter"), HALF).keys == ("enter",)
    outside = read_action(call("mobile", action="click", coordinate=[-5, 3000]), HALF)
    assert (outside.coordinate, outside.clamped) == ((0, 1000), True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I am done.", "the answer holds no complete tool call, expected one to mobile_use or computer_use"),
        ('{"name": "search", "arguments": {}}', "a call to 'search'"),
        ('{"name": "mobile_use", "arguments": {"action": "fly"}}', "mobile_use has no action 'fly'"),
        ('{"name": "mobile_use", "arguments": {"action": "click"}}', "click needs coordinate"),
        (
            '{"name": "mobile_use", "arguments": {"action": "click", "coordinate": [1]}}',
            r"coordinate is \[1\], expected",
        ),
        ('{"name": "mobile_use", "arguments": {"action": "system_button", "button": "Up"}}', "button is 'Up'"),
        ('{"name": "computer_use", "arguments": {"action": "left_click_drag"}}', "left_click_drag needs coordinate"),
    ],
)
def test_what_cannot_be_done_is_said(text: str, message: str) -> None:
    with pytest.raises(ViewfinderError, match=message) as caught:
        parse_action(text, HALF)
    assert "\n" not in str(caught.value)


def test_schemas() -> None:
    flat = tool_schema("mobile", 1000, 2000)["function"]
    assert flat["name"] == "mobile_use"
    assert "The screen's resolution is 1000x2000." in flat["description"]
    assert flat["parameters"]["required"] == ["action"]
    assert flat["parameters"]["properties"]["action"]["enum"] == list(MOBILE)
    strict = tool_schema("computer", 1000, 2000, strict=True)["function"]["parameters"]["anyOf"]
    assert len(strict) == len(COMPUTER) + 4
    assert [item["maximum"] for item in strict[2]["properties"]["coordinate"]["prefixItems"]] == [1000, 2000]
