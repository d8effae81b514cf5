"""Actions on a screen: the official `mobile_use` and `computer_use` calls <-> `Action`, in pixels of the screen.

The model speaks pixels of the resized screenshot; an `Action` speaks pixels of the screen itself. Knows
the two functions and their arguments (cookbooks' `agent_function_call`), not how to carry them out.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from viewfinder.errors import ViewfinderError
from viewfinder.media.transform import Transform
from viewfinder.messages import ToolCall
from viewfinder.outputs.keys import KEY_PATTERN, read_keys
from viewfinder.outputs.loose_json import JsonValue, read_numbers
from viewfinder.outputs.times import parse_time
from viewfinder.outputs.tool_calls import format_tool_call, parse_tool_calls

Device = Literal["mobile", "computer"]

MOBILE: dict[str, tuple[str, ...]] = {
    "key": ("text",),
    "click": ("coordinate",),
    "long_press": ("coordinate", "time"),
    "swipe": ("coordinate", "coordinate2"),
    "type": ("text",),
    "system_button": ("button",),
    "open": ("text",),
    "wait": ("time",),
    "terminate": ("status",),
}
COMPUTER: dict[str, tuple[str, ...]] = {
    "key": ("keys",),
    "type": ("text",),
    "mouse_move": ("coordinate",),
    "left_click": ("coordinate",),
    "left_click_drag": ("coordinate",),
    "right_click": ("coordinate",),
    "middle_click": ("coordinate",),
    "double_click": ("coordinate",),
    "scroll": ("pixels",),
    "wait": ("time",),
    "terminate": ("status",),
}
_AT_CURSOR = frozenset({"left_click", "right_click", "middle_click", "double_click"})
"""Clicks of `computer_use` may come without a place: then they are at the cursor."""

BUTTONS = ("Back", "Home", "Menu", "Enter")
STATUSES = ("success", "failure")


@dataclass(frozen=True)
class Action:
    """One step on a screen.

    Attributes:
        device: which of the two functions.
        name: the action, a key of `MOBILE` or `COMPUTER`.
        coordinate, coordinate2: pixels of the original screen; (0, 0) is its top left corner.
        text: what to type, the key event, or the app to open.
        keys: pressed in order, released in reverse; by the names of `keys.py`, however they were given.
        button: one of `BUTTONS`.
        time: seconds.
        pixels: to scroll, in pixels of the original screen; positive is up.
        status: one of `STATUSES`.
        clamped: the model's place lay outside the screen and was moved to its edge.
    """

    device: Device
    name: str
    coordinate: tuple[float, float] | None = None
    coordinate2: tuple[float, float] | None = None
    text: str | None = None
    keys: tuple[str, ...] = ()
    button: str | None = None
    time: float | None = None
    pixels: float | None = None
    status: str | None = None
    clamped: bool = False
    transform: Transform | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """One spelling of each key, before anything looks at them; raises for a key that does not exist."""
        object.__setattr__(self, "keys", read_keys(self.keys))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, in pixels of the original screen; absent values are left out."""
        values: dict[str, Any] = {"device": self.device, "action": self.name}
        for key in ("coordinate", "coordinate2", "text", "keys", "button", "time", "pixels", "status"):
            value = getattr(self, key)
            if value is not None and value != ():
                values[key] = list(value) if isinstance(value, tuple) else value  # pyright: ignore[reportUnknownArgumentType]
        return {**values, **({"clamped": True} if self.clamped else {})}


def parse_action(text: str, transform: Transform) -> Action:
    """The first call to one of the two functions in an answer.

    Args:
        text: the model's words, places in pixels of the resized screenshot.
        transform: of the screenshot.

    Raises:
        ViewfinderError: there is no such call, or it is not a possible action; the sentence can be shown to
            the model.
    """
    calls = parse_tool_calls(text)
    for call in calls:
        if call.name in ("mobile_use", "computer_use"):
            return read_action(call, transform)
    what = f"a call to {calls[0].name!r}" if calls else "no complete tool call"
    raise ViewfinderError(
        f"the answer holds {what}, expected one to mobile_use or computer_use, so nothing can be done; call one of them"
    )


def read_action(call: ToolCall, transform: Transform) -> Action:
    """The action of a call; raises as `parse_action` does."""
    device: Device = "mobile" if call.name == "mobile_use" else "computer"
    known = MOBILE if device == "mobile" else COMPUTER
    name = call.arguments.get("action")
    if name not in known:
        raise ViewfinderError(
            f"{call.name} has no action {name!r}, so nothing can be done; choose from {', '.join(known)}"
        )
    places = {key: _place(call, key, transform) for key in ("coordinate", "coordinate2")}
    pixels = read_numbers(call.arguments.get("pixels"))
    pressed = call.arguments.get("keys", call.arguments.get("text") if device == "computer" else None)
    action = Action(
        device=device,
        name=str(name),
        coordinate=None if places["coordinate"] is None else places["coordinate"][:2],
        coordinate2=None if places["coordinate2"] is None else places["coordinate2"][:2],
        text=_text(call.arguments.get("text")),
        keys=read_keys(pressed) if name == "key" and pressed is not None else (),
        button=_text(call.arguments.get("button")),
        time=parse_time(call.arguments.get("time")),
        pixels=pixels[0] / transform.scale[1] if pixels else None,
        status=_text(call.arguments.get("status")),
        clamped=any(place is not None and place[2] for place in places.values()),
        transform=transform,
    )
    _require(action, known)
    return action


