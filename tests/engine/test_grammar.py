"""Random logits under a grammar never leave it; canonical texts are always inside it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from viewfinder.engine.grammar import GrammarCompiler, TokenGrammar
from viewfinder.errors import GrammarError
from viewfinder.media.transform import Transform
from viewfinder.outputs.actions import Action, Device, format_action, parse_action, tool_schema
from viewfinder.outputs.boxes import Box, format_boxes, parse_boxes
from viewfinder.outputs.counts import format_count, parse_count
from viewfinder.outputs.document import Document
from viewfinder.outputs.document.grammar import qwenvl_html_grammar
from viewfinder.outputs.grammars import boxes_grammar, count_grammar, moments_grammar, points_grammar, spans_grammar
from viewfinder.outputs.points import Point, format_points, parse_points
from viewfinder.outputs.spans import Span, format_moments, format_spans, parse_spans
from viewfinder.outputs.times import TimeStyle
from viewfinder.outputs.tool_calls import tool_call_grammar
from viewfinder.processor.tokenizer import official_backend

EOS = 256
SAME = Transform.identity((504, 364))


@pytest.fixture(scope="module")
def compiler() -> GrammarCompiler:
    return GrammarCompiler([*(bytes([i]) for i in range(256)), b"<|im_end|>", *[b""] * 7], [EOS])


def write(grammar: TokenGrammar, seed: int, limit: int = 4000, favour: str = "") -> str:
    """An answer by random logits; bytes of `favour` are likelier, so that lists grow."""
    generator = torch.Generator().manual_seed(seed)
    bias = torch.zeros(280)
    bias[list(favour.encode())] = 3.0
    ids: list[int] = []
    while not grammar.is_finished and len(ids) < limit:
        ids.append(int(grammar.mask(torch.randn(280, generator=generator) + bias).argmax()))
        grammar.accept(ids[-1])
    assert grammar.is_finished
    return bytes(i for i in ids if i < 256).decode()


def accepts(grammar: TokenGrammar, text: str) -> bool:
    try:
        for byte in text.encode():
            grammar.accept(byte)
    except GrammarError:
        return False
    return grammar.may_finish


@pytest.mark.parametrize("seed", range(8))
def test_random_boxes_are_canonical_and_inside(compiler: GrammarCompiler, seed: int) -> None:
    text = write(compiler.lark(boxes_grammar(504, 364, max_items=5, max_label=8)), seed, favour=',\n\t"')
    boxes = parse_boxes(text, SAME)
    assert len(boxes) <= 5
    assert not any(box.clamped for box in boxes)
    assert text.count("bbox_2d") == len(boxes)


@pytest.mark.parametrize("seed", range(8))
def test_random_counts_say_what_they_list(compiler: GrammarCompiler, seed: int) -> None:
    grammar = compiler.lark(count_grammar(504, 364, max_items=6, places="points", labels=["dot", "点"]))
    count = parse_count(write(grammar, seed, favour=",\n\t"))
    assert count is not None
    assert count.consistent
    assert count.stated is not None


def test_canonical_texts_are_accepted_and_others_are_not(compiler: GrammarCompiler) -> None:
    box = Box(0, 0, 504, 364, 'a "b" \\ \n\x07 红')
    text = format_boxes([box, box], SAME)
    assert accepts(compiler.lark(boxes_grammar(504, 364)), text)
    assert accepts(compiler.lark(boxes_grammar(504, 364)), format_boxes([], SAME))
    assert not accepts(compiler.lark(boxes_grammar(503, 364)), text)
    assert not accepts(compiler.lark(boxes_grammar(504, 363)), text)
    assert not accepts(compiler.lark(boxes_grammar(504, 364, max_items=1)), text)
    assert not accepts(compiler.lark(boxes_grammar(504, 364, max_label=5)), text)
    spotted = Box(1, 2, 3, 4, text="Total: 12")
    assert accepts(compiler.lark(boxes_grammar(504, 364, key="text_content")), format_boxes([spotted], SAME))
    points = [Point(504, 0, "cake"), Point(3, 4, "pie")]
    assert accepts(compiler.lark(points_grammar(504, 364, labels=["pie", "cake"])), format_points(points, SAME))
    assert not accepts(compiler.lark(points_grammar(504, 364, labels=["pie"])), format_points(points, SAME))
    counted = format_count(points, "sweet things", SAME)
    grammar = compiler.lark(count_grammar(504, 364, places="points"))
    assert accepts(grammar, counted)
    grammar.reset()
    assert not accepts(grammar, counted.replace("There are 2", "There are 3"))
    assert parse_points(counted, SAME) == points


def test_times_stay_inside_the_clip(compiler: GrammarCompiler) -> None:
    spans = [Span(0, 75.5, "a"), Span(61.2, 75.5, 'b "c"')]
    styles: list[tuple[TimeStyle, float | None]] = [
        ("seconds", None),
        ("mm:ss.ff", None),
        ("h:mm:ss.ff", None),
        ("hmsf", 30),
    ]
    for style, fps in styles:
        text = format_spans(spans, 75.5, style, fps)
        assert accepts(compiler.lark(spans_grammar(75.5, style=style, fps=fps)), text)
        assert not accepts(compiler.lark(spans_grammar(75.4, style=style, fps=fps)), text)
        written = write(compiler.lark(spans_grammar(75.5, 5, style, fps, max_description=5)), seed=3, favour=",\n\t")
        assert not any(span.clamped for span in parse_spans(written, 75.5, fps=fps))
    assert accepts(compiler.lark(moments_grammar(75.5)), format_moments(spans, 75.5))
    assert accepts(compiler.lark(moments_grammar(75.5)), format_moments([], 75.5))
    assert not accepts(compiler.lark(moments_grammar(75.4)), format_moments(spans, 75.5))


def test_mask_covers_padding_rows_and_allows_the_end_where_it_may_be(compiler: GrammarCompiler) -> None:
    grammar = compiler.regex("ab?")
    logits = torch.zeros(300)
    assert grammar.mask(logits).isfinite().nonzero().flatten().tolist() == [ord("a")]
    assert grammar.forced(9) == [ord("a")]
    assert not grammar.may_finish
    grammar.accept(ord("a"))
    assert grammar.mask(logits).isfinite().nonzero().flatten().tolist() == [ord("b"), EOS]
    assert grammar.may_finish
    assert not grammar.is_finished
    fork = grammar.copy()
    fork.accept(EOS)
    assert fork.is_finished
    assert not grammar.is_finished
    assert grammar.mask(logits.bfloat16())[ord("b")] == 0
    with pytest.raises(GrammarError, match="token 122 is not allowed here"):
        grammar.accept(ord("z"))


@pytest.mark.parametrize(
    ("kind", "source", "message"),
    [
        ("lark", "start: (", "the Lark grammar cannot be compiled"),
        ("regex", "(", "the regular expression cannot be compiled"),
        ("json_schema", {"type": "no such type"}, "the JSON schema cannot be compiled"),
        ("json_schema", {"type": "string", "minLength": 5, "maxLength": 2}, "the JSON schema cannot be compiled"),
    ],
)
def test_what_cannot_be_compiled_is_refused_in_one_sentence(
    compiler: GrammarCompiler, kind: str, source: object, message: str
) -> None:
    with pytest.raises(GrammarError, match=message) as caught:
        getattr(compiler, kind)(source)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_with_special_tokens() -> None:
    """Tool call tags may be spelt by their token; picture placeholders may not appear in any free text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True) for name in ("<|im_end|>", "<|image_pad|>", "<tool_call>", "</tool_call>")]
    )
    compiler = GrammarCompiler(tokenizer, [256])
    assert compiler.vocab_size == 260
    grammar = compiler.lark('start: "<tool_call>" /[^x]*/ "x"')
    assert [i for i in range(256, 260) if grammar.allowed()[i]] == [258]
    grammar.accept(258)
    allowed = grammar.allowed()
    assert not allowed[256]
    assert not allowed[257]
    assert allowed[alphabet.index("a")]


