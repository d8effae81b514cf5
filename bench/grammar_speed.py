"""What decoding under a grammar costs: a token of JSON by schema beside a free one, and one mask alone.

    python bench/grammar_speed.py [--repeats 5]

The built-in model writes the same number of tokens free and under the schema, in turns; `ours` is under the
schema, so a ratio of 0.9 would be a tenth slower. `grammar_share` is the share of a run that is spent inside the
grammar, which other work on the machine does not disturb. Masks alone are timed on the official vocabulary of
151,665 tokens, under random logits; they have no peer, and are to be set against the model's own time for a
token. Prints one JSON object a line.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from beside import arguments, beside, report

from viewfinder.engine.engine import Engine, generate
from viewfinder.engine.grammar import GrammarCompiler, TokenGrammar
from viewfinder.engine.sampler import Constraint
from viewfinder.messages import Sampling, user
from viewfinder.outputs.document.grammar import qwenvl_html_grammar
from viewfinder.outputs.grammars import boxes_grammar, spans_grammar
from viewfinder.processor.tokenizer import official_backend

TOKENS = 200
LINE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "price": {"type": "number"}, "tax": {"enum": ["full", "reduced"]}},
    "required": ["name", "price"],
    "additionalProperties": False,
}
RECEIPT = {
    "type": "object",
    "properties": {
        **{name: {"anyOf": [{"type": "string", "maxLength": 200}, {"type": "null"}]} for name in ("shop", "address")},
        "date": {"type": "string", "format": "date"},
        "lines": {"type": "array", "items": LINE, "minItems": 40, "maxItems": 80},
        "total": {"type": "number"},
    },
    "required": ["shop", "address", "date", "lines", "total"],
    "additionalProperties": False,
}


class Timed:
    """A grammar, and the seconds spent in it."""

    def __init__(self, grammar: TokenGrammar) -> None:
        self._grammar = grammar
        self.seconds = 0.0

    def bits(self) -> np.ndarray:
        start = time.perf_counter()
        bits = self._grammar.bits()
        self.seconds += time.perf_counter() - start
        return bits

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        return self._grammar.mask(logits)

    def accept(self, token_id: int) -> None:
        start = time.perf_counter()
        self._grammar.accept(token_id)
        self.seconds += time.perf_counter() - start

    def forced(self, most: int) -> list[int]:
        start = time.perf_counter()
        ids = self._grammar.forced(most)
        self.seconds += time.perf_counter() - start
        return ids

    @property
    def is_finished(self) -> bool:
        return self._grammar.is_finished


def grammar_share(engine: Engine) -> float:
    """Share of a constrained run spent in the grammar, compiling included; the median of five."""
    shares: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        timed = Timed(engine.grammars.json_schema(RECEIPT))
        timed.seconds = time.perf_counter() - start
        decode(engine, lambda timed=timed: timed)()
        shares.append(timed.seconds / (time.perf_counter() - start))
    return statistics.median(shares)


def decode(engine: Engine, make: Callable[[], Constraint | None]) -> Callable[[], None]:
    """A run of `TOKENS` tokens; the end of an answer is not allowed to shorten it."""
    prepared = engine.processor.prepare([user("Write about a receipt, at length.")])
    sampling = Sampling(max_new_tokens=TOKENS)

    def run() -> None:
        tokens = list(generate(engine.model, prepared.inputs, sampling, eos_token_ids=(), constraint=make()))
        assert len(tokens) == TOKENS, f"{len(tokens)} tokens, expected {TOKENS}"

    return run


def mask_times(grammar: TokenGrammar, width: int, steps: int = 400) -> list[float]:
    """Seconds of mask and accept for each token of an answer by random logits."""
    generator = torch.Generator().manual_seed(0)
    times: list[float] = []
    for _ in range(steps):
        if grammar.is_finished:
            grammar.reset()
        logits = torch.randn(width, generator=generator)
        start = time.perf_counter()
        masked = grammar.mask(logits)
        middle = time.perf_counter()
        token = int(masked.argmax())
        again = time.perf_counter()
        grammar.accept(token)
        times.append(middle - start + time.perf_counter() - again)
    return times


def main() -> None:
    options = arguments(__doc__)
    torch.set_num_threads(options.threads)
    engine = Engine.from_pretrained("tiny")
    compiler = engine.grammars
    free, bound = decode(engine, lambda: None), decode(engine, lambda: compiler.json_schema(RECEIPT))
    free(), bound()
    figures = beside(bound, free, options.repeats, options.clock)
    per_token = {key: value / TOKENS for key, value in figures.items() if key in ("ours", "peer")}
    report("a token of JSON by schema, built-in model", {**figures, **per_token}, grammar_share=grammar_share(engine))

    official = official_backend()
    start = time.perf_counter()
    compiler = GrammarCompiler(official, [151645])
    report("grammar compiler, 151,665 tokens", {"ours": time.perf_counter() - start})
    cases: dict[str, Callable[[], TokenGrammar]] = {
        "boxes": lambda: compiler.lark(boxes_grammar(1036, 1036)),
        "spans": lambda: compiler.lark(spans_grammar(3600.0)),
        "QwenVL HTML": lambda: compiler.lark(qwenvl_html_grammar(1036, 1036)),
        "JSON by schema": lambda: compiler.json_schema(RECEIPT),
    }
    for name, compile_ in cases.items():
        start = time.perf_counter()
        grammar = compile_()
        compiled = time.perf_counter() - start
        times = mask_times(grammar, 152064)
        worst = statistics.quantiles(times, n=100)[98]
        report(f"mask of a token, {name}", {"ours": statistics.mean(times), "p99": worst, "compile": compiled})


if __name__ == "__main__":
    main()
