"""Formulas, music and molecules: made up by rule, drawn by the libraries of their field, truth in their notation.

LaTeX by matplotlib's mathtext, ABC by verovio (one of its music fonts is held out), SMILES by RDKit. Each is drawn as
ink on nothing and pasted in the page's color.
"""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from viewfinder.data.synth.choose import chance, number, pick
from viewfinder.data.synth.documents.blocks import Look
from viewfinder.data.synth.documents.lettering import Column
from viewfinder.data.synth.documents.sheet import Sheet
from viewfinder.data.synth.kinds import Split
from viewfinder.outputs.document.elements import ChemicalFormula, Element, Formula, MusicSheet
from viewfinder.outputs.document.html_inline import escape

MUSIC_FONT, HELD_OUT_MUSIC_FONT = "Leipzig", "Petaluma"
MATH_FONTS, HELD_OUT_MATH_FONTS = ("cm", "stix", "dejavusans", "dejavuserif"), ("stixsans",)
_VARIABLES = "abcdhkmnpqrstuvwxyz"
_GREEK = (r"\alpha", r"\beta", r"\gamma", r"\theta", r"\lambda", r"\mu", r"\pi", r"\sigma", r"\omega", r"\phi")


def formula(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """A displayed formula in the middle of the column."""
    latex = make_formula(rng, 1 + round(2 * look.difficulty))
    mask = draw_formula(latex, round(look.size * 1.25), pick(rng, _math_fonts(look.split)))
    box = _paste(sheet, column, mask)
    return None if box is None else Formula(box, box, content=f"$${escape(latex)}$$")


def music(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """One or two lines of a tune."""
    abc = make_tune(rng, 2 + round(4 * look.difficulty))
    mask = draw_tune(abc, look.split)
    if mask.width > column.width:
        mask = mask.resize((column.width, max(1, round(mask.height * column.width / mask.width))))
    box = _paste(sheet, column, mask)
    return None if box is None else MusicSheet(box, box, content=escape(abc))


def molecule(rng: np.random.Generator, sheet: Sheet, column: Column, look: Look) -> Element | None:
    """A structural formula."""
    smiles = make_molecule(rng, look.split)
    side = min(column.width, 8 * look.size + 30)
    box = _paste(sheet, column, draw_molecule(smiles, (side, round(side * 0.75))))
    return None if box is None else ChemicalFormula(box, box, content=escape(smiles))


def _paste(sheet: Sheet, column: Column, mask: PillowImage.Image) -> tuple[float, float, float, float] | None:
    """Ink of a mask in the middle of the column; nothing where it does not fit."""
    bounds = mask.getbbox()
    mask = mask.crop(bounds) if bounds else mask
    if mask.width > column.width or mask.height + 4 > column.room:
        return None
    x, y = column.x + (column.width - mask.width) // 2, column.y + 2
    area = (x, y, x + mask.width, y + mask.height)
    sheet.image.paste(sheet.ink, area, mask)
    column.y += mask.height + 4
    box = sheet.ink_box(area)
    return None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3]))


def _math_fonts(split: Split) -> tuple[str, ...]:
    return HELD_OUT_MATH_FONTS if split == "held_out" else MATH_FONTS


def make_formula(rng: np.random.Generator, depth: int) -> str:
    """LaTeX of an equation or expression; `depth` bounds how far parts nest."""
    left = _expression(rng, max(0, depth - 1))
    if chance(rng, 0.75):
        sign = pick(rng, ("=", "=", "=", "<", r"\leq", r"\approx", ">"))
        return f"{left} {sign} {_expression(rng, depth)}"
    return f"{left} + {_expression(rng, depth)}"


