"""TEDS and TEDS-structure: how alike two HTML tables are (Zhong et al. 2020; CC-OCR and OmniDocBench use it).

    TEDS = 1 - (tree edit distance of the tables) / (nodes of the larger table)

Cells (`td`) are leaves. Renaming costs 1 where tag, colspan or rowspan differ, and between cells the
normalised edit distance of their tokens: characters, and the tags inside them. TEDS-structure ignores words.
Tags inside cells count as nodes of the table, as in the published code, though they are not in the tree.

The published code knows `td` alone: a `th` has no words there, so that a table whose every head is wrong scores 1.
That is kept for outside benchmarks; with `heads` (our own tables and charts) a `th` is a cell like any other.
"""

import html
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from viewfinder.eval.metrics.edit_distance import edit_distances
from viewfinder.outputs.document.html_tree import VOID, Node, parse_tree

_CELLS = 1 << 22


@dataclass(frozen=True)
class Tree:
    """A tree as `leftmost`, in postorder: [0, 1, 0] is a root with two leaves."""

    leftmost: tuple[int, ...]

    @classmethod
    def from_children(cls, children: list[list[int]], root: int) -> tuple["Tree", list[int]]:
        """A tree from lists of children by node; also the given nodes in postorder."""
        leftmost: list[int] = []
        order: list[int] = []
        first_leaf: dict[int, int] = {}
        stack = [(root, False)]
        while stack:
            node, done = stack.pop()
            if done or not children[node]:
                first_leaf[node] = first_leaf[children[node][0]] if children[node] else len(order)
                order.append(node)
                leftmost.append(first_leaf[node])
            else:
                stack.append((node, True))
                stack += [(child, False) for child in reversed(children[node])]
        return cls(tuple(leftmost)), order

    def __len__(self) -> int:
        return len(self.leftmost)

    def shapes(self) -> list[tuple[tuple[int, ...], list[int]]]:
        """Keyroots grouped by the shape of their subtree, small shapes first; a shape is a `leftmost` of its own."""
        keyroots = {first: node for node, first in enumerate(self.leftmost)}  # the last node of each first leaf
        groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for node in sorted(keyroots.values()):
            first = self.leftmost[node]
            groups[tuple(leaf - first for leaf in self.leftmost[first : node + 1])].append(node)
        return sorted(groups.items(), key=lambda group: len(group[0]))


