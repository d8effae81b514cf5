"""`WindowWorld`: an application as a window of a real toolkit (Tk) on an X display, moved by a real mouse.

The window is a program of its own (`window_program`); application and solver stay here and speak with it by lines
of JSON. Without a display an Xvfb of its own is started.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from viewfinder.agent.desktop import DesktopEnvironment
from viewfinder.agent.environment import Observation, StepResult, Target
from viewfinder.agent.worlds.stage import Staged
from viewfinder.errors import ViewfinderError
from viewfinder.materials.chromium import font_environment
from viewfinder.media.transform import Box
from viewfinder.outputs.actions import Action


class Display:
    """An Xvfb of one's own: `number` is chosen by the server."""

    def __init__(self, size: tuple[int, int]) -> None:
        if shutil.which("Xvfb") is None:
            raise ViewfinderError("Xvfb is not installed, so no window can be shown; apt-get install xvfb xdotool")
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size[0]}x{size[1]}x24", "-nolisten", "tcp"]
        self._server = subprocess.Popen(command, pass_fds=(write,), stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as answer:
            number = answer.readline().strip()
        if not number:
            raise ViewfinderError("Xvfb does not start, so no window can be shown; run it by hand to see why")
        self.name = f":{number}"

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)


class WindowWorld(Staged):
    """See `Staged`. The window fills the display; touch is not known to a desktop."""

    renderer = "window"

    def __init__(self, name: str, *, size: tuple[int, int] = (480, 480), **given: Any) -> None:
        super().__init__(name, **{**given, "size": size, "touch": False})
        self._display = Display(size)
        self._fonts = TemporaryDirectory(prefix="viewfinder-fonts-")
        self._program: Any = None
        try:
            self._show()
            self.desktop = DesktopEnvironment(self._display.name)
        except BaseException:
            self.close()
            raise

    def _show(self) -> None:
        self._end_program()
        command = [sys.executable, "-m", "viewfinder.agent.worlds.window_program"]
        environment = {**font_environment(Path(self._fonts.name)), "DISPLAY": self._display.name}
        self._program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._ask({"skin": asdict(self.skin), "size": self.size, "title": self.app.title, "view": asdict(self.view())})

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """One line to the window, one line back: what was done there since, and where everything is."""
        self._program.stdin.write(json.dumps(message) + "\n")
        self._program.stdin.flush()
        line = self._program.stdout.readline()
        if not line:
            raise ViewfinderError("the window's program ended; is Tk installed (apt-get install python3-tk)?")
        return json.loads(line)

    def _sync(self) -> dict[str, Any]:
        """Hand the window's events to the application, and show what it makes of them."""
        for _ in range(8):
            answer = self._ask({})
            if not answer["events"]:
                return answer
            for event in answer["events"]:
                if event["kind"] == "set":
                    self.app.set(event["id"], event["value"])
                else:
                    self.app.press(event["id"], tuple(event["at"]) if event.get("at") else None)
            if any(event["kind"] == "press" for event in answer["events"]):
                self._ask({"view": asdict(self.view())})
        return self._ask({})

    def observe(self) -> Observation:
        self._sync()
        return self.desktop.observe()

    def boxes(self) -> dict[str, Box]:
        return {id: tuple(box) for id, box in self._sync()["boxes"].items()}  # type: ignore[misc]

    def focus(self) -> str:
        return str(self._sync()["focus"])

    def target(self, xy: tuple[float, float] | None) -> Target:
        self._sync()
        return super().target(xy)

    def act(self, action: Action, expected: Target | None = None, *, confirmed: bool = False) -> StepResult:
        outcome = self.desktop.act(action, None, confirmed=confirmed)
        self._sync()
        time.sleep(0.05)
        self._sync()
        return outcome

    def _end_program(self) -> None:
        if self._program is not None:
            self._program.stdin.close()
            self._program.wait(10)
            self._program.stdout.close()
            self._program = None

    def close(self) -> None:
        self._end_program()
        if hasattr(self, "desktop"):
            self.desktop.close()
        self._display.close()
        self._fonts.cleanup()
