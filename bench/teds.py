"""TEDS of tables beside the `apted` package, in one run: are they equal, and how long does each take.

    python bench/teds.py [--pairs 500]

The peer walks the same trees with the same costs, its cell distances by `rapidfuzz`. Prints one JSON object
a line: name, ours and peer in seconds, unit, ratio.
"""

import argparse
import json
import random
import time
from typing import Any

from apted import APTED, Config
from rapidfuzz.distance import Levenshtein

from viewfinder.eval.metrics.teds import TableTree, read_table_tree, teds

WORDS = (
    *("total", "net", "gross", "tax", "item", "price", "quantity", "date", "amount", "paid", "due", "sum"),
    *("12", "3.50", "1,204", "0", "17", "Q1", "Q2", "n/a"),
)


def random_table(rng: random.Random, rows: int, columns: int) -> str:
    cells = [[" ".join(rng.choices(WORDS, k=rng.randint(0, 3))) for _ in range(columns)] for _ in range(rows)]
    head = "".join(f"<td>{cell}</td>" for cell in cells[0])
    body = "".join("<tr>" + "".join(_cell(rng, cell) for cell in row) + "</tr>" for row in cells[1:])
    if rng.random() < 0.3:
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(rng: random.Random, text: str) -> str:
    span = rng.choice([""] * 9 + [' colspan="2"', ' rowspan="2"'])
    return f"<td{span}>{'<b>' + text + '</b>' if rng.random() < 0.1 else text}</td>"


def damaged(rng: random.Random, table: str) -> str:
    """A reading of the table with some mistakes."""
    for _ in range(rng.randint(0, 6)):
        cells = table.split("<td")
        i = rng.randrange(1, len(cells))
        match rng.choice(["letter", "drop", "double", "row"]):
            case "letter":
                words, end, rest = cells[i].partition("</td>")
                cells[i] = words.replace("ta", "fa", 1).replace("1", "7", 1) + end + rest
            case "drop" if len(cells) > 3 and "</tr>" not in cells[i]:
                del cells[i]
            case "double":
                cells.insert(i, cells[i].split("</td>")[0] + "</td>")
            case _:
                cells[i] = cells[i].replace("</td>", "</td></tr><tr>", 1)
        table = "<td".join(cells)
    return table


class _Node:
    def __init__(self, label: Any, tokens: Any) -> None:
        self.label, self.tokens = label, tokens
        self.children: list[_Node] = []


class _Costs(Config):
    def rename(self, node1: _Node, node2: _Node) -> float:
        if node1.label != node2.label:
            return 1.0
        longer = max(len(node1.tokens or ()), len(node2.tokens or ()))
        return Levenshtein.distance(node1.tokens, node2.tokens) / longer if longer else 0.0


def _peer_tree(table: TableTree) -> _Node:
    """Nodes of a postorder: the children of i are the roots of the subtrees between `leftmost[i]` and i."""
    nodes = [_Node(label, tokens) for label, tokens in zip(table.labels, table.tokens, strict=True)]
    for i, first in enumerate(table.tree.leftmost):
        child = i - 1
        while child >= first:
            nodes[i].children.insert(0, nodes[child])
            child = table.tree.leftmost[child] - 1
    return nodes[-1]


def peer(predicted: str, truth: str) -> float:
    a, b = read_table_tree(predicted), read_table_tree(truth)
    assert a is not None
    assert b is not None
    distance = APTED(_peer_tree(a), _peer_tree(b), _Costs()).compute_edit_distance()
    return 1.0 - distance / max(a.num_nodes, b.num_nodes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=500)
    pairs = parser.parse_args().pairs
    rng = random.Random(0)
    sets = {
        f"teds {pairs} pairs to 12x6": (pairs, lambda: (rng.randint(2, 12), rng.randint(1, 6))),
        "teds 5 pairs 30x8": (5, lambda: (30, 8)),
    }
    for name, (count, size) in sets.items():
        tables = [random_table(rng, *size()) for _ in range(count)]
        cases = [(damaged(rng, table), table) for table in tables]
        start = time.perf_counter()
        ours = [teds(*case) for case in cases]
        middle = time.perf_counter()
        theirs = [peer(*case) for case in cases]
        end = time.perf_counter()
        unequal = sum(abs(a - b) > 1e-9 for a, b in zip(ours, theirs, strict=True))
        result = {"name": name, "ours": middle - start, "peer": end - middle, "unit": "s", "unequal": unequal}
        print(json.dumps({**result, "ratio": result["peer"] / result["ours"]}))


if __name__ == "__main__":
    main()