def _place(call: ToolCall, key: str, transform: Transform) -> tuple[float, float, bool] | None:
    if key not in call.arguments or call.arguments[key] is None:
        return None
    numbers = read_numbers(call.arguments[key])
    if len(numbers) != 2:
        raise ViewfinderError(
            f"{key} is {call.arguments[key]!r}, expected [x, y] in pixels of the screenshot; give two numbers"
        )
    inside = transform.clamp_model((numbers[0], numbers[1]))
    return (*transform.to_original(inside), inside != (numbers[0], numbers[1]))


def _text(value: JsonValue) -> str | None:
    return None if value is None else str(value)


def _require(action: Action, known: dict[str, tuple[str, ...]]) -> None:
    for key in known[action.name]:
        value = getattr(action, key)
        missing = value is None or value == ()
        if missing and not (key == "coordinate" and action.device == "computer" and action.name in _AT_CURSOR):
            raise ViewfinderError(f"{action.name} needs {key}, which is not given, so it cannot be done; add it")
    for key, allowed in (("button", BUTTONS), ("status", STATUSES)):
        value = getattr(action, key)
        if value is not None and value not in allowed:
            raise ViewfinderError(f"{key} is {value!r}, which does not exist; choose from {', '.join(allowed)}")


def format_action(action: Action, transform: Transform) -> str:
    """The call, as the model is trained to write it: whole pixels of the resized screenshot."""
    arguments: dict[str, Any] = {"action": action.name}
    for key in ("coordinate", "coordinate2"):
        place = getattr(action, key)
        if place is not None:
            arguments[key] = [round(value) for value in transform.clamp_model(transform.to_model(place))]
    if action.keys:
        arguments["keys"] = list(action.keys)
    if action.text is not None and not action.keys:
        arguments["text"] = action.text
    if action.pixels is not None:
        arguments["pixels"] = round(action.pixels * transform.scale[1])
    if action.time is not None:
        arguments["time"] = int(action.time) if action.time == int(action.time) else action.time
    arguments.update({key: value for key in ("button", "status") if (value := getattr(action, key)) is not None})
    return format_tool_call(ToolCall(name=f"{action.device}_use", arguments=arguments))


def tool_schema(device: Device, width: int, height: int, *, strict: bool = False) -> dict[str, Any]:
    """The function to offer to the model, in OpenAI's form.

    Args:
        width, height: of the resized screenshot, pixels: the model's places lie inside it.
        strict: one alternative per action with exactly its arguments, places inside the screen: for
            `tool_call_grammar`. Otherwise the flat form of the cookbooks, for the prompt.
    """
    known = MOBILE if device == "mobile" else COMPUTER
    values = _argument_schemas(width, height)
    if strict:
        values["keys"] = {**values["keys"], "items": {"type": "string", "pattern": f"^{KEY_PATTERN}$"}}
        forms = [_form(name, keys, values) for name, keys in known.items()]
        if device == "computer":
            forms += [_form(name, (), values) for name in sorted(_AT_CURSOR)]
        parameters: dict[str, Any] = {"anyOf": forms}
    else:
        used = dict.fromkeys(key for keys in known.values() for key in keys)
        action = {"type": "string", "enum": list(known)}
        parameters = {"type": "object", "properties": {"action": action, **{key: values[key] for key in used}}}
        parameters["required"] = ["action"]
    what = "touch screen of a phone" if device == "mobile" else "mouse and keyboard of a computer"
    description = f"Use the {what}. The screen's resolution is {width}x{height}."
    function = {"name": f"{device}_use", "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def _form(name: str, keys: tuple[str, ...], values: dict[str, dict[str, Any]]) -> dict[str, Any]:
    properties = {"action": {"const": name}, **{key: values[key] for key in keys}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _argument_schemas(width: int, height: int) -> dict[str, dict[str, Any]]:
    place: dict[str, Any] = {
        "type": "array",
        "prefixItems": [{"type": "integer", "minimum": 0, "maximum": limit} for limit in (width, height)],
        "items": False,
        "minItems": 2,
    }
    return {
        "coordinate": place,
        "coordinate2": place,
        "text": {"type": "string", "maxLength": 1000},
        "keys": {"type": "array", "items": {"type": "string", "maxLength": 20}, "minItems": 1, "maxItems": 6},
        "button": {"type": "string", "enum": list(BUTTONS)},
        "time": {"type": "integer", "minimum": 0, "maximum": 600},
        "pixels": {"type": "integer", "minimum": -10 * height, "maximum": 10 * height},
        "status": {"type": "string", "enum": list(STATUSES)},
    }
