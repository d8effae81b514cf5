"""A small late-interaction retriever, trained in minutes: a projection on the built-in model.

    python bench/small_retriever.py OUT [--pages 240] [--steps 300]

It shows that the whole path works, and nothing about what ColQwen2.5 can do. The built-in model's tower and first layer
stay as they are; their states of pages and phrases (training fonts and layouts alone) are computed once, and the
projection learns by the loss of ColPali: of a batch's pages, the phrase's own must score highest. With the numbers here
it learns nothing that holds for other pages (docs/quantization.md).
"""

import argparse
import time

import torch
from page_evidence import make_page, phrases
from torch import Tensor
from torch.nn import functional as F

from viewfinder.chat.library.retriever import Retriever
from viewfinder.engine.checkpoints import find_checkpoint
from viewfinder.media.image import load_image
from viewfinder.model import load_model, save_pretrained
from viewfinder.model.late_interaction import LateInteraction
from viewfinder.processor.processor import Processor

_A_PAGE = 8
_BATCH = 32
_SCALE = 2.0
_LAYERS = 1
"""Of the language model, the first: as many as a CPU gets through."""


def start() -> Retriever:
    directory = find_checkpoint("tiny")
    plain = load_model(directory, dtype=torch.float32)
    text = plain.config.text.model_copy(update={"num_hidden_layers": _LAYERS})
    model = LateInteraction(plain.config.model_copy(update={"text": text}))
    kept = {name: tensor for name, tensor in plain.state_dict().items() if name in model.state_dict()}
    model.load_state_dict(kept, strict=False)
    torch.manual_seed(0)
    torch.nn.init.orthogonal_(model.custom_text_proj.weight)
    torch.nn.init.zeros_(model.custom_text_proj.bias)
    return Retriever(model.eval(), Processor.from_pretrained(directory))


@torch.inference_mode()
def states(retriever: Retriever, count: int) -> list[tuple[Tensor, list[Tensor]]]:
    """For each page its states, and those of a few phrases that stand on it."""
    model, found = retriever.model, []
    project = model.custom_text_proj
    model.custom_text_proj = torch.nn.Identity()  # the states before it
    model.vectors = model.hidden_states  # type: ignore[method-assign]
    for i in range(count):
        if i % 50 == 0:
            print(f"states of {i} pages", flush=True)
        page = make_page("train", i)
        known = [phrase for element in page.elements for phrase in phrases(element)]
        order = torch.randperm(len(known), generator=torch.Generator().manual_seed(i)).tolist()[:_A_PAGE]
        if order:
            pixels = retriever.page(load_image(page.image))[0]
            found.append((pixels, [retriever.query(known[k]) for k in order]))
    del model.vectors
    model.custom_text_proj = project
    return [(page.clone(), [query.clone() for query in queries]) for page, queries in found]


def padded(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]


def scores(project: torch.nn.Module, queries: list[Tensor], pages: list[Tensor]) -> Tensor:
    """Of each query (rows) with each page."""
    (q, q_there), (p, p_there) = padded(queries), padded(pages)
    q, p = F.normalize(project(q), dim=-1), F.normalize(project(p), dim=-1)
    products = torch.einsum("qnd,pmd->qpnm", q, p).masked_fill(~p_there[None, :, None], -1.0)
    return (products.amax(3) * q_there[:, None]).sum(2)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--pages", type=int, default=240)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    began = time.perf_counter()
    retriever = start()
    known = states(retriever, options.pages)
    held, known = known[: len(known) // 10], known[len(known) // 10 :]
    print(f"{len(known) + len(held)} pages in {time.perf_counter() - began:.0f} s", flush=True)
    project = retriever.model.custom_text_proj
    for parameter in project.parameters():
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(project.parameters(), lr=2e-3, weight_decay=0.01)
    rng = torch.Generator().manual_seed(1)
    for step in range(options.steps + 1):
        if step % 50 == 0:
            with torch.no_grad():
                best = scores(project, [queries[0] for _, queries in held], [page for page, _ in held]).argmax(1)
            right = (best == torch.arange(len(held))).float().mean()
            print(f"step {step}: {100 * right:.0f} % of {len(held)} pages found first", flush=True)
        chosen = [known[i] for i in torch.randperm(len(known), generator=rng)[:_BATCH].tolist()]
        queries = [queries[int(torch.randint(len(queries), (1,), generator=rng))] for _, queries in chosen]
        loss = F.cross_entropy(
            _SCALE * scores(project, queries, [page for page, _ in chosen]), torch.arange(len(chosen))
        )
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - step / (options.steps + 1))
        optimizer.step()
    save_pretrained(retriever.model, options.out)
    retriever.processor.save_pretrained(options.out)
    print(f"{options.out}: loss {loss.item():.2f}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
