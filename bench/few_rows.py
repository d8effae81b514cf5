"""Our product of a bfloat16 matrix with a few rows beside PyTorch's, alternating: `python bench/few_rows.py`."""

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

from viewfinder.model.native import narrow_rows

SIZES = ((2048, 2048), (11008, 2048), (2048, 11008))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    print("outputs inputs rows  ours/PyTorch (medians of 60)")
    for outputs, inputs in SIZES:
        weight = torch.randn(outputs, inputs, dtype=torch.bfloat16)
        for rows in (1, 2, 4):
            x = torch.randn(rows, inputs, dtype=torch.bfloat16)
            pairs = [
                (seconds(lambda: narrow_rows(weight, x)), seconds(lambda: F.linear(x, weight)))  # noqa: B023
                for _ in range(60)
            ]
            ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
            print(f"{outputs:7} {inputs:6} {rows:4}  {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
