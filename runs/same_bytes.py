"""Shows that what a seed draws does not depend on the fonts of the system.

    python runs/same_bytes.py [--count 3] [--seed 5] [KIND...]

Makes `count` samples of every kind twice, for training and held out, each time in processes with a home of their own:
one with the fonts that this system has, one with fonts added whose families have the names of those that are drawn with
and other letters in them. Prints both hashes of each set and fails where they differ.
"""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools.ttLib import TTFont

from viewfinder.data.synth.kinds import KINDS
from viewfinder.materials.shipped import FONT_FOLDER, read_manifest

_BUILD = "import sys; from viewfinder.cli import main; sys.argv = ['viewfinder', *sys.argv[1:]]; main()"


def add_fonts(folder: Path) -> int:
    """Fonts that would be taken where a family is looked up among the system's: every name, the letters of another.

    Letters are 1.4 times as wide, so that not even a layout could stay the same.
    """
    folder.mkdir(parents=True)
    names = {entry["css"] for entry in read_manifest()["fonts"]} | {"Arial", "Helvetica", "Times New Roman", "cmr10"}
    names |= {"sans-serif", "serif", "monospace", "Liberation Sans", "Noto Color Emoji", "STIXGeneral", "Segoe UI"}
    for number, name in enumerate(sorted(names)):
        font = TTFont(FONT_FOLDER / "CourierPrime-Bold.otf")
        for record in font["name"].names:
            if record.nameID in (1, 16):
                record.string = name
            elif record.nameID in (4, 6):
                record.string = name.replace(" ", "") + str(number)
        for glyph, (width, bearing) in font["hmtx"].metrics.items():
            font["hmtx"].metrics[glyph] = (round(1.4 * width), bearing)
        font.save(folder / f"{number}.otf")
    return len(names)


def build(kind: str, split: str, home: Path, count: int, seed: int) -> str:
    """The hash of a set that is made in a process of its own."""
    out = home / f"{kind}-{split}"
    options = ["--count", str(count), "--seed", str(seed), "--out", str(out), "--measure", "none"]
    variables = {
        **os.environ,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "share"),
        "XDG_CACHE_HOME": str(home / "c"),
    }
    held_out = ["--held-out"] if split == "held_out" else []
    command = [sys.executable, "-c", _BUILD, "data", "build", kind, *options, *held_out]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1]}"
    return str(json.loads((out / "manifest.json").read_text())["hash"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=5)
    arguments = parser.parse_args()
    differ = 0
    with TemporaryDirectory() as place, ThreadPoolExecutor(2) as pool:
        homes = [Path(place) / "as-it-is", Path(place) / "with-more"]
        homes[0].mkdir()
        added = add_fonts(homes[1] / "share" / "fonts")
        (homes[1] / ".fonts").symlink_to(homes[1] / "share" / "fonts")
        print(f"{'kind':15}{'split':10}{'fonts of the system':24}{f'and {added} more':24}")
        for kind in arguments.kinds:
            for split in ("train", "held_out"):
                work = [pool.submit(build, kind, split, home, arguments.count, arguments.seed) for home in homes]
                one, other = (each.result() for each in work)
                same = one == other and not one.startswith("failed")
                differ += not same
                shown = [text if text.startswith("failed") else text[:16] for text in (one, other)]
                print(f"{kind:15}{split:10}{shown[0]:24}{shown[1]:24}{'' if same else 'DIFFERENT'}", flush=True)
    if differ:
        sys.exit(f"{differ} sets are not the same")
    print("all the same")


if __name__ == "__main__":
    main()
