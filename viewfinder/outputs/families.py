"""Fine-tunes that are asked and answer in their own way: profiles (data, `families.toml`), and their replies read.

A profile is found by the name of a checkpoint. What it says replaces the official prompt of a job; what the model then
writes becomes the same typed results: text, points in pixels of the original, actions.

    answer             a reply                                                  becomes
    front matter       --- primary_language: en ... --- Text of the page        the text, and the head as a dict
    tagged markdown    Text ... <page_number>4</page_number>                    the text, and the tags' content
    actions            Thought: ... Action: click(start_box='(412,88)')         actions (`outputs.actions`), points
    tool calls         <tool_call>{"name": "computer_use", ...}</tool_call>     the same, by the official parser
    pair               (412,88)                                                 a point
    thought            <think>...</think> Text                                  the text, and the thought in `about`
    text               Text                                                     the text
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from viewfinder.errors import ViewfinderError
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import Action, parse_action
from viewfinder.outputs.points import Point

_TAG = re.compile(r"<(watermark|page_number|signature)>(.*?)</\1>\n?", re.DOTALL)
_CALL = re.compile(r"(\w+)\((.*)\)\s*$", re.DOTALL)
_ARGUMENT = re.compile(r"(\w+)\s*=\s*'((?:[^'\\]|\\.)*)'+")
_PAIR = re.compile(r"\(\s*-?\d+(?:\.\d+)?\s*,\s*-?\d+(?:\.\d+)?\s*\)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ESCAPES = {r"\n": "\n", r"\'": "'", r"\"": '"', r"\\": "\\"}
_CLICKS = {
    "click": "left_click",
    "left_single": "left_click",
    "left_double": "double_click",
    "right_single": "right_click",
    "hover": "mouse_move",
}
_SCROLL = 500.0
"""Pixels of the original for one scroll, whose length the text does not say: five notches of a wheel."""
_WAIT = 5.0


@dataclass(frozen=True)
class Profile:
    """The conventions of a family.

    Attributes:
        name: of its table in `families.toml`; "" for none: official prompts and forms.
        prompts: of the jobs `read`, `point` and `act`, with {query}.
        system: the system prompt of `point`, with {width} and {height} of the picture that the model sees, pixels.
        suffix: the end of each prompt of a job, own or official.
        answer: how replies are written.
        source: where the authors say so.
    """

    name: str = ""
    title: str = ""
    source: str = ""
    matches: tuple[str, ...] = ()
    answer: str = ""
    prompts: Mapping[str, str] | None = None
    system: str = ""
    suffix: str = ""

    @property
    def has_own_points(self) -> bool:
        """Whether points are written in another form than the official JSON."""
        return self.answer in ("actions", "tool calls", "pair")

    def prompt(self, job: str, otherwise: str, query: str = "") -> str:
        """The prompt of a job in this family, else the official one."""
        found = (self.prompts or {}).get(job)
        return (otherwise if found is None else found.replace("{query}", query)) + self.suffix

    def system_prompt(self, size: tuple[int, int]) -> str:
        """Of `point`, for a picture that the model sees in this (width, height); "" where there is none."""
        return self.system.replace("{width}", str(size[0])).replace("{height}", str(size[1]))

    def text(self, reply: str) -> tuple[str, dict[str, Any]]:
        """The words of a page, and what the reply says about it."""
        if self.answer == "front matter":
            return _front_matter(reply)
        if self.answer == "tagged markdown":
            found: dict[str, Any] = {}
            for name, content in _TAG.findall(reply):
                found.setdefault(name, []).append(content.strip())
            return _TAG.sub("", reply).strip(), found
        if self.answer == "thought":
            thought, closed, text = reply.rpartition("</think>")
            return text.strip(), {"thought": thought.strip().removeprefix("<think>").strip()} if closed else {}
        return reply, {}

    def actions(self, reply: str, transform: Transform) -> list[Action]:
        """What a reply does on a screen, in pixels of the original.

        Raises:
            ViewfinderError: it holds no action that is possible.
        """
        return parse_action_text(reply, transform) if self.answer == "actions" else [parse_action(reply, transform)]

    def points(self, reply: str, transform: Transform) -> list[Point]:
        """The places that the actions of a reply are at; none where it holds no action that is possible."""
        if self.answer == "pair":
            found = _PAIR.search(reply)
            place = found and _place(found[0], transform)
            return [Point(*place, transform=transform)] if place else []
        try:
            found = self.actions(reply, transform)
        except ViewfinderError:
            return []
        return [Point(*action.coordinate, transform=transform) for action in found if action.coordinate is not None]


@cache
def profiles() -> dict[str, Profile]:
    """All families by name."""
    tables = tomllib.loads((files("viewfinder") / "outputs" / "families.toml").read_text("utf-8"))
    return {
        name: Profile(
            name=name,
            prompts={job: table[job].strip("\n") for job in ("read", "point", "act") if job in table},
            matches=tuple(table["matches"]),
            system=table.get("system", "").strip("\n"),
            **{key: table[key] for key in ("title", "source", "answer", "suffix") if key in table},
        )
        for name, table in tables.items()
    }


def profile_of(*names: str) -> Profile:
    """The family that a checkpoint's names (directory, hub id, `_name_or_path`) belong to; `Profile()` for none.

    No letter may stand before a family's word: RolmOCR is no olmOCR.
    """
    whole = " ".join(names).lower()
    return next(
        (
            one
            for one in profiles().values()
            if any(re.search(rf"(?<![a-z]){re.escape(word)}", whole) for word in one.matches)
        ),
        Profile(),
    )


def named_profile(name: str) -> Profile:
    """The family of this name; "none" for the official conventions.

    Raises:
        ViewfinderError: there is none.
    """
    if name != "none" and name not in profiles():
        raise ViewfinderError(f"there is no profile {name!r}; give one of {', '.join(profiles())}, or none")
    return profiles().get(name, Profile())


def _front_matter(reply: str) -> tuple[str, dict[str, Any]]:
    parts = re.split(r"^---\s*$", reply.strip(), maxsplit=2, flags=re.MULTILINE)
    if len(parts) != 3 or parts[0].strip():
        return reply, {}
    head: dict[str, Any] = {}
    for line in parts[1].splitlines():
        key, colon, value = line.partition(":")
        if colon:
            head[key.strip()] = _yaml_value(value.strip())
    return parts[2].strip(), head


def _yaml_value(text: str) -> Any:
    known = {"true": True, "false": False, "null": None, "": None}
    if text.lower() in known:
        return known[text.lower()]
    return int(text) if re.fullmatch(r"-?\d+", text) else text.strip("'\"")


def parse_action_text(reply: str, transform: Transform) -> list[Action]:
    """The actions after `Action:`; several calls stand apart by empty lines. Places, in pixels of the resized screen,
    are written `(412,88)`, `<point>412 88</point>` or as a box, whose middle counts.

    Raises:
        ViewfinderError: no call is there, or one that is unknown.
    """
    _, colon, said = reply.rpartition("Action:")
    calls = [part.strip() for part in re.split(r"\n\s*\n", said) if part.strip()] if colon else []
    if not calls:
        raise ViewfinderError("the answer holds no line 'Action: ...', so nothing can be done; ask again")
    return [action for call in calls for action in _actions(call, transform)]


def _actions(call: str, transform: Transform) -> list[Action]:
    match = _CALL.search(call)
    if match is None:
        raise ViewfinderError(f"{call[:80]!r} is no call such as click(start_box='(10,20)'); ask again")
    name, inside = match.groups()
    given = {key: _unescape(value) for key, value in _ARGUMENT.findall(inside)}
    where, target = (
        next((_place(given[f"{part}{kind}"], transform) for kind in ("box", "point") if f"{part}{kind}" in given), None)
        for part in ("start_", "end_")
    )
    where = where or (_place(given["point"], transform) if "point" in given else None)
    if name in _CLICKS and where:
        return [Action("computer", _CLICKS[name], coordinate=where)]
    if name in ("drag", "select") and where and target:
        return [
            Action("computer", "mouse_move", coordinate=where),
            Action("computer", "left_click_drag", coordinate=target),
        ]
    if name == "scroll":
        sign = {"up": 1, "down": -1}.get(given.get("direction", ""))
        if sign is not None:
            moves = [Action("computer", "mouse_move", coordinate=where)] if where else []
            return [*moves, Action("computer", "scroll", pixels=sign * _SCROLL)]
    simple = {
        "hotkey": lambda: Action("computer", "key", keys=tuple(given["key"].split())),
        "type": lambda: Action("computer", "type", text=given["content"]),
        "wait": lambda: Action("computer", "wait", time=_WAIT),
        "finished": lambda: Action("computer", "terminate", status="success"),
        "call_user": lambda: Action("computer", "terminate", status="failure"),
        "press_home": lambda: Action("mobile", "system_button", button="Home"),
        "press_back": lambda: Action("mobile", "system_button", button="Back"),
        "open_app": lambda: Action("mobile", "open", text=given["app_name"]),
        "long_press": lambda: Action("mobile", "long_press", coordinate=where, time=1.0),
    }
    if name not in simple or (name == "long_press" and where is None):
        raise ViewfinderError(f"{call[:80]!r} is no action that is known or complete, so nothing is done; ask again")
    try:
        return [simple[name]()]
    except KeyError as error:
        raise ViewfinderError(f"{call[:80]!r} lacks {error}, so nothing is done; ask again") from error


def _place(text: str, transform: Transform) -> tuple[float, float] | None:
    numbers = [float(number) for number in _NUMBER.findall(text)]
    if len(numbers) not in (2, 4):
        return None
    x, y = numbers if len(numbers) == 2 else ((numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2)
    return transform.to_original((x, y))


def _unescape(text: str) -> str:
    return re.sub(r"\\.", lambda match: _ESCAPES.get(match[0], match[0]), text)
