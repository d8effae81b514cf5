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

from viewfinder.data.runner import run_plan
from viewfinder.data.synth.kinds import KINDS
from viewfinder.materials.shipped import FONT_FOLDER, read_manifest


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


def build(kinds: list[str], home: Path, count: int, seed: int) -> dict[str, str]:
    """Hashes of the sets by kind and split, made in a process with this home."""
    variables = {
        **os.environ,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "share"),
        "XDG_CACHE_HOME": str(home / "c"),
    }
    command = [sys.executable, __file__, *kinds, "--count", str(count), "--seed", str(seed), "--in", str(home)]
    process = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(process.stdout.splitlines()[-1])


def build_here(kinds: list[str], folder: Path, count: int, seed: int) -> dict[str, str]:
    """The same in this process."""
    hashes: dict[str, str] = {}
    for kind in kinds:
        for split in ("train", "held_out"):
            source = {"name": "synth", "kinds": {kind: 1.0}, "count": count, "seed": seed, "options": {"split": split}}
            hashes[f"{kind} {split}"] = run_plan({"source": source}, folder / kind / split)["hash"]
            print(kind, split, hashes[f"{kind} {split}"][:16], file=sys.stderr, flush=True)
    return hashes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--in", dest="folder", type=Path, help="only make the sets there and print their hashes")
    given = parser.parse_args()
    if given.folder:
        print(json.dumps(build_here(given.kinds, given.folder, given.count, given.seed)))
        return
    with TemporaryDirectory() as place, ThreadPoolExecutor(2) as pool:
        homes = [Path(place) / "as-it-is", Path(place) / "with-more"]
        homes[0].mkdir()
        added = add_fonts(homes[1] / "share" / "fonts")
        (homes[1] / ".fonts").symlink_to(homes[1] / "share" / "fonts")
        one, other = pool.map(lambda home: build(given.kinds, home, given.count, given.seed), homes)
    print(f"{'set':26}{'fonts of the system':22}and {added} more")
    for name in one:
        print(f"{name:26}{one[name][:16]:22}{other[name][:16]}{'' if one[name] == other[name] else '  DIFFERENT'}")
    differ = sum(one[name] != other[name] for name in one)
    print(f"{differ} of {len(one)} sets differ")
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()
