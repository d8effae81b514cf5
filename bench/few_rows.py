"""Our product of a bfloat16 matrix with a few rows beside PyTorch's, alternating: `python bench/few_rows.py`.

Medians of processor time. The weights are in huge pages, as those of a model that was loaded are on new kernels.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

from viewfinder.model.native import use_huge_pages
from viewfinder.model.native_quantized import PackedMatrix, quantized_rows

SIZES = ((2048, 2048), (11008, 2048), (2048, 11008), (151936, 2048))


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    print(f"{torch.get_num_threads()} threads; outputs inputs rows  ours/PyTorch  ours GB/s (medians of 40)")
    for outputs, inputs in SIZES:
        weight = use_huge_pages(torch.empty(outputs, inputs, dtype=torch.bfloat16)).normal_()
        for rows in (1, 2, 4, 8, 16):
            x = torch.randn(rows, inputs, dtype=torch.bfloat16)

            def ours(x: torch.Tensor = x, weight: torch.Tensor = weight) -> object:
                return quantized_rows(PackedMatrix(weight, None, None, 16), x)

            def theirs(x: torch.Tensor = x, weight: torch.Tensor = weight) -> object:
                return F.linear(x, weight)

            ours(), theirs()
            pairs = [(seconds(ours), seconds(theirs)) for _ in range(40)]
            mine, other = (statistics.median(times) for times in zip(*pairs, strict=True))
            print(
                f"{outputs:7} {inputs:6} {rows:4}  {mine / other:.2f}  {2 * weight.numel() / mine / 1e9:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
