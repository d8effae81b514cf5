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
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import fontTools
import PIL
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont
from PIL import Image, ImageFont

from viewfinder.data.synth.objects import EmojiFont
from viewfinder.data.synth.writing.languages import all_languages, drawn_letters
from viewfinder.eval.builtin.reading import ALPHABETS
from viewfinder.eval.suites.reading import WORDS

PACKAGES = {
    "fonts-cabin": "1.5-3",
    "fonts-cantarell": "0.303.1-1",
    "fonts-comfortaa": "3.001-3",
    "fonts-comic-neue": "2.51-4",
    "fonts-courier-prime": "0+git20190115-3",
    "fonts-croscore": "20201225-1",
    "fonts-crosextra-caladea": "20200211-1",
    "fonts-dancingscript": "1.2-2",
    "fonts-dejavu-core": "2.37-6",
    "fonts-ebgaramond": "0.016+git20210310.42d4f9f2-1",
    "fonts-firacode": "6.2-2",
    "fonts-hack": "3.003-3",
    "fonts-hosny-amiri": "0.113-1",
    "fonts-humor-sans": "1.0-4",
    "fonts-inconsolata": "001.010-6",
    "fonts-inter": "4.0~beta7+ds-1",
    "fonts-jetbrains-mono": "2.242+ds-3",
    "fonts-karla": "20201218-1",
    "fonts-kaushanscript": "1.02-2.1",
    "fonts-kristi": "20101220-1",
    "fonts-leckerli-one": "20120409-1",
    "fonts-lohit-deva": "2.95.4-5",
    "fonts-noto-cjk": "1:20220127+repack1-1",
    "fonts-noto-color-emoji": "2.042-0+deb12u1",
    "fonts-noto-core": "20201225-1",
    "fonts-open-sans": "1.11-2",
    "fonts-quicksand": "0.2016-2.1",
    "fonts-roboto-slab": "1.100263+20170512-2",
    "fonts-roboto-unhinted": "2:0~20170802-3",
    "fonts-tomsontalks": "1.1-9",
    "fonts-vollkorn": "4.105-2",
    "fonts-wqy-microhei": "0.2.0-beta-3.1",
}
_WHOLE = "whole"
_SCRIPTS = {"ja": "Japanese", "zh": "Chinese", "ko": "Korean", "ar": "Arabic", "hi": "Devanagari", "th": "Thai"}
_SCRIPTS["he"] = "Hebrew"
_RANGES = {
    "ascii": "0020-007E 200C-200D 25CC",
    "latin": "0020-017F 018F 0192 01A0-01A1 01AF-01B0 0218-021B 02C6-02DD 0300-0323 1E00-1EFF 2010-2044 20A0-20BF "
    "2103 2116 2122 2190-2199 2212 2248 2260 2264-2265 25A0-25CF 2713 2717 FB01-FB02",
    "greek": "0370-03FF",
    "cyrillic": "0400-045F 0490-0491",
    "kana": "3000-303F 3041-30FF FF01-FF5E",
}


@dataclass(frozen=True)
class Font:
    """One file: where it comes from, what it is for, and which letters of it are kept."""

    package: str
    file: str
    name: str
    license: str
    keep: str
    role: str = "text"
    split: str = "train"
    number: int = 0


def _family(package: str, name: str, styles: str, license: str, keep: str, **more: str) -> list[Font]:
    """Files `name-style` of a package; a style written `file>style` has another name there."""
    pairs = [(style.partition(">")[0], style.rpartition(">")[2]) for style in styles.split()]
    return [Font(package, more.get("file", name + "-{}").format(file), f"{name}-{style}", license, keep,
                 more.get("role", "text"), more.get("split", "train")) for file, style in pairs]  # fmt: skip


