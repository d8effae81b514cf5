"""TEDS: worked examples, and 500 random pairs against an independent reading and the `apted` package."""

import random
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from apted import APTED, Config
from lxml import html as etree
from rapidfuzz.distance import Levenshtein

from viewfinder.eval.metrics.teds import read_table_tree, teds, teds_structure

BENCH = run_path(str(Path(__file__).parents[3] / "bench" / "teds.py"), run_name="bench")


def table(*rows: str) -> str:
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def test_worked_examples() -> None:
    truth = table("<td>ab</td><td>c</td>")  # three nodes: a row and two cells
    assert teds(truth, truth) == 1
    assert teds(table("<td>ac</td><td>c</td>"), truth) == pytest.approx(1 - 0.5 / 3)
    assert teds(table("<td>ab</td>"), truth) == pytest.approx(1 - 1 / 3)
    assert teds(table("<td colspan=2>ab</td><td>c</td>"), truth) == pytest.approx(1 - 1 / 3)
    assert teds(table("<td>ab</td><td>c</td>", "<td></td>"), truth) == pytest.approx(1 - 2 / 5)
    assert teds(table("<td><b>ab</b></td><td>c</td>"), truth) == pytest.approx(1 - 0.5 / 4)  # <b> is a node, too


def test_structure_ignores_words() -> None:
    assert teds_structure(table("<td>x</td>"), table("<td>completely different</td>")) == 1
    assert teds_structure(table("<td>x</td>"), table("<td rowspan=2>x</td>")) == pytest.approx(0.5)


def test_heads_count_where_they_are_asked_for_and_never_in_the_published_score() -> None:
    truth = table("<th>name</th><th>age</th>", "<td>Ann</td><td>5</td>")
    wrong = table("<th>xxxx</th><th>yyy</th>", "<td>Ann</td><td>5</td>")
    assert teds(wrong, truth) == 1
    assert teds(wrong, truth, heads=True) == pytest.approx(1 - 2 / 6)
    assert teds(truth, truth, heads=True) == 1
    without = table("<td>name</td><td>age</td>", "<td>Ann</td><td>5</td>")
    assert teds(without, truth, heads=True) == pytest.approx(1 - 2 / 6)  # a head is no plain cell


def test_no_table_scores_nothing() -> None:
    assert teds("no table", table("<td>x</td>")) == 0
    assert teds(table("<td>x</td>"), "") == 0
    assert teds("<table></table>", "<table></table>") == 1


def test_nodes_and_tokens() -> None:
    tree = read_table_tree("<p>x</p><table><thead><tr><td>a&amp;<br>b</td></tr></thead></table>")
    assert tree is not None
    assert [label[0] for label in tree.labels] == ["td", "tr", "thead", "table"]
    assert tree.tokens[0] == ("a", "&", "<br>", "</br>", "b")
    assert tree.num_nodes == 4


class _Node:
    def __init__(self, label: Any, tokens: list[str]) -> None:
        self.label, self.tokens, self.children = label, tokens, list[_Node]()


def independent_teds(predicted: str, truth: str) -> float:
    """The published definition over lxml's reading, apted's distance and rapidfuzz's cells."""

    def tokens(element: Any) -> list[str]:
        inside = list(element.text or "")
        for child in element:
            inside += [f"<{child.tag}>", *tokens(child), f"</{child.tag}>", *(child.tail or "")]
        return inside

    def load(element: Any) -> _Node:
        if element.tag == "td":
            return _Node(("td", element.get("colspan", "1"), element.get("rowspan", "1")), tokens(element))
        node = _Node((element.tag,), [])
        node.children = [load(child) for child in element]
        return node

    class Costs(Config):
        def rename(self, node1: _Node, node2: _Node) -> float:
            if node1.label != node2.label:
                return 1.0
            longer = max(len(node1.tokens), len(node2.tokens))
            return Levenshtein.distance(node1.tokens, node2.tokens) / longer if longer else 0.0

    a, b = (etree.fromstring(f"<html><body>{text}</body></html>").find(".//table") for text in (predicted, truth))
    nodes = max(len(a.findall(".//*")), len(b.findall(".//*")))
    return 1.0 - APTED(load(a), load(b), Costs()).compute_edit_distance() / nodes


def random_pair(seed: int) -> tuple[str, str]:
    rng = random.Random(seed)
    truth = BENCH["random_table"](rng, rng.randint(1, 7), rng.randint(1, 5))
    return BENCH["damaged"](rng, truth), truth


def test_random_pairs_equal_an_independent_implementation() -> None:
    for seed in range(40):
        pair = random_pair(seed)
        assert teds(*pair) == pytest.approx(independent_teds(*pair)), pair


@pytest.mark.parity
def test_500_random_pairs_equal_an_independent_implementation() -> None:
    for seed in range(500):
        pair = random_pair(seed)
        assert teds(*pair) == pytest.approx(independent_teds(*pair)), pair
