"""`DesktopEnvironment`: an X11 screen; mss looks at it, xdotool moves mouse and keyboard.

Where a click would go is known only as the program that owns the window there: its class is what a policy's
`apps` lists. Wayland shows no other program's windows, so a session of it is refused.
"""

import os
import re
import shutil
import subprocess
import time

from PIL import Image

from viewfinder.agent.environment import Observation, Outcome, Stopped, Target
from viewfinder.agent.watch import fingerprint
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import Picture
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import Action, Device

_BUTTONS = {"left_click": "1", "double_click": "1", "middle_click": "2", "right_click": "3"}
_KEYS = {
    "ctrl": "ctrl",
    "control": "ctrl",
    "cmd": "super",
    "win": "super",
    "meta": "super",
    "option": "alt",
    "enter": "Return",
    "return": "Return",
    "esc": "Escape",
    "escape": "Escape",
    "tab": "Tab",
    "space": "space",
    "backspace": "BackSpace",
    "del": "Delete",
    "delete": "Delete",
    "home": "Home",
    "end": "End",
    "insert": "Insert",
    "pageup": "Prior",
    "pagedown": "Next",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
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
        except ImportError:
            raise ViewfinderError(
                "mss is not installed, so no screen can be seen; pip install 'viewfinder[agent]'"
            ) from None
        try:
            self._screen = mss.mss(display=self.display)
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
        return Observation(Picture(image, Transform.identity(image.size)), where=self._class(self._focused()))

    def _grab(self) -> Image.Image:
        shot = self._screen.grab(self._screen.monitors[0])
        return Image.frombytes("RGB", shot.size, shot.rgb)

    def target(self, xy: tuple[float, float] | None) -> Target:
        """The program there; its widgets are not known."""
        if xy is None:
            window = self._focused()
        else:
            self._do("mousemove", str(round(xy[0])), str(round(xy[1])))
            found = re.search(r"WINDOW=(\d+)", self._do("getmouselocation", "--shell"))
            window = found[1] if found else ""
        where = self._class(window)
        return Target(where=where, identity=f"{where}/{window}" if where else "")

    def _focused(self) -> str:
        return self._do("getwindowfocus").strip()

    def _class(self, window: str) -> str:
        """Of the program that owns a window; inner windows have none, so what holds them is asked."""
        if not window:
            return ""
        name = self._do("getwindowclassname", window).strip()
        return name or self._do("getwindowname", window).strip()

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> Outcome:
        place = action.coordinate
        if self._mouse_in_corner():
            raise Stopped
        if place and action.name != "left_click_drag":
            now = self.target(place)  # the mouse is there now
            if expected is not None and expected.identity and now.identity != expected.identity:
                return Outcome(
                    False, "another window came to lie there before the click; nothing was pressed, look again"
                )
        if action.name in _BUTTONS:
            self._do("click", "--repeat", "2" if action.name == "double_click" else "1", _BUTTONS[action.name])
        elif action.name == "left_click_drag" and place:
            self._do("mousedown", "1", "mousemove", str(round(place[0])), str(round(place[1])), "mouseup", "1")
        elif action.name == "scroll":
            notches = max(1, round(abs(action.pixels or 0) / _NOTCH))
            self._do("click", "--repeat", str(notches), "4" if (action.pixels or 0) > 0 else "5")
        elif action.name == "type":
            # by standard input: arguments can be read by every user of the machine
            self._do("type", "--delay", "8", "--file", "-", text=action.text or "")
        elif action.name == "key":
            self._do("key", "+".join(_KEYS.get(key.lower(), key) for key in action.keys))
        elif action.name == "wait":
            time.sleep(min(action.time or 0.0, _LONGEST_WAIT))
        elif action.name != "mouse_move":
            raise ViewfinderError(f"a desktop has no {action.name}, so nothing was done; choose another action")
        self._rest()
        return Outcome()

    def _mouse_in_corner(self) -> bool:
        """Where a person pushes the mouse to stop everything: the terminal has no keyboard then."""
        x = re.search(r"x:(\d+) y:(\d+)", self._do("getmouselocation"))
        return bool(x and x[1] == "0" and x[2] == "0")

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