QWEN_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def test_canonical_tokens_are_allowed_at_every_step() -> None:
    """A model that learnt canonical texts, token by token as its tokenizer cuts them, is never pushed off."""
    box = Box(10, 20, 304, 311, 'a "red" circle \\ 红')
    points = [Point(504, 0, "cake"), Point(3, 4, "pie")]
    cases = [
        (boxes_grammar(504, 364), format_boxes([box, box, box], SAME)),
        (boxes_grammar(504, 364), format_boxes([], SAME)),
        (boxes_grammar(504, 364, labels=["one", "one more"]), format_boxes([Box(1, 2, 3, 4, "one more")], SAME)),
        (points_grammar(504, 364), format_points(points, SAME)),
        (count_grammar(504, 364, places="points"), format_count(points, "sweet things", SAME)),
    ]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|im_end|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([text for _, text in cases], trainer)
    compiler = GrammarCompiler(tokenizer, [tokenizer.token_to_id("<|im_end|>")])
    for source, text in cases:
        grammar = compiler.lark(source)
        ids = tokenizer.encode(text).ids
        assert len(ids) < len(text) / 1.5
        for i in ids:
            assert grammar.allowed()[i], tokenizer.decode([i])
            grammar.accept(i)
        assert grammar.may_finish


@pytest.mark.parametrize("device", ["mobile", "computer"])
@pytest.mark.parametrize("seed", range(6))
def test_random_actions_can_be_done(compiler: GrammarCompiler, device: Device, seed: int) -> None:
    tools = [tool_schema(device, 504, 364, strict=True)]
    grammar = compiler.lark(tool_call_grammar(tools, thought=False))
    text = write(grammar, seed, favour='"}')
    action = parse_action(text, SAME)
    assert not action.clamped
    grammar.reset()
    assert accepts(grammar, format_action(action, SAME))
    assert accepts(compiler.lark(tool_call_grammar(tools)), "I tap\nit.\n" + format_action(action, SAME))
    short = compiler.lark(tool_call_grammar(tools, longest=20))
    assert accepts(short, "I tap\nit.\n" + format_action(action, SAME))
    short.reset()
    assert not accepts(short, "I tap it, and then I go on.\n" + format_action(action, SAME))


