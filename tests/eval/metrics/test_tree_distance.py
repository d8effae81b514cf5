"""Tree edit distance against its definition, word for word."""

import random
from functools import cache

import numpy as np
import pytest

from viewfinder.eval.metrics.teds import Tree, tree_edit_distance

Shape = tuple[int, tuple["Shape", ...]]


def random_tree(rng: random.Random, size: int) -> tuple[list[list[int]], list[int]]:
    children: list[list[int]] = [[] for _ in range(size)]
    for node in range(1, size):
        children[rng.randrange(max(0, node - rng.choice([1, 4, 9])), node)].append(node)
    return children, [rng.randrange(4) for _ in range(size)]


def defined_distance(a: Shape, b: Shape, costs: list[list[float]]) -> float:
    """Over forests: delete the last root, insert it, or rename it; the least of the three."""

    @cache
    def size(forest: tuple[Shape, ...]) -> int:
        return sum(1 + size(tree[1]) for tree in forest)

    @cache
    def distance(f: tuple[Shape, ...], g: tuple[Shape, ...]) -> float:
        if not f or not g:
            return size(f) + size(g)
        (x, below_x), (y, below_y) = f[-1], g[-1]
        renamed = distance(f[:-1], g[:-1]) + distance(below_x, below_y) + costs[x][y]
        return min(distance(f[:-1] + below_x, g) + 1, distance(f, g[:-1] + below_y) + 1, renamed)

    return distance((a,), (b,))


@pytest.mark.parametrize("seed", range(60))
def test_equal_to_the_definition(seed: int) -> None:
    rng = random.Random(seed)
    costs = [[0.0 if i == j else rng.choice([1, 0.5, 0.25]) for j in range(4)] for i in range(4)]
    trees: list[tuple[Tree, list[int], Shape]] = []
    for _ in range(2):
        children, labels = random_tree(rng, rng.randint(1, 14))
        tree, order = Tree.from_children(children, 0)

        def shape(node: int, children: list[list[int]] = children, labels: list[int] = labels) -> Shape:
            return labels[node], tuple(shape(child, children, labels) for child in children[node])

        trees.append((tree, [labels[node] for node in order], shape(0)))
    (a, labels_a, shape_a), (b, labels_b, shape_b) = trees
    rename = np.array([[costs[x][y] for y in labels_b] for x in labels_a])
    assert tree_edit_distance(a, b, rename) == pytest.approx(defined_distance(shape_a, shape_b, costs))


def test_postorder() -> None:
    """Node 0 has the children 1 and 2, and 1 has the child 3: postorder is 3, 1, 2, 0."""
    tree, order = Tree.from_children([[1, 2], [3], [], []], 0)
    assert order == [3, 1, 2, 0]
    assert tree.leftmost == (0, 0, 2, 0)
    assert tree.shapes() == [((0,), [2]), ((0, 0, 2, 0), [3])]


def test_worked_example() -> None:
    """f(d(a c(b)) e) and f(c(d(a b)) e), the example of Zhang and Shasha's paper: distance 2."""
    a, order_a = Tree.from_children([[1, 5], [2, 3], [], [4], [], []], 0)
    b, order_b = Tree.from_children([[1, 5], [2], [3, 4], [], [], []], 0)
    names_a, names_b = "fdacbe", "fcdabe"
    rename = np.array([[float(names_a[i] != names_b[j]) for j in order_b] for i in order_a])
    assert tree_edit_distance(a, b, rename) == 2


def test_a_deep_tree_needs_no_deep_stack() -> None:
    chain, _ = Tree.from_children([[i + 1] if i < 1999 else [] for i in range(2000)], 0)
    one, _ = Tree.from_children([[]], 0)
    assert tree_edit_distance(chain, one, np.zeros((2000, 1))) == 1999
