"""The main jobs on the shipped examples with the built-in model; pictures go to out/.

Each line is what one would type; they run in one process, so that torch is loaded once.
"""

import os
import shlex
import sys
from pathlib import Path

from viewfinder.cli.app import app

LINES = (
    ('inspect examples/shapes.png --prompt "Locate every blue star"', ""),
    ('locate examples/shapes.png "every blue star" --plot out/locate.png', "one, [16, 16, 63, 60]"),
    ('point examples/shapes.png "every orange ring" --plot out/point.png', "one, around (104, 78)"),
    ('count examples/three.png "green circles" --plot out/count.png', "3"),
    ('ask examples/shapes.png "What color is the star?"', "blue"),
    ("read examples/word.png", "stone"),
    ("parse examples/page.png --format md --format viewer --out out/page", "a heading, three lines, a table of 2 x 3"),
    ('moments examples/clip.mp4 "the red circle is shown" --plot out/moments.png', "3.0 to 6.0 seconds"),
)
"""What is typed, and what is true: the model is small, and some of its answers are wrong."""


def main() -> None:
    os.chdir(Path(__file__).parent.parent)
    Path("out").mkdir(exist_ok=True)
    for line, truth in LINES:
        print(f"\n$ viewfinder {line}", flush=True)
        if code := app(shlex.split(line), standalone_mode=False):
            sys.exit(code)
        if truth:
            print(f"(true: {truth})")
    print("\nPictures with the answers drawn on them: out/locate.png out/point.png out/count.png out/moments.png;")
    print("the page beside what was read of it: out/page/page.viewer.html (open it in a browser)")


if __name__ == "__main__":
    main()