@pytest.mark.parametrize(
    ("more", "invents"),
    [
        ({}, False),
        ({"additionalProperties": True}, True),
        ({"allOf": [{"properties": {"b": {"type": "integer"}}}]}, True),
    ],
)
def test_a_call_has_the_arguments_its_function_names(
    compiler: GrammarCompiler, more: dict[str, Any], invents: bool
) -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "integer"}}, **more}
    grammar = compiler.lark(tool_call_grammar([{"name": "f", "parameters": parameters}], thought=False))
    head = '<tool_call>\n{"name": "f", "arguments": {"a": 1'
    assert accepts(grammar, head + "}}\n</tool_call>")
    grammar.reset()
    assert accepts(grammar, head + ', "b": 2}}\n</tool_call>') is invents


@pytest.mark.parametrize("seed", range(25))
def test_random_pages_are_well_formed(compiler: GrammarCompiler, seed: int) -> None:
    """Every tag closed, every box inside; only the order of corners is left to the parser."""
    grammar = compiler.lark(qwenvl_html_grammar(504, 364, max_elements=4))
    generator = torch.Generator().manual_seed(seed)
    bias = torch.zeros(280)
    bias[list(b"<>")], bias[ord("/")] = 3.5, 0.7
    ids: list[int] = []
    while not grammar.is_finished:
        ids.append(int(grammar.mask(torch.randn(280, generator=generator) + bias).argmax()))
        grammar.accept(ids[-1])
    document = Document.from_html(bytes(ids).decode(), SAME)
    assert document.repairs == []
    assert Document.from_html(document.to_html(), SAME) == document


@pytest.mark.parametrize("name", ["report_all_kinds", "checkpoint_tables", "checkpoint_handwriting"])
def test_official_pages_are_allowed(compiler: GrammarCompiler, name: str) -> None:
    html = (Path(__file__).parents[1] / "golden" / "documents" / f"{name}.html").read_text().strip()
    canonical = html.replace("</html></body>", "</body></html>").replace("<br/>", "<br>")
    canonical = canonical.replace("<caption>Legend</caption>", "")  # the format has none
    canonical = canonical.replace("<del>", "<s>").replace("</del>", "</s>")
    fenced = f"```html\n{canonical}\n```"
    assert accepts(compiler.lark(qwenvl_html_grammar(504, 504)), fenced)
    assert not accepts(compiler.lark(qwenvl_html_grammar(200, 504)), fenced)


def test_official_tokens_of_canonical_texts_are_allowed_at_every_step() -> None:
    """The same with the real vocabulary, and for pages and tool calls too."""
    tokenizer = official_backend()
    compiler = GrammarCompiler(tokenizer, [151645])
    golden = Path(__file__).parents[1] / "golden" / "documents"
    page = Document.from_html(
        (golden / "report_all_kinds.html").read_text().replace("</html></body>", "</body></html>")
    )
    spans = [Span(0, 75.5, "a pan is heated"), Span(61.2, 75.5, "油が入る")]
    click = Action("mobile", "click", coordinate=(93, 306))
    cases = [
        (boxes_grammar(504, 364), format_boxes([Box(10, 20, 304, 311, 'a "red" circle 红')] * 3, SAME)),
        (boxes_grammar(504, 364, key="text_content"), format_boxes([Box(1, 2, 33, 44, text="Total: 12.50")], SAME)),
        (boxes_grammar(504, 364), format_boxes([], SAME)),
        (points_grammar(504, 364), format_points([Point(504, 0, "cake")] * 2, SAME)),
        (count_grammar(504, 364, places="points"), format_count([Point(504, 0, "cake")] * 12, "cakes", SAME)),
        (spans_grammar(75.5), format_spans(spans, 75.5)),
        (moments_grammar(75.5), format_moments(spans, 75.5)),
        (qwenvl_html_grammar(504, 504), page.to_html(fenced=True)),
        (
            tool_call_grammar([tool_schema("mobile", 504, 364, strict=True)]),
            "I tap it.\n" + format_action(click, SAME),
        ),
    ]
    for source, text in cases:
        grammar = compiler.lark(source)
        for i in tokenizer.encode(text).ids:
            assert grammar.allowed()[i], (text[:40], tokenizer.decode([i]))
            grammar.accept(i)
        assert grammar.may_finish
        assert grammar.allowed()[151645]
