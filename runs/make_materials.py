"""Builds `viewfinder/materials/core`: the fonts and pictures that every machine draws with.

    python runs/make_materials.py [--out FOLDER] [--cache FOLDER]

Downloads the pinned packages below by name with `apt-get` (Debian 12), takes the files named in `FONTS`, and cuts those
whose license allows a changed file under the same name down to the letters that are drawn. Fonts with a reserved name
are copied whole. The same packages and the same fontTools give the same bytes; the manifest notes both.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import unicodedata
import zipfile
from io import BytesIO
from pathlib import Path

import fontTools
import PIL
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont
from materials_list import AILERON, FONTS, OFL, PACKAGES, RANGES, SCRIPTS, WHOLE, Font
from PIL import Image, ImageFont

from viewfinder.data.synth.objects import EmojiFont
from viewfinder.data.synth.writing.languages import all_languages, drawn_letters
from viewfinder.eval.builtin.reading import ALPHABETS
from viewfinder.eval.suites.reading import WORDS

OWN = ("DejaVuSans-Regular", "DejaVuSans-Bold")
"""Renamed to a family of ours, for libraries that look among the system's fonts too: no system has that name."""
OWN_FAMILY = "Viewfinder Sans"
PICTURE_SIDE, PICTURE_COLORS = 112, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("viewfinder/materials/core"))
    parser.add_argument("--cache", type=Path, default=Path("build/materials"), help="where packages are kept")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    roots = {name: unpack(name, version, arguments.cache) for name, version in PACKAGES.items()}
    shutil.rmtree(arguments.out, ignore_errors=True)
    for folder in ("fonts", "licenses"):
        (arguments.out / folder).mkdir(parents=True)
    entries = [write_font(font, roots[font.package], arguments.out) for font in FONTS]
    entries += [write_own(name, entries, arguments.out) for name in OWN]
    entries.append(write_interface(arguments.out))
    pictures = write_pictures(roots["fonts-noto-color-emoji"], arguments.out)
    for name, root in roots.items():
        text = (root / "usr/share/doc" / name / "copyright").read_bytes()
        (arguments.out / "licenses" / f"{name}.txt").write_bytes(text)
    shutil.copy("/usr/share/common-licenses/Apache-2.0", arguments.out / "licenses" / "Apache-2.0.txt")
    manifest = {"name": "core-1", "fonttools": fontTools.version, "fonts": entries, "pictures": pictures}
    (arguments.out / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    total = sum(entry["bytes"] for entry in [*entries, pictures])
    print(f"{len(entries)} font files and {pictures['count']} pictures, {total:,} bytes, in {arguments.out}")


def unpack(name: str, version: str, cache: Path) -> Path:
    """The files of a package."""
    root = cache / name
    if not root.exists():
        subprocess.run(["apt-get", "download", f"{name}={version}"], cwd=cache, check=True, capture_output=True)
        package = next(cache.glob(f"{name}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    return root


def write_font(font: Font, root: Path, out: Path) -> dict[str, object]:
    """Copy or cut down one file and describe it."""
    path = min(path for path in root.rglob("*.[ot]t[fc]") if path.match(f"{font.file}.???"))
    target = out / "fonts" / f"{font.name}{'.otf' if path.suffix == '.otf' else '.ttf'}"
    if font.keep == WHOLE:
        shutil.copyfile(path, target)
        return describe(target, font)
    opened = TTCollection(path).fonts[font.number] if path.suffix == ".ttc" else TTFont(path)
    if "CFF " in opened:
        target = target.with_suffix(".otf")
    subset(opened, letters_of(font)).save(target)
    return describe(target, font)


def subset(font: TTFont, letters: set[str]) -> TTFont:
    """The font with these letters; hints, names and the usual layout features stay."""
    font.recalcTimestamp = False
    options = Options(name_IDs=["*"], name_languages=[0x409], notdef_outline=True, glyph_names=False, hinting=True)
    options.drop_tables += ["DSIG", "FFTM", "PfEd", "TTFA", "meta", "VDMX", "LTSH", "hdmx"]
    cutter = Subsetter(options)
    cutter.populate(unicodes=[ord(letter) for letter in letters])
    cutter.subset(font)
    return font


def letters_of(font: Font) -> set[str]:
    """What is kept: ranges, or the letters of the words that are drawn in a script."""
    kept: set[str] = set()
    for part in font.keep.split():
        kept |= between(RANGES[part]) if part in RANGES else spoken(part) | between(RANGES["ascii"])
    return kept


def spoken(language: str) -> set[str]:
    """All that kinds and evaluations draw in a language."""
    drawn = "".join(drawn_letters(language)) if language in all_languages() else ""
    script = SCRIPTS[language]
    return set(drawn + ALPHABETS.get(script, ("", ""))[1] + WORDS[script][1])


def between(ranges: str) -> set[str]:
    pairs = (part.partition("-") for part in ranges.split())
    return {chr(n) for low, _, high in pairs for n in range(int(low, 16), int(high or low, 16) + 1)}


def write_own(name: str, entries: list[dict[str, object]], out: Path) -> dict[str, object]:
    """A file under a family name that exists nowhere else."""
    entry = next(entry for entry in entries if str(entry["file"]).startswith(f"{name}."))
    font = subset(TTFont(out / "fonts" / str(entry["file"])), between("0020-017F 2010-2026 20AC 2212"))
    style = name.partition("-")[2]
    values = {1: OWN_FAMILY, 2: style, 4: f"{OWN_FAMILY} {style}", 6: f"ViewfinderSans-{style}", 3: f"core-1 {style}"}
    for record in font["name"].names:
        record.string = values.get(record.nameID, record.toUnicode())
    font["name"].names = [record for record in font["name"].names if record.nameID not in (16, 17)]
    target = out / "fonts" / f"ViewfinderSans-{style}.ttf"
    font.save(target)
    made = Font(str(entry["package"]), "", target.stem, str(entry["license"]), "latin", "charts")
    return describe(target, made)


def write_interface(out: Path) -> dict[str, object]:
    """The font that Pillow brings within its source, as a file."""
    target = out / "fonts" / "Aileron-Regular.ttf"
    opened = ImageFont.load_default(12)
    assert isinstance(opened, ImageFont.FreeTypeFont)
    target.write_bytes(opened.font_bytes)
    (out / "licenses" / "Pillow.txt").write_text(AILERON)
    return describe(target, Font("Pillow", "", target.stem, "CC0-1.0", WHOLE, "interface"))


def describe(path: Path, font: Font) -> dict[str, object]:
    data = path.read_bytes()
    opened = TTFont(path)
    letters = set(map(chr, opened.getBestCmap()))
    family, _, style = font.name.partition("-")
    languages = [code for code in all_languages() if drawn_letters(code) <= letters]
    if font.role == "script":
        languages = [code for code in languages if code in SCRIPTS]
    names = opened["name"]
    return {
        "file": path.name,
        "family": family,
        "style": style,
        "css": names.getBestFamilyName(),
        "version": (names.getDebugName(5) or "").split(";")[0].strip(),
        "role": font.role,
        "split": font.split,
        "languages": languages,
        "license": font.license,
        "changes": "" if font.keep == WHOLE else "letters left out",
        "package": font.package,
        "package_version": PACKAGES.get(font.package, PIL.__version__),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def write_pictures(root: Path, out: Path) -> dict[str, object]:
    """The named pictures of Noto Color Emoji as palette PNGs of one archive."""
    assert unicodedata.unidata_version == "14.0.0", "names are those of Unicode 14, which Python 3.11 knows"
    font = EmojiFont(next(root.rglob("NotoColorEmoji.ttf")))
    names = font.names()
    target = out / "noto-emoji.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            drawn = font.draw(name)
            drawn = drawn.crop(drawn.getbbox())
            drawn.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
            sink = BytesIO()
            drawn.quantize(PICTURE_COLORS, Image.Quantize.FASTOCTREE).save(sink, "PNG", optimize=True)
            archive.writestr(zipfile.ZipInfo(f"{name}.png", (2000, 1, 1, 0, 0, 0)), sink.getvalue())
    data = target.read_bytes()
    package = "fonts-noto-color-emoji"
    return {
        "file": target.name,
        "count": len(names),
        "license": OFL,
        "changes": f"drawn at {PICTURE_SIDE} pixels, {PICTURE_COLORS} colors",
        "package": package,
        "package_version": PACKAGES[package],
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


if __name__ == "__main__":
    main()