def _atom(rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.5:
        return pick(rng, _VARIABLES)
    return pick(rng, _GREEK) if kind < 0.65 else str(number(rng, 1, 99))


def _expression(rng: np.random.Generator, depth: int) -> str:
    if depth <= 0:
        return _atom(rng)
    a, b = _expression(rng, depth - 1), _expression(rng, depth - 1)
    v, n = pick(rng, _VARIABLES), number(rng, 2, 9)
    return pick(
        rng,
        (
            f"{a} + {b}",
            f"{a} - {b}",
            rf"\frac{{{a}}}{{{b}}}",
            rf"\sqrt{{{a}}}",
            f"{v}^{{{n}}} + {b}",
            f"{v}_{{{n}}} {pick(rng, _VARIABLES)}",
            f"({a} + {v})^{{{n}}}",
            rf"\sum_{{i=1}}^{{{n}}} {v}_i",
            rf"\int_0^{{{n}}} {v} \, d{v}",
            rf"\sin({v}) + {b}",
            rf"\log {v}",
        ),
    )


@lru_cache(maxsize=1)
def _math_parser() -> Any:
    from matplotlib.mathtext import MathTextParser

    return MathTextParser("agg")


def draw_formula(latex: str, size: int, font: str) -> PillowImage.Image:
    """Ink of a formula, `size` pixels per em."""
    from matplotlib.font_manager import FontProperties

    # the size stands in the resolution: matplotlib looks for its fonts anew for every other size, 0.1 s each
    drawn = _math_parser().parse(f"${latex}$", dpi=7.2 * size, prop=FontProperties(size=10, math_fontfamily=font))
    return PillowImage.fromarray(np.array(drawn.image, np.uint8))


_KEYS = ("C", "G", "D", "F", "Am", "Em", "Bb", "A")
_NOTES = ("C", "D", "E", "F", "G", "A", "B", "c", "d", "e", "f", "g")


def make_tune(rng: np.random.Generator, bars: int) -> str:
    """ABC of a few bars in 2/4, 3/4 or 4/4 that add up."""
    beats = pick(rng, (2, 3, 4))
    at = number(rng, 3, 8)
    written: list[str] = []
    for _ in range(bars):
        left, bar = 2 * beats, ""
        while left:
            length = pick(rng, [n for n in (1, 1, 2, 2, 4) if n <= left])
            at = min(max(at + number(rng, -3, 3), 0), len(_NOTES) - 1)
            note = "z" if chance(rng, 0.06) else _NOTES[at]
            bar += note + ("" if length == 1 else str(length))
            left -= length
            if left % 2 == 0 and left:
                bar += " "
        written.append(bar)
    return f"X:1\nM:{beats}/4\nL:1/8\nK:{pick(rng, _KEYS)}\n{' | '.join(written)} |]"


@lru_cache(maxsize=2)
def _engraver(font: str) -> Any:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    kit = verovio.toolkit()
    margins = dict.fromkeys(("pageMarginTop", "pageMarginBottom", "pageMarginLeft", "pageMarginRight"), 10)
    kit.setOptions(
        {
            "inputFrom": "abc",
            "font": font,
            "pageWidth": 1200,
            "adjustPageHeight": True,
            "adjustPageWidth": True,
            "scale": 36,
            "header": "none",
            "footer": "none",
            **margins,
        }
    )
    return kit


def draw_tune(abc: str, split: Split) -> PillowImage.Image:
    """Ink of a tune."""
    from viewfinder.data.synth.objects import draw_svg

    kit = _engraver(HELD_OUT_MUSIC_FONT if split == "held_out" else MUSIC_FONT)
    kit.loadData(abc + "\n")
    drawn = draw_svg(kit.renderToSVG(1))
    white = PillowImage.new("RGBA", drawn.size, (255, 255, 255, 255))
    ink = ImageOps.invert(PillowImage.alpha_composite(white, drawn).convert("L"))
    bounds = ink.getbbox()
    return ink.crop(bounds) if bounds else ink


_MOLECULES = (
    *("CCO", "CC(=O)O", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C)C(=O)N2C", "CC(C)=O", "OC=O"),
    *("Cc1ccccc1", "Oc1ccccc1", "Nc1ccccc1", "CC(C)O", "CCOCC", "CC#N", "C1CCCCC1", "c1ccc2ccccc2c1", "CC(N)C(=O)O"),
    *("NCC(=O)O", "OCC(O)CO", "CC(O)C(=O)O", "c1ccncc1", "c1cc[nH]c1", "C1CCOC1", "O=C1CCCCC1", "CCCCCC", "CC=CC"),
    *("CC(=O)Nc1ccc(O)cc1", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "O=Cc1ccccc1", "COc1cc(C=O)ccc1O", "ClCCl"),
)
_GROUPS = ("C", "CC", "O", "N", "F", "Cl", "Br", "C(=O)O", "C#N", "OC", "C(C)C", "C=O", "S")
_HELD_OUT_GROUPS = ("[N+](=O)[O-]", "C(F)(F)F", "S(=O)(=O)N", "I")


def make_molecule(rng: np.random.Generator, split: Split) -> str:
    """Canonical SMILES: a known substance, or a ring or chain with groups; held-out ones carry held-out groups."""
    from rdkit import Chem

    if split == "train" and chance(rng, 0.3):
        smiles = pick(rng, _MOLECULES)
    else:
        first = pick(rng, _HELD_OUT_GROUPS if split == "held_out" else _GROUPS)
        second = pick(rng, _GROUPS)
        core = pick(
            rng, ("c1ccc({})cc1{}", "c1cc({})ccc1{}", "C1CCC({})CC1{}", "CC({})CC{}", "c1cnc({})cc1{}", "CCC({})C{}")
        )
        smiles = core.format(first, second)
    molecule = Chem.MolFromSmiles(smiles)
    assert molecule is not None, smiles
    return Chem.MolToSmiles(molecule)


def draw_molecule(smiles: str, size: tuple[int, int]) -> PillowImage.Image:
    """Ink of a structural formula, black and white."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(*size)
    canvas.drawOptions().useBWAtomPalette()
    canvas.drawOptions().padding = 0.03
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, Chem.MolFromSmiles(smiles))
    canvas.FinishDrawing()
    return ImageOps.invert(PillowImage.open(io.BytesIO(canvas.GetDrawingText())).convert("L"))