_LGC = "latin greek cyrillic"
_OFL, _APACHE, _VERA = "OFL-1.1", "Apache-2.0", "Bitstream-Vera"
_HELD = {"split": "held_out"}
FONTS = [
    *_family("fonts-dejavu-core", "DejaVuSans", "DejaVuSans>Regular DejaVuSans-Bold>Bold", _VERA, _LGC, file="{}"),
    *_family("fonts-dejavu-core", "DejaVuSansMono", "DejaVuSansMono>Regular", _VERA, _LGC, file="{}"),
    *_family("fonts-dejavu-core", "DejaVuSerif", "DejaVuSerif>Regular DejaVuSerif-Bold>Bold", _VERA, _LGC, file="{}"),
    *_family("fonts-croscore", "Arimo", "Regular Bold Italic", _OFL, _LGC),
    *_family("fonts-croscore", "Tinos", "Regular Bold Italic", _OFL, _LGC),
    *_family("fonts-croscore", "Cousine", "Regular", _OFL, _LGC),
    *_family("fonts-open-sans", "OpenSans", "Regular Bold Italic", _APACHE, _LGC),
    *_family("fonts-roboto-unhinted", "Roboto", "Regular Bold Italic", _APACHE, _LGC),
    *_family("fonts-roboto-unhinted", "RobotoCondensed", "Regular", _APACHE, _LGC),
    *_family("fonts-roboto-slab", "RobotoSlab", "Regular Bold", _APACHE, _LGC),
    *_family("fonts-inter", "Inter", "Regular Bold", _OFL, "latin"),
    *_family("fonts-karla", "Karla", "Regular Bold Italic", _OFL, "latin"),
    *_family("fonts-quicksand", "Quicksand", "Regular Bold", _OFL, _WHOLE),
    *_family("fonts-hack", "Hack", "Regular", _VERA, _LGC),
    *_family("fonts-noto-core", "NotoSans", "Regular Bold Italic", _OFL, _LGC),
    *_family("fonts-noto-core", "NotoSerif", "Regular Bold Italic", _OFL, _LGC),
    *_family("fonts-crosextra-caladea", "Caladea", "Regular Bold", _OFL, "latin"),
    *_family("fonts-ebgaramond", "EBGaramond", "EBGaramond12-Regular>Regular", _OFL, _LGC, file="{}"),
    *_family("fonts-jetbrains-mono", "JetBrainsMono", "Regular Bold", _OFL, "latin"),
    *_family("fonts-inconsolata", "Inconsolata", "Inconsolata>Regular", _OFL, "latin", file="{}"),
    *_family("fonts-courier-prime", "CourierPrime", "Prime>Regular Prime?Bold>Bold", _OFL, "latin", file="Courier {}"),
    *_family("fonts-comic-neue", "ComicNeue", "Regular Bold", _OFL, "latin"),
    *_family("fonts-comfortaa", "Comfortaa", "Regular", _OFL, _WHOLE),
    *_family("fonts-cabin", "Cabin", "Regular Bold Italic BoldItalic Medium SemiBold", _OFL, _WHOLE, **_HELD),
    *_family("fonts-cantarell", "Cantarell", "Regular Bold", _OFL, _LGC, **_HELD),
    *_family("fonts-firacode", "FiraCode", "Regular Bold Medium SemiBold", _OFL, _LGC, **_HELD),
    *_family("fonts-vollkorn", "Vollkorn", "Regular Bold Italic BoldItalic Medium SemiBold", _OFL, _LGC, **_HELD),
    *_family("fonts-noto-core", "NotoNaskhArabic", "Regular", _OFL, "ar", role="script"),
    *_family("fonts-noto-core", "NotoSansArabic", "Regular", _OFL, "ar", role="script"),
    *_family("fonts-noto-core", "NotoSansDevanagari", "Regular", _OFL, "hi", role="script"),
    *_family("fonts-noto-core", "NotoSerifDevanagari", "Regular", _OFL, "hi", role="script"),
    *_family("fonts-noto-core", "NotoSansThai", "Regular", _OFL, "th", role="script"),
    *_family("fonts-noto-core", "NotoSerifThai", "Regular", _OFL, "th", role="script"),
    *_family("fonts-noto-core", "NotoSansHebrew", "Regular", _OFL, "he", role="script"),
    *_family("fonts-hosny-amiri", "Amiri", "Regular", _OFL, "ar", role="script", **_HELD),
    *_family("fonts-lohit-deva", "LohitDevanagari", "Lohit-Devanagari>Regular", _OFL, _WHOLE, role="script",
             file="{}", **_HELD),
    *_family("fonts-noto-core", "NotoLoopedThai", "Regular", _OFL, "th", role="script", **_HELD),
    *(
        Font("fonts-noto-cjk", f"Noto{kind}CJK-{style}", f"Noto{kind}{place}-{style}", _OFL, keep, "script", split, at)
        for kind, split in (("Sans", "train"), ("Serif", "held_out"))
        for style in ("Regular", "Bold")
        for at, (place, keep) in enumerate((("JP", "ja kana"), ("KR", "ko"), ("SC", "zh")))
    ),
    Font("fonts-wqy-microhei", "wqy-microhei", "WenQuanYiMicroHei-Regular", _APACHE, "zh ja kana", "script"),
    *_family("fonts-dancingscript", "DancingScript", "Regular Bold", _OFL, _WHOLE, role="hand"),
    *_family("fonts-kaushanscript", "KaushanScript", "Regular", _OFL, _WHOLE, role="hand"),
    *_family("fonts-kristi", "Kristi", "Kristi>Regular", _OFL, _WHOLE, role="hand", file="{}"),
    *_family("fonts-humor-sans", "HumorSans", "Humor-Sans>Regular", _OFL, _WHOLE, role="hand", file="{}"),
    *_family("fonts-leckerli-one", "LeckerliOne", "Regular", _OFL, _WHOLE, role="hand", **_HELD),
    *_family("fonts-tomsontalks", "TomsonTalks", "TomsonTalks>Regular", _OFL, _WHOLE, role="hand", file="{}", **_HELD),
]  # fmt: skip
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
    if font.keep == _WHOLE:
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
        kept |= between(_RANGES[part]) if part in _RANGES else spoken(part) | between(_RANGES["ascii"])
    return kept


def spoken(language: str) -> set[str]:
    """All that kinds and evaluations draw in a language."""
    drawn = "".join(drawn_letters(language)) if language in all_languages() else ""
    script = _SCRIPTS[language]
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
    return describe(target, Font("Pillow", "", target.stem, "CC0-1.0", _WHOLE, "interface"))


def describe(path: Path, font: Font) -> dict[str, object]:
    data = path.read_bytes()
    opened = TTFont(path)
    letters = set(map(chr, opened.getBestCmap()))
    family, _, style = font.name.partition("-")
    languages = [code for code in all_languages() if drawn_letters(code) <= letters]
    if font.role == "script":
        languages = [code for code in languages if code in _SCRIPTS]
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
        "changes": "" if font.keep == _WHOLE else "letters left out",
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
        "license": _OFL,
        "changes": f"drawn at {PICTURE_SIDE} pixels, {PICTURE_COLORS} colors",
        "package": package,
        "package_version": PACKAGES[package],
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


if __name__ == "__main__":
    main()
