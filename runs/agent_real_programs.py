"""Programs that nobody here wrote, driven by a script: `python runs/agent_real_programs.py OUT [--datasette PROGRAM]`.

On an Xvfb of its own: xcalc (12 x 34, whose answer must look like 408 typed) and mousepad (text typed and saved,
compared with the file). In Chromium: Datasette (PyPI), a web program over SQLite, on this machine: filter a table by a
select and a field. Each run is recorded, done again in a fresh program, and drawn as one picture, `OUT/NAME.png`.
Needs Debian's x11-apps, mousepad, dbus, xvfb, xdotool, chromium. Exit code 1 when one fails.
"""

import argparse
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from viewfinder.agent.browser import BrowserEnvironment
from viewfinder.agent.desktop import DesktopEnvironment
from viewfinder.agent.loop import Agent
from viewfinder.agent.policy import Policy
from viewfinder.agent.replay import replay
from viewfinder.agent.scripted import ScriptedModel, say
from viewfinder.agent.settings import Settings
from viewfinder.agent.trajectory import Recorder, Trajectory, load_trajectory
from viewfinder.agent.viewer import write_viewer
from viewfinder.agent.worlds.window import Display
from viewfinder.media.image import Picture
from viewfinder.messages import Message
from viewfinder.outputs.actions import Action

Do = Callable[[Any], tuple[str, Action]]
SIZE = (640, 480)


@dataclass
class Case:
    """One program: how it starts (a fresh environment each time), what is done, and whether it worked."""

    name: str
    policy: Policy
    start: Callable[[], Any]
    todo: Sequence[Do]
    worked: Callable[[Any], bool]


def model(environment: Any, todo: Sequence[Do]) -> ScriptedModel:
    """Says one thing after another, again when the screen was not as it looked, then that it is done."""
    said: list[int] = []

    def speak(messages: Sequence[Message], picture: Picture) -> str:
        if not said or "look again" not in messages[-1].text.rpartition("Note:")[2]:
            said.append(1)
        if len(said) <= len(todo):
            thought, action = todo[len(said) - 1](environment)
        else:
            thought, action = "It is done.", Action("computer", "terminate", status="success")
        return say(thought, action, picture)

    return ScriptedModel(speak)


def run(case: Case, out: Path) -> bool:
    """Record, do again, draw; prints one line."""
    environment = case.start()
    try:
        agent = Agent(
            model(environment, case.todo), environment, case.policy, recorder=Recorder(out / case.name),
            settings=Settings(grammar=False), confirm=lambda decision, action, seen: True,
        )  # fmt: skip
        episode = agent.run(case.name)
        worked = case.worked(environment)
    finally:
        environment.close()
    trajectory = load_trajectory(out / case.name)
    write_viewer(trajectory)
    sheet(trajectory).save(out / f"{case.name}.png")
    environment = case.start()
    try:
        again = replay(trajectory, environment, case.policy)
        worked_again = case.worked(environment)
    finally:
        environment.close()
    worst = max(again.differing, default=0.0)
    print(
        f"{case.name}: {episode.reason}, worked {worked}; again: {again.steps} actions, worked {worked_again}, "
        f"at most {worst:.2%} of a screen differs {again.stopped}",
        flush=True,
    )
    return worked and worked_again


