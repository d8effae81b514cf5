"""`PhoneEnvironment`: an Android phone over adb. Without a phone, a page with `touch=True` stands in for it.

Text is typed by Android's own `input`, which knows ASCII; other text is refused with a sentence.
"""

import time
from typing import Any

from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.errors import ViewfinderError
from viewfinder.media.image import Picture
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import Action, Device

_EVENTS = {"Back": "KEYCODE_BACK", "Home": "KEYCODE_HOME", "Menu": "KEYCODE_MENU", "Enter": "KEYCODE_ENTER"}
_KEYS = {"volume_up", "volume_down", "power", "camera"}
_LONGEST_WAIT = 60.0


class PhoneEnvironment:
    """One phone.

    Args:
        serial: of the phone, as `adb devices` lists it; None is the only one.
        device: an adbutils device instead (tests).
        settle: seconds to wait after each action.

    Raises:
        ViewfinderError: adbutils is missing, or no phone answers.
    """

    def __init__(self, serial: str | None = None, *, device: Any = None, settle: float = 1.0) -> None:
        self._settle = settle
        self._phone = device or _connect(serial)

    @property
    def device(self) -> Device:
        return "mobile"

    def reset(self, seed: int | None = None) -> Observation:
        """To the launcher; nothing else is undone."""
        self._phone.keyevent("KEYCODE_HOME")
        return self.observe()

    def observe(self) -> Observation:
        image = self._phone.screenshot().convert("RGB")
        return Observation(Picture(image, Transform.identity(image.size)), where=self._package())

    def _package(self) -> str:
        current = self._phone.app_current()
        return str(getattr(current, "package", "") or "")

    def target(self, xy: tuple[float, float] | None) -> Target:
        """The app in front; what is inside it is not known."""
        package = self._package()
        return Target(where=package, identity=package)

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        if expected is not None and expected.identity and self._package() != expected.identity:
            return StepResult(False, "another app came to the front before the touch; nothing was done, look again")
        outcome = self._input(action)
        time.sleep(self._settle)
        return outcome

    def _input(self, action: Action) -> StepResult:
        phone, name = self._phone, action.name
        if name == "click" and action.coordinate:
            phone.click(*map(round, action.coordinate))
        elif name == "long_press" and action.coordinate:
            x, y = map(round, action.coordinate)
            phone.swipe(x, y, x, y, min(action.time or 1.0, 10.0))
        elif name == "swipe" and action.coordinate and action.coordinate2:
            phone.swipe(*map(round, action.coordinate), *map(round, action.coordinate2), 0.5)
        elif name == "type":
            text = action.text or ""
            if not text.isascii():
                return StepResult(False, "this phone's input takes ASCII alone; nothing was typed")
            phone.send_keys(text)
        elif name == "system_button":
            phone.keyevent(_EVENTS[str(action.button)])
        elif name == "key" and action.text == "clear":
            phone.keyevent("KEYCODE_MOVE_END")
            phone.shell(["input", "keyevent", "--longpress", *["KEYCODE_DEL"] * 60])
        elif name == "key" and action.text in _KEYS:
            phone.keyevent(f"KEYCODE_{str(action.text).upper()}")
        elif name == "open":
            return self._open(str(action.text))
        elif name == "wait":
            time.sleep(min(action.time or 0.0, _LONGEST_WAIT))
        else:
            raise ViewfinderError(
                f"a phone has no {name} {action.text or ''}, so nothing was done; choose another action"
            )
        return StepResult()

    def _open(self, app: str) -> StepResult:
        """By package name, or by the last part of one."""
        packages: list[str] = self._phone.list_packages()
        wanted = app.lower().replace(" ", "")
        found = [name for name in packages if wanted in (name.lower(), name.lower().rpartition(".")[2])]
        if not found:
            return StepResult(False, f"there is no app {app!r} on this phone")
        self._phone.app_start(found[0])
        return StepResult()

    def close(self) -> None:
        pass


def _connect(serial: str | None) -> Any:
    try:
        import adbutils
    except ImportError:
        raise ViewfinderError(
            "adbutils is not installed, so no phone can be reached; pip install 'viewfinder[agent]'"
        ) from None
    try:
        phone = adbutils.adb.device(serial=serial)
        phone.get_state()
    except Exception as error:
        raise ViewfinderError(
            f"no phone answers over adb ({str(error)[:120]}); connect one with USB debugging and see `adb devices`"
        ) from None
    return phone
