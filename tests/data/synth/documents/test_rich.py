import re

import numpy as np
import pytest

from tests.data.synth.pixels import background, measured, off_by
from viewfinder.data.synth.documents import notations
from viewfinder.data.synth.documents.pages import answer_html, set_page
from viewfinder.data.synth.documents.rich import ALONE, RICH
from viewfinder.data.synth.kinds import Options
from viewfinder.outputs.document.document import Document
from viewfinder.outputs.document.elements import Picture

HARD = Options(min_side=300, max_side=700, difficulty=1.0)


@pytest.mark.parametrize("mix", [RICH, ALONE])
def test_pictures_of_a_page_come_back_where_their_ink_is(mix: dict) -> None:  # type: ignore[type-arg]
    kinds: set[str] = set()
    for seed in range(8):
        page = set_page(np.random.default_rng(seed), HARD, mix=mix, most=12)
        (read,) = Document.from_html(answer_html(page, captions=True), page.frame).pages
        assert read.elements == page.elements
        ground = background(page.image)
        for element in page.elements:
            if isinstance(element, Picture) and element.box is not None:
                found = measured(page.image, element.box, ground, reach=1)
                assert found is not None
                assert off_by(found, element.box) <= 1, (seed, element)
                kinds.add(element.kind)
    assert kinds >= {"formula", "music sheet", "chemical formula"}


def test_bars_of_a_tune_are_full() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        abc = notations.make_tune(rng, 4)
        beats = int(re.search(r"M:(\d)/4", abc)[1])  # type: ignore[index]
        for bar in abc.split("\n")[-1].removesuffix("|]").split("|"):
            assert sum(int(n or 1) for n in re.findall(r"[A-Ga-gz](\d?)", bar)) == 2 * beats


def test_molecules_are_canonical_and_apart_by_split() -> None:
    from rdkit import Chem

    groups = [Chem.MolFromSmarts(g) for g in ("[N+](=O)[O-]", "C(F)(F)F", "S(=O)(=O)N", "[I]")]
    rng = np.random.default_rng(0)
    for _ in range(40):
        for split in ("train", "held_out"):
            smiles = notations.make_molecule(rng, split)  # type: ignore[arg-type]
            assert Chem.MolToSmiles(Chem.MolFromSmiles(smiles)) == smiles
            molecule = Chem.MolFromSmiles(smiles)
            has_held_out = any(molecule.HasSubstructMatch(group) for group in groups)
            assert has_held_out == (split == "held_out"), smiles


def test_formulas_are_drawn_in_all_fonts() -> None:
    rng = np.random.default_rng(1)
    for font in (*notations.MATH_FONTS, *notations.HELD_OUT_MATH_FONTS):
        assert notations.draw_formula(notations.make_formula(rng, 3), 18, font).getbbox() is not None