def sheet(trajectory: Trajectory) -> Image.Image:
    """All screens with a mark where each action went."""
    shots: list[Image.Image] = []
    for step in trajectory.steps:
        shot, action = trajectory.screen(step).image.copy(), step.read_action()
        if action and action.coordinate:
            x, y = action.coordinate
            ImageDraw.Draw(shot).ellipse((x - 9, y - 9, x + 9, y + 9), outline="red", width=3)
        shot.thumbnail((480, 400))
        shots.append(shot)
    width, height = max(s.width for s in shots), max(s.height for s in shots)
    page = Image.new("RGB", (3 * width, -(-len(shots) // 3) * height), "gray")
    for i, shot in enumerate(shots):
        page.paste(shot, (i % 3 * width, i // 3 * height))
    return page


class ProgramOnDisplay:
    """A program on a display of its own, which goes with it."""

    def __init__(self, *command: str) -> None:
        self._display = Display(SIZE)
        environment = {
            "DISPLAY": self._display.name,
            "HOME": "/nonexistent",
            "PATH": "/usr/bin:/bin",
            "NO_AT_BRIDGE": "1",
        }
        self._program = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._desktop = DesktopEnvironment(self._display.name)
        self._wait()

    def _wait(self) -> None:
        """Until something is drawn and stays."""
        before, until = None, time.monotonic() + 60
        while time.monotonic() < until:
            time.sleep(1.0)
            now = self._desktop.observe().picture.pixels.copy()
            if now.max() > 0 and before is not None and np.array_equal(now, before):
                return
            before = now

    def __getattr__(self, name: str) -> Any:
        return getattr(self._desktop, name)

    def close(self) -> None:
        self._desktop.close()
        self._program.terminate()
        self._program.wait(10)
        self._display.close()


# xcalc's keys in its grid of 5 by 11 below the display, at the size that is asked for
_ROWS = {7: " 789*", 8: " 456-", 9: " 123+", 10: " 0. ="}
_KEYS = {name: (column, row) for row, names in _ROWS.items() for column, name in enumerate(names) if name != " "}
_CALC = (300, 400)
_LCD = 62


def key(name: str) -> Do:
    column, row = _KEYS[name]
    x = _CALC[0] * (column + 0.5) / 5
    y = _LCD + (_CALC[1] - _LCD) * (row + 0.5) / 11
    return lambda environment: (f"I press {name}.", Action("computer", "left_click", coordinate=(x, y)))


def calc_case() -> Case:
    def worked(environment: Any) -> bool:
        shown = environment.observe().picture.pixels[:_LCD, : _CALC[0]].copy()
        other = ProgramOnDisplay("xcalc", "-geometry", "300x400+0+0")
        try:
            for name in "408":
                other.act(key(name)(other)[1])
            typed = other.observe().picture.pixels[:_LCD, : _CALC[0]]
        finally:
            other.close()
        return bool(np.array_equal(shown, typed))

    start = lambda: ProgramOnDisplay("xcalc", "-geometry", "300x400+0+0")  # noqa: E731
    return Case("xcalc", Policy(apps=("XCalc",)), start, [key(name) for name in "12*34="], worked)


def mousepad_case(out: Path) -> Case:
    file = out / "letter.txt"

    def start() -> ProgramOnDisplay:
        file.write_text("")
        return ProgramOnDisplay("dbus-run-session", "mousepad", "--disable-server", str(file))

    todo: list[Do] = [
        lambda e: ("I click into the page.", Action("computer", "left_click", coordinate=(300, 250))),
        lambda e: ("I type the letter.", Action("computer", "type", text="Dear Anna,\nall 42 keys are here.")),
        lambda e: ("It is written, so I save it.", Action("computer", "key", keys=("ctrl", "s"))),
    ]

    def worked(environment: Any) -> bool:
        time.sleep(1)
        return file.read_text().strip() == "Dear Anna,\nall 42 keys are here."

    return Case("mousepad", Policy(apps=("Mousepad", "mousepad")), start, todo, worked)


@contextmanager
def datasette(program: str, out: Path) -> Iterator[str]:
    """Datasette over a small table; gives its address."""
    base = out / "places.db"
    base.unlink(missing_ok=True)
    with sqlite3.connect(base) as connection:
        connection.execute("create table cities (name text, country text, people integer)")
        rows = [
            ("Lisbon", "Portugal", 545),
            ("Porto", "Portugal", 232),
            ("Oslo", "Norway", 709),
            ("Bergen", "Norway", 285),
        ]
        connection.executemany("insert into cities values (?, ?, ?)", rows)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [program, "serve", str(base), "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(120):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(10)


def at(selector: str, thought: str) -> Do:
    """Click on the middle of an element of the page."""

    def do(environment: Any) -> tuple[str, Action]:
        element = f"document.querySelector({selector!r})"
        for _ in range(240):  # a person waits, too, until the page is there
            if environment.evaluate(f"document.readyState === 'complete' && !!{element}"):
                break
            time.sleep(0.5)
        box = f"(() => {{ const r = {element}.getBoundingClientRect(); "
        x, y = environment.evaluate(box + "return [r.left + Math.min(r.width, 60) / 2, r.top + r.height / 2]; })()")
        return thought, Action("computer", "left_click", coordinate=environment.screen_place((x, y)))

    return do


def option(words: str) -> Do:
    def do(environment: Any) -> tuple[str, Action]:
        box = next(box for _, label, box in environment.options() if label == words)
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return f"The list is open, so I choose {words}.", Action("computer", "left_click", coordinate=middle)

    return do


def datasette_case(url: str) -> Case:
    todo = [
        at("a[href='/places']", "I open the database."),
        at("a[href='/places/cities']", "I open the table of cities."),
        at("select[name=_filter_column]", "I want a filter, so I open the list of columns."),
        option("country"),
        at("input[name=_filter_value]", "Now the value: I click into the field."),
        lambda e: ("I type Norway.", Action("computer", "type", text="Norway")),
        at("input[type=submit][value=Apply]", "The filter is complete, so I apply it."),
    ]

    def worked(environment: Any) -> bool:
        for _ in range(240):
            if "country" in environment.observe().where:
                break
            time.sleep(0.5)
        names = environment.evaluate("Array.from(document.querySelectorAll('td.col-name'), e => e.textContent.trim())")
        return sorted(names) == ["Bergen", "Oslo"]

    policy = Policy(domains=("127.0.0.1",))
    return Case("datasette", policy, lambda: BrowserEnvironment(url, policy, size=(900, 640), settle=20), todo, worked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="an empty folder")
    parser.add_argument("--datasette", default="datasette", help="the program (pip install datasette)")
    parser.add_argument("--only", default="", help="xcalc, mousepad or datasette")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    results = [
        run(case, given.out) for case in (calc_case(), mousepad_case(given.out)) if given.only in ("", case.name)
    ]
    if given.only in ("", "datasette"):
        with datasette(given.datasette, given.out) as url:
            results.append(run(datasette_case(url), given.out))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