def tree_edit_distance(a: Tree, b: Tree, rename: np.ndarray) -> float:
    """Cheapest way to turn `a` into `b`.

    Args:
        rename: (len(a), len(b)), cost of turning node i of `a` into node j of `b`, 0..1, both in postorder.
    """
    distances = np.zeros((len(a), len(b)))
    for shape_a, roots_a in a.shapes():
        for shape_b, roots_b in b.shapes():
            step = max(1, _CELLS // (len(roots_b) * (len(shape_a) + 1) * (len(shape_b) + 1)))
            for start in range(0, len(roots_a), step):
                _forest_tables(shape_a, roots_a[start : start + step], shape_b, roots_b, rename, distances)
    return float(distances[-1, -1])


def _forest_tables(
    shape_a: tuple[int, ...],
    roots_a: list[int],
    shape_b: tuple[int, ...],
    roots_b: list[int],
    rename: np.ndarray,
    distances: np.ndarray,
) -> None:
    """Fill `distances` for all pairs of nodes on the left spines of these keyroots.

    `table[x, y, i, j]` is the distance of the first i nodes below keyroot x from the first j below keyroot y.
    """
    size_a, size_b = len(shape_a), len(shape_b)
    nodes_a = np.array(roots_a)[:, None] - size_a + 1 + np.arange(size_a)  # (x, i)
    nodes_b = np.array(roots_b)[:, None] - size_b + 1 + np.arange(size_b)  # (y, j)
    left_b = np.array(shape_b)
    spine_b = left_b == 0
    steps = np.arange(size_b + 1)
    table = np.empty((size_a + 1, len(roots_a), len(roots_b), size_b + 1))
    table[0] = steps
    for i in range(1, size_a + 1):
        pairs = nodes_a[:, None, i - 1, None], nodes_b[None]
        below = table[shape_a[i - 1]][..., left_b] + distances[pairs]  # forests to the left, and the two subtrees
        best = np.empty_like(table[0])
        best[..., 0] = i
        if shape_a[i - 1] == 0:
            renamed = table[i - 1][..., :-1] + rename[pairs]
            below = np.where(spine_b, renamed, below)
        best[..., 1:] = np.minimum(table[i - 1][..., 1:] + 1, below)
        table[i] = np.minimum.accumulate(best - steps, axis=-1) + steps
        if shape_a[i - 1] == 0:
            spine = np.flatnonzero(spine_b)
            distances[nodes_a[:, i - 1][:, None, None], nodes_b[None][..., spine]] = table[i][..., spine + 1]


Label = tuple[str, int | None, int | None]


@dataclass(frozen=True)
class TableTree:
    """A table in postorder: what each node is, and the tokens of those that are cells (None for the others)."""

    tree: Tree
    labels: list[Label]
    tokens: list[tuple[str, ...] | None]
    num_nodes: int


def teds(predicted: str, truth: str, structure_only: bool = False, heads: bool = False) -> float:
    """TEDS of two texts, 0..1, each with a `<table>` (the first counts); 0 where one has none.

    `heads`: the words of `th` count, too.

    One of two cells read as "ab" for "ac": `teds(...) == 1 - 0.5 / 3`, for table rows are nodes too.
    """
    a, b = read_table_tree(predicted, heads), read_table_tree(truth, heads)
    if a is None or b is None:
        return 0.0
    nodes = max(a.num_nodes, b.num_nodes)
    if nodes == 0:
        return 1.0
    return 1.0 - tree_edit_distance(a.tree, b.tree, rename_costs(a, b, structure_only)) / nodes


def teds_structure(predicted: str, truth: str) -> float:
    """TEDS without regard to words."""
    return teds(predicted, truth, structure_only=True)


def read_table_tree(text: str, heads: bool = False) -> TableTree | None:
    """The first table of a text as a tree; None where there is none. `heads`: a `th` is a cell."""
    cells = ("td", "th") if heads else ("td",)
    table = parse_tree(text)[0].first("table")
    if table is None:
        return None
    nodes, children = [table], [list[int]()]
    for i, node in enumerate(nodes):  # grows while it is read
        if node.tag not in cells:
            for child in node.nodes:
                children[i].append(len(nodes))
                nodes.append(child)
                children.append([])
    tree, order = Tree.from_children(children, 0)
    ordered = [nodes[i] for i in order]
    tokens = [tuple(cell_tokens(node)) if node.tag in cells else None for node in ordered]
    return TableTree(tree, [_label(node, cells) for node in ordered], tokens, _count(table))


def _label(node: Node, cells: tuple[str, ...]) -> Label:
    if node.tag not in cells:
        return node.tag, None, None
    return node.tag, _span(node, "colspan"), _span(node, "rowspan")


def _span(node: Node, name: str) -> int:
    written = node.attributes.get(name, "1").strip()
    return int(written) if written.isdecimal() and len(written) < 9 else 1


def _count(node: Node) -> int:
    return sum(1 + _count(child) for child in node.nodes)


def cell_tokens(cell: Node) -> list[str]:
    """Characters and tags of a cell: `a<b>c</b>` gives a, <b>, c, </b>."""
    tokens: list[str] = []
    for child in cell.children:
        if isinstance(child, str):
            tokens += html.unescape(child)
        else:
            inside = cell_tokens(child) if child.tag not in VOID else []
            tokens += [f"<{child.tag}>", *inside, f"</{child.tag}>"]
    return tokens


def rename_costs(a: TableTree, b: TableTree, structure_only: bool) -> np.ndarray:
    """Cost of renaming node i of `a` to node j of `b`; each distinct pair of contents is compared once."""
    kinds = {label: i for i, label in enumerate(dict.fromkeys(a.labels + b.labels))}
    rows, columns = (np.array([kinds[label] for label in table.labels]) for table in (a, b))
    costs = (rows[:, None] != columns[None, :]).astype(np.float64)
    if structure_only:
        return costs
    cells_a = [i for i, tokens in enumerate(a.tokens) if tokens is not None]
    cells_b = [j for j, tokens in enumerate(b.tokens) if tokens is not None]
    if cells_a and cells_b:
        differences = _differences([a.tokens[i] or () for i in cells_a], [b.tokens[j] or () for j in cells_b])
        both = np.ix_(cells_a, cells_b)
        costs[both] = np.where(costs[both] == 1, 1, differences)
    return costs


def _differences(a: list[tuple[str, ...]], b: list[tuple[str, ...]]) -> np.ndarray:
    """Normalised edit distances of all pairs of contents."""
    distinct_a, distinct_b = list(dict.fromkeys(a)), list(dict.fromkeys(b))
    lengths = np.maximum.outer([len(tokens) for tokens in distinct_a], [len(tokens) for tokens in distinct_b])
    values = edit_distances(distinct_a, distinct_b) / np.maximum(lengths, 1)
    place_a = {tokens: i for i, tokens in enumerate(distinct_a)}
    place_b = {tokens: j for j, tokens in enumerate(distinct_b)}
    return values[np.ix_([place_a[tokens] for tokens in a], [place_b[tokens] for tokens in b])]
