"""Which fonts are shipped, from which packages of Debian 12, and which letters of each: for `make_materials`."""

from dataclasses import dataclass

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
WHOLE = "whole"
SCRIPTS = {"ja": "Japanese", "zh": "Chinese", "ko": "Korean", "ar": "Arabic", "hi": "Devanagari", "th": "Thai"}
SCRIPTS["he"] = "Hebrew"
RANGES = {
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
OFL, _APACHE, _VERA = "OFL-1.1", "Apache-2.0", "Bitstream-Vera"
_HELD = {"split": "held_out"}
FONTS = [
    *_family("fonts-dejavu-core", "DejaVuSans", "DejaVuSans>Regular DejaVuSans-Bold>Bold", _VERA, _LGC, file="{}"),
    *_family("fonts-dejavu-core", "DejaVuSansMono", "DejaVuSansMono>Regular", _VERA, _LGC, file="{}"),
    *_family("fonts-dejavu-core", "DejaVuSerif", "DejaVuSerif>Regular DejaVuSerif-Bold>Bold", _VERA, _LGC, file="{}"),
    *_family("fonts-croscore", "Arimo", "Regular Bold Italic", OFL, _LGC),
    *_family("fonts-croscore", "Tinos", "Regular Bold Italic", OFL, _LGC),
    *_family("fonts-croscore", "Cousine", "Regular", OFL, _LGC),
    *_family("fonts-open-sans", "OpenSans", "Regular Bold Italic", _APACHE, _LGC),
    *_family("fonts-roboto-unhinted", "Roboto", "Regular Bold Italic", _APACHE, _LGC),
    *_family("fonts-roboto-unhinted", "RobotoCondensed", "Regular", _APACHE, _LGC),
    *_family("fonts-roboto-slab", "RobotoSlab", "Regular Bold", _APACHE, _LGC),
    *_family("fonts-inter", "Inter", "Regular Bold", OFL, "latin"),
    *_family("fonts-karla", "Karla", "Regular Bold Italic", OFL, "latin"),
    *_family("fonts-quicksand", "Quicksand", "Regular Bold", OFL, WHOLE),
    *_family("fonts-hack", "Hack", "Regular", _VERA, _LGC),
    *_family("fonts-noto-core", "NotoSans", "Regular Bold Italic", OFL, _LGC),
    *_family("fonts-noto-core", "NotoSerif", "Regular Bold Italic", OFL, _LGC),
    *_family("fonts-crosextra-caladea", "Caladea", "Regular Bold", OFL, "latin"),
    *_family("fonts-ebgaramond", "EBGaramond", "EBGaramond12-Regular>Regular", OFL, _LGC, file="{}"),
    *_family("fonts-jetbrains-mono", "JetBrainsMono", "Regular Bold", OFL, "latin"),
    *_family("fonts-inconsolata", "Inconsolata", "Inconsolata>Regular", OFL, "latin", file="{}"),
    *_family("fonts-courier-prime", "CourierPrime", "Prime>Regular Prime?Bold>Bold", OFL, WHOLE, file="Courier {}"),
    *_family("fonts-comic-neue", "ComicNeue", "Regular Bold", OFL, "latin"),
    *_family("fonts-comfortaa", "Comfortaa", "Regular", OFL, WHOLE),
    *_family("fonts-cabin", "Cabin", "Regular Bold Italic BoldItalic Medium SemiBold", OFL, WHOLE, **_HELD),
    *_family("fonts-cantarell", "Cantarell", "Regular Bold", OFL, _LGC, **_HELD),
    *_family("fonts-firacode", "FiraCode", "Regular Bold Medium SemiBold", OFL, _LGC, **_HELD),
    *_family("fonts-vollkorn", "Vollkorn", "Regular Bold Italic BoldItalic Medium SemiBold", OFL, _LGC, **_HELD),
    *_family("fonts-noto-core", "NotoNaskhArabic", "Regular", OFL, "ar", role="script"),
    *_family("fonts-noto-core", "NotoSansArabic", "Regular", OFL, "ar", role="script"),
    *_family("fonts-noto-core", "NotoSansDevanagari", "Regular", OFL, "hi", role="script"),
    *_family("fonts-noto-core", "NotoSerifDevanagari", "Regular", OFL, "hi", role="script"),
    *_family("fonts-noto-core", "NotoSansThai", "Regular", OFL, "th", role="script"),
    *_family("fonts-noto-core", "NotoSerifThai", "Regular", OFL, "th", role="script"),
    *_family("fonts-noto-core", "NotoSansHebrew", "Regular", OFL, "he", role="script"),
    *_family("fonts-hosny-amiri", "Amiri", "Regular", OFL, "ar", role="script", **_HELD),
    *_family("fonts-lohit-deva", "LohitDevanagari", "Lohit-Devanagari>Regular", OFL, WHOLE, role="script",
             file="{}", **_HELD),
    *_family("fonts-noto-core", "NotoLoopedThai", "Regular", OFL, "th", role="script", **_HELD),
    *(
        Font("fonts-noto-cjk", f"Noto{kind}CJK-{style}", f"Noto{kind}{place}-{style}", OFL, keep, "script", split, at)
        for kind, split in (("Sans", "train"), ("Serif", "held_out"))
        for style in ("Regular", "Bold")
        for at, (place, keep) in enumerate((("JP", "ja kana"), ("KR", "ko"), ("SC", "zh")))
    ),
    Font("fonts-wqy-microhei", "wqy-microhei", "WenQuanYiMicroHei-Regular", _APACHE, "zh ja kana", "script"),
    *_family("fonts-dancingscript", "DancingScript", "Regular Bold", OFL, WHOLE, role="hand"),
    *_family("fonts-kaushanscript", "KaushanScript", "Regular", OFL, WHOLE, role="hand"),
    *_family("fonts-kristi", "Kristi", "Kristi>Regular", OFL, WHOLE, role="hand", file="{}"),
    *_family("fonts-humor-sans", "HumorSans", "Humor-Sans>Regular", OFL, WHOLE, role="hand", file="{}"),
    *_family("fonts-leckerli-one", "LeckerliOne", "Regular", OFL, WHOLE, role="hand", **_HELD),
    *_family("fonts-tomsontalks", "TomsonTalks", "TomsonTalks>Regular", OFL, WHOLE, role="hand", file="{}", **_HELD),
]  # fmt: skip
AILERON = """Aileron Regular, by Sora Sagano (dotcolon.net), cut down to basic Latin by the authors of Pillow,
in whose source it lies. Dedicated to the public domain: CC0 1.0 Universal, https://creativecommons.org/publicdomain/zero/1.0/
"""
