"""Choosing the next tokens of many rows: together (`ours`) and one by one by the definition (`peer`).

    python bench/sampling.py [--repeats 5] [--case "top-p"] [--device cuda]

64 rows of 151,936 logits, the token of rank r at -2 log r: 90 % of the chance are on a few tokens, as a model's mostly
are, and on some thousands in `flat` (normal logits); both sides must choose the same tokens. The definition is
`engine.reference.sample`, a sort of the whole row each time. On a GPU the peer's logits are on the CPU.
Prints one JSON object a line.
"""

import sys
from collections.abc import Callable

import torch
from beside import arguments, beside, report

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.engine import reference
from viewfinder.engine.batch_sampler import Turn, sample
from viewfinder.engine.grammar import GrammarCompiler, TokenGrammar
from viewfinder.engine.sampler import Sampler
from viewfinder.inputs import ModelInputs
from viewfinder.media.transform import Transform
from viewfinder.messages import Sampling
from viewfinder.outputs.boxes import Box, format_boxes
from viewfinder.outputs.grammars import boxes_grammar
from viewfinder.processor.tokenizer import official_backend

ROWS, PROMPT = 64, 500
CASES = {
    "greedy": Sampling(),
    "top-p": Sampling(temperature=0.7, top_p=0.9),
    "top-p, penalty, grammar at a number": Sampling(temperature=0.7, top_p=0.9, repetition_penalty=1.05),
    "top-p, penalty, grammar at a label": Sampling(temperature=0.7, top_p=0.9, repetition_penalty=1.05),
    "top-p, flat": Sampling(temperature=0.7, top_p=0.9),
}


def samplers_of(sampling: Sampling, grammar: TokenGrammar | None) -> list[Sampler]:
    config = OFFICIAL_SIZES["3B"]
    ids = torch.arange(PROMPT) * 7
    inputs = ModelInputs(
        ids, ids.expand(3, -1), torch.tensor([0, PROMPT], dtype=torch.int32), (0,), None, None, (), (0,)
    )
    seeded = [sampling.model_copy(update={"seed": i, "max_new_tokens": 100}) for i in range(ROWS)]
    return [Sampler(config, inputs, each, [151645], None if grammar is None else grammar.copy()) for each in seeded]


def sides(name: str, device: str, repeats: int) -> tuple[Callable[[], list[int]], Callable[[], list[int]]]:
    """Both ways to choose a token for each row, each call from new samplers."""
    grammar = None
    if "grammar" in name:
        grammar = GrammarCompiler(official_backend(), [151645]).lark(boxes_grammar(1036, 1036))
        answer = format_boxes([Box(13, 205, 331, 418, "cup")], Transform.identity((1036, 1036)))
        before = answer[: answer.index("cup" if "label" in name else "13")]
        for token_id in official_backend().encode(before, add_special_tokens=False).ids:
            grammar.accept(token_id)
    size = (ROWS, OFFICIAL_SIZES["3B"].text.vocab_size)
    logits = 3 * torch.randn(size, generator=torch.Generator().manual_seed(0))
    if "flat" not in name:  # in the order of these numbers
        logits = torch.empty(size).scatter_(1, logits.argsort(), -2 * torch.arange(1.0, size[1] + 1).log().expand(size))
    there, history = logits.to(device), (torch.arange(PROMPT) * 7).tolist()
    pool = iter([samplers_of(CASES[name], grammar) for _ in range(2 * repeats + 2)])

    def together() -> list[int]:
        found = sample([Turn(sampler) for sampler in next(pool)], there)
        return [part.tokens[0].id for part in found]

    def one_by_one() -> list[int]:
        rows = zip(next(pool), logits, strict=True)
        return [reference.sample(sampler, row, history, PROMPT).id for sampler, row in rows]

    return together, one_by_one


def main() -> None:
    device = sys.argv.pop(sys.argv.index("--device") + 1) if "--device" in sys.argv else "cpu"
    sys.argv = [word for word in sys.argv if word != "--device"]
    options = arguments(__doc__)
    torch.set_num_threads(options.threads)
    for name in CASES:
        if options.case in ("", name):
            together, one_by_one = sides(name, device, options.repeats)
            assert together() == one_by_one(), "both must choose the same tokens"
            report(
                f"a token for each of {ROWS} rows, {name}", beside(together, one_by_one, options.repeats, options.clock)
            )


if __name__ == "__main__":
    main()
