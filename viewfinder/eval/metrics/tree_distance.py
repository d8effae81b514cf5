"""Tree edit distance (Zhang and Shasha 1989), for trees with many subtrees of the same shape, as tables are.

Nodes are numbered in postorder; `leftmost[i]` is the first leaf below i; a keyroot is a node with a left
sibling, or the root. The distance of two subtrees is a table over prefixes of their postorders. Here keyroots
of one shape are done together, as one array, and a table's row at once, since inserting costs 1:

    row[j] = min(best[j], row[j - 1] + 1)   is   j + cummin(best[k] - k)

Inserting and deleting cost 1, renaming what the caller says, at most 1. Knows no HTML.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

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
