"""One picture of where recorded runs went wrong: `python runs/agent_failures.py RECORDS --out sheet.png`.

Of each world the first run that the world says is not solved: its screen at the last press, a ring where it pressed,
the task above, what was thought below. RECORDS is what `viewfinder agent play --record` wrote.
"""

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from viewfinder.agent.trajectory import Step, Trajectory, load_trajectory

SIDE, WORDS, GAP, COLUMNS, RING = 308, 58, 12, 3, 11
RED = (230, 25, 75)


def failures(records: Path) -> Iterator[tuple[Trajectory, Step]]:
    """The last press of the first failed run of each world."""
    worlds = sorted({folder.name.rsplit("-", 1)[0] for folder in records.iterdir()})
    for world in worlds:
        for folder in sorted(records.glob(f"{world}-*")):
            run = load_trajectory(folder)
            presses = [s for s in run.steps if (action := s.read_action()) and action.coordinate and s.screen]
            if not run.succeeded and presses:
                yield run, presses[-1]
                break


def panel(run: Trajectory, step: Step) -> Image.Image:
    action = step.read_action()
    assert action is not None
    assert action.coordinate is not None
    sheet = Image.new("RGB", (SIDE, SIDE + 2 * WORDS), "white")
    screen = Image.open(run.directory / step.screen).convert("RGB")
    scale = SIDE / max(screen.size)
    sheet.paste(screen.resize((round(screen.width * scale), round(screen.height * scale))), (0, WORDS))
    x, y = action.coordinate[0] * scale, action.coordinate[1] * scale + WORDS
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    pen.ellipse((x - RING, y - RING, x + RING, y + RING), outline=RED, width=3)
    pen.multiline_text((2, 6), textwrap.fill(run.task, 44), fill="black", font=font)
    thought = textwrap.fill(f"{step.index}. {step.thought}", 44)
    pen.multiline_text((2, SIDE + WORDS + 6), thought, fill=RED, font=font)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    panels = [panel(*failure) for failure in failures(options.records)]
    if not panels:
        parser.exit(1, f"no failed run with a press is in {options.records}, so there is nothing to draw\n")
    width, height = panels[0].width + GAP, panels[0].height + GAP
    sheet = Image.new("RGB", (COLUMNS * width + GAP, -(-len(panels) // COLUMNS) * height + GAP), "#ddd")
    for i, one in enumerate(panels):
        sheet.paste(one, (GAP + i % COLUMNS * width, GAP + i // COLUMNS * height))
    sheet.save(options.out, optimize=True)
    print(f"{len(panels)} failures in {options.out}")


if __name__ == "__main__":
    main()
