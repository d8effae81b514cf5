"""`DesktopEnvironment`: an X11 screen; mss looks at it, xdotool moves mouse and keyboard, Xlib names windows.

Where a click would go is known only as the program that owns the window there: its class is what a policy's
`apps` lists. Wayland shows no other program's windows, so a session of it is refused.
"""

import os
import shutil
import subprocess
import time
from typing import Any

from PIL import Image

from viewfinder.agent.environment import Observation, StepResult, Stopped, Target
from viewfinder.agent.watch import fingerprint
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import Picture
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import Action, Device

_BUTTONS = {"left_click": "1", "double_click": "1", "middle_click": "2", "right_click": "3"}
_KEYSYMS = {
    "enter": "Return",
    "backspace": "BackSpace",
    "pageup": "Prior",
    "pagedown": "Next",
    "capslock": "Caps_Lock",
    "printscreen": "Print",
    "power": "XF86PowerOff",
    **{name: name for name in ("ctrl", "alt", "shift", "super", "space")},
}
_NOTCH = 60.0
"""Pixels that most programs scroll for one notch of the wheel."""
_LONGEST_WAIT = 60.0


class DesktopEnvironment:
    """One X display. A mouse pushed into the top left corner stops the run at the next action.

    Args:
        display: such as `:0`; None is the session's own.
        settle: seconds to wait for the screen to rest after an action, at most.

    Raises:
        ViewfinderError: no X display, or xdotool or mss is missing.
    """

    def __init__(self, display: str | None = None, *, settle: float = 1.5) -> None:
        self.display = display or os.environ.get("DISPLAY", "")
        self._settle = settle
        if not self.display:
            raise ViewfinderError(
                "there is no X display (DISPLAY is not set), so no desktop can be seen; log in to an X11 session or "
                "start one: Xvfb :9 & export DISPLAY=:9"
            )
        if shutil.which("xdotool") is None:
            raise ViewfinderError("xdotool is not installed, so no mouse can be moved; apt-get install xdotool")
        try:
            import mss
            from Xlib.display import Display
        except ImportError:
            raise ViewfinderError(
                "mss or python-xlib is not installed, so no screen can be seen; pip install 'viewfinder[agent]'"
            ) from None
        try:
            self._screen = (getattr(mss, "MSS", None) or mss.mss)(display=self.display)
            self._x = Display(self.display)
        except Exception as error:
            raise ViewfinderError(f"the X display {self.display} does not open ({error}); check that it runs") from None

    @property
    def device(self) -> Device:
        return "computer"

    def reset(self, seed: int | None = None) -> Observation:
        """Nothing is undone on a desktop: only a look."""
        return self.observe()

    def observe(self) -> Observation:
        image = self._grab()
        return Observation(Picture(image, Transform.identity(image.size)), where=self._focused()[0])

    def _grab(self) -> Image.Image:
        shot = self._screen.grab(self._screen.monitors[0])
        return Image.frombytes("RGB", shot.size, shot.rgb)

    def target(self, xy: tuple[float, float] | None) -> Target:
        """The program there; its widgets are not known. The mouse stays where it is."""
        where, window = self._focused() if xy is None else self._at(round(xy[0]), round(xy[1]))
        return Target(where=where, identity=f"{where}/{window}" if where else "")

    def _at(self, x: int, y: int) -> tuple[str, int]:
        """Class and number of the program's window at a place: from the root down, the last that has a class."""
        root = self._x.screen().root
        found, window = ("", 0), root
        for _ in range(20):
            child = root.translate_coords(window, x, y) if window is root else window.translate_coords(root, x, y)
            if not child.child:
                return found
            window = child.child
            if name := _class(window):
                found = name, int(window.id)
        return found

    def _focused(self) -> tuple[str, int]:
        """Of the window with the keyboard; where focus follows the mouse, of that under it."""
        focus = self._x.get_input_focus().focus
        if not hasattr(focus, "id") or focus.id == self._x.screen().root.id:
            pointer = self._x.screen().root.query_pointer()
            return self._at(pointer.root_x, pointer.root_y)
        while focus and hasattr(focus, "id"):
            if name := _class(focus):
                return name, int(focus.id)
            focus = focus.query_tree().parent
        return "", 0

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        place = action.coordinate
        if self._mouse_in_corner():
            raise Stopped
        if place and action.name != "left_click_drag":
            self._do("mousemove", str(round(place[0])), str(round(place[1])))
            if expected is not None and expected.identity and self.target(place).identity != expected.identity:
                said = "another window came to lie there before the click; nothing was pressed, look again"
                return StepResult(False, said)
        if action.name in _BUTTONS:
            self._do("click", "--repeat", "2" if action.name == "double_click" else "1", _BUTTONS[action.name])
        elif action.name == "left_click_drag" and place:
            self._do("mousedown", "1", "mousemove", str(round(place[0])), str(round(place[1])), "mouseup", "1")
        elif action.name == "scroll":
            notches = max(1, round(abs(action.pixels or 0) / _NOTCH))
            self._do("click", "--repeat", str(notches), "4" if (action.pixels or 0) > 0 else "5")
        elif action.name == "type":
            self._type(action.text or "")
        elif action.name == "key":
            self._do("key", "+".join(map(keysym, action.keys)))
        elif action.name == "wait":
            time.sleep(min(action.time or 0.0, _LONGEST_WAIT))
        elif action.name != "mouse_move":
            raise ViewfinderError(f"a desktop has no {action.name}, so nothing was done; choose another action")
        self._rest()
        return StepResult()

    def _type(self, text: str) -> None:
        """Line by line: xdotool's own newline is a key that programs do not know.

        By standard input, as arguments can be read by every user of the machine.
        """
        for i, line in enumerate(text.split("\n")):
            if i:
                self._do("key", "Return")
            if line:
                self._do("type", "--delay", "8", "--file", "-", text=line)

    def _mouse_in_corner(self) -> bool:
        """Where a person pushes the mouse to stop everything: the terminal has no keyboard then."""
        pointer = self._x.screen().root.query_pointer()
        return (pointer.root_x, pointer.root_y) == (0, 0)

    def _rest(self) -> None:
        """Until two looks are alike."""
        until, before = time.monotonic() + self._settle, ""
        while time.monotonic() < until:
            time.sleep(0.12)
            image = self._grab()
            now = fingerprint(Picture(image, Transform.identity(image.size)))
            if now == before:
                return
            before = now

    def _do(self, *arguments: str, text: str | None = None) -> str:
        environment = {**os.environ, "DISPLAY": self.display}
        done = subprocess.run(
            ["xdotool", *arguments],
            input=text,
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
        return done.stdout

    def close(self) -> None:
        self._screen.close()
        self._x.close()


def keysym(key: str) -> str:
    """A key (`outputs/keys.py`) for xdotool: letters and digits stay, other characters by their Unicode number."""
    if len(key) > 1:
        return _KEYSYMS.get(key, key.capitalize())
    return key if key.isascii() and key.isalnum() else f"U{ord(key):04X}"


def _class(window: Any) -> str:
    from Xlib.error import XError

    try:
        name = window.get_wm_class()
    except XError:  # gone meanwhile
        return ""
    return str(name[1]) if name else ""
