"""How long late interaction searches 2,000 pages: `OMP_NUM_THREADS=2 python bench/page_search.py`.

Random vectors, 779 a page as a picture of 768 tokens has, and a query of 20 tokens; the time depends on sizes alone.
Beside it the formula of colpali-engine (`einsum`, then the largest, then the sum), in the same run.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

from viewfinder.chat.library.page_vectors import PageMatrix


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--tokens", type=int, default=779)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.manual_seed(0)
    count = options.pages * options.tokens
    pages = torch.cat([F.normalize(part, dim=-1).bfloat16() for part in torch.randn(count, 128).split(1 << 16)])
    query = F.normalize(torch.randn(20, 128), dim=-1)
    library = PageMatrix(pages.split(options.tokens))
    library.best(query, 10)
    padded = pages.view(options.pages, options.tokens, 128)

    def theirs() -> torch.Tensor:
        return torch.einsum("bnd,csd->bcns", query[None].bfloat16(), padded).amax(dim=3).sum(dim=2)

    exact = theirs()[0].float().topk(10)
    others: list[float] = []
    ours: list[float] = []
    busy: list[float] = []
    for i in range(options.repeats):
        others += [milliseconds(theirs)] if i < 2 else []
        began = time.process_time()
        ours.append(milliseconds(lambda: library.best(query, 10)))
        busy.append((time.process_time() - began) * 1e3)
    found = library.best(query, 10)
    same = len({page for page, _ in found} & set(exact.indices.tolist()))
    print(f"{torch.get_num_threads()} threads, {options.pages} pages of {options.tokens} vectors")
    print(f"median {statistics.median(ours):.1f} ms, best {min(ours):.1f} ms; processor time of both cores together")
    print(f"  median {statistics.median(busy):.1f} ms, best {min(busy):.1f} ms")
    print(f"the formula over all pages {min(others):.1f} ms; of its ten best pages {same} are found")


if __name__ == "__main__":
    main()
