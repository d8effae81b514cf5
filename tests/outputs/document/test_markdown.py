"""What a page says is what its Markdown shows."""

import pytest

from viewfinder.outputs.document import Document


def markdown(html: str) -> str:
    return Document.from_html(html).to_markdown().rstrip("\n")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>5*3*2</p>", r"5\*3\*2"),
        ("<p>2 * 3</p>", "2 * 3"),
        ("<p>snake_case and _this_</p>", r"snake_case and \_this\_"),  # docling#174
        ("<p>a `tick` ~~b~~ \\*</p>", r"a \`tick\` \~\~b\~\~ \\\*"),
        ("<p>[x](y) and [1]</p>", r"\[x](y) and [1]"),
        ("<p>$5 and $6</p>", r"\$5 and \$6"),
        ("<p>It costs $5.</p>", r"It costs \$5."),
        ("<p>so $x_1*y_2$ holds</p>", "so $x_1*y_2$ holds"),
        (r"<p>so \(x_1&lt;y\) holds</p>", "so $x_1< y$ holds"),
        (r"<p>so \(x_1 < 2\) holds</p>", "so $x_1 < 2$ holds"),
        (r"<p>\[E = mc^2\]</p>", "$$E = mc^2$$"),
        ("<p>1. no list</p>", r"1\. no list"),
        ("<p>2) no list</p>", r"2\) no list"),
        ("<p>- no list</p>", r"\- no list"),  # markdownify#62
        ("<p>Words<br>===</p>", "Words\n\\==="),
        ("<p>Words<br>-</p>", "Words\n\\-"),
        ("<h2>C #</h2>", r"## C \#"),
        ("<h2>C#</h2>", "## C#"),
        ('<p><a href="https://a.b/c_(d)">e*f</a></p>', r"[e\*f](https://a.b/c_%28d%29)"),
        ("<p><b>a*b</b> <code>c*d_e</code></p>", r"**a\*b** `c*d_e`"),
        ("<p><code>a`b</code></p>", "``a`b``"),
        ('<ol start="5"><li>a</li><li>b</li></ol>', "5. a\n6. b"),  # docling#4134
        ('<ol><li>a</li><li value="7">b</li><li>c</li></ol>', "1. a\n7. b\n8. c"),
        ("<ol><li>a<ol><li>x</li></ol></li><li>b</li></ol>", "1. a\n   1. x\n2. b"),  # docling-core#189
        ('<ol start="10"><li>a<ul><li>x</li></ul></li></ol>', "10. a\n    - x"),
        ("<ol><li>a</li></ol><ul><li>b</li></ul>", "1. a\n\n- b"),  # docling#851
        ("<ul><li>1. no list</li></ul>", r"- 1\. no list"),
        ("<pre>if x:\n    y = 1</pre>", "```\nif x:\n    y = 1\n```"),
        ("<pre>\na ``` b\n  c\n</pre>", "````\na ``` b\n  c\n````"),
        ("<table><tr><td>a*b</td></tr><tr><td>01234</td></tr></table>", "| a\\*b |\n| --- |\n| 01234 |"),
        (r'<div class="formula"><div>\[ x_1 \]</div></div>', "$$\nx_1\n$$"),
    ],
)
def test_markdown(html: str, expected: str) -> None:
    assert markdown(html).replace("  \n", "\n") == expected


@pytest.mark.parametrize(
    ("content", "latex"),
    [("$$x$$", "x"), ("$x$", "x"), (r"\[x\]", "x"), (r"\(x\)", "x"), ("x", "x"), (r"$5\$$", r"5\$"), ("$$x", "x")],
)
def test_delimiters_are_no_part_of_a_formula(content: str, latex: str) -> None:
    formula = Document.from_html(f'<div class="formula"><div>{content}</div></div>').pictures[0]
    assert formula.latex == latex  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "html",
    [
        '<html><body>\n<ol start="5" data-bbox="1 2 3 4"><li>a</li><li value="9">b</li></ol>\n</body></html>',
        '<html><body>\n<pre data-bbox="1 2 3 4">if x:\n    y = 1</pre>\n</body></html>',
    ],
)
def test_numbers_and_indentation_come_back(html: str) -> None:
    document = Document.from_html(html)
    assert (document.to_html(), document.repairs) == (html, [])
    assert Document.from_dict(document.to_dict()) == document


def test_the_words_of_code_keep_their_white_space() -> None:
    document = Document.from_html("<pre>if x:\n    y = 1 &lt; 2</pre>")
    assert document.text == "if x:\n    y = 1 < 2"
    assert "<pre>if x:\n    y = 1 &lt; 2</pre>" in document.to_clean_html()


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["01234", "00501"], ["01234", "00501"]),
        (["007", "12"], ["007", "12"]),
        (["0", "0.5", "10"], [0, 0.5, 10]),
        (["1,200", "950"], [1200, 950]),
        (["1,2", "3"], ["1,2", "3"]),
        (["12 34 56", "1"], ["12 34 56", "1"]),
        (["1 200", "1"], [1200, 1]),
        (["12345678901234567890", "1"], ["12345678901234567890", "1"]),
        (["−5", "(3)"], [-5, -3]),
    ],
)
def test_columns_of_numbers(cells: list[str], values: list[object]) -> None:
    pytest.importorskip("pandas")
    rows = "".join(f"<tr><td>{cell}</td></tr>" for cell in cells)
    assert Document.from_html(f"<table>{rows}</table>").tables[0].to_pandas()[0].tolist() == values


@pytest.mark.parametrize("piece", ["$", "\\[", "\\(", "[", "`", "*", "_", "<code>", "$x", "~~", "[a](", "$$"])
def test_long_texts_are_written_in_time_in_proportion_to_their_length(piece: str) -> None:
    markdown(f"<p>{piece * 20_000}</p>")  # a quadratic writer would need minutes
