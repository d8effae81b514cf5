"""Tiny data sets of the benchmarks of text, documents and charts, drawn here, in the official layouts and schemas."""

from pathlib import Path

from tests.eval.making import base64_png, cell, png, write_bytes, write_json, write_parquet, write_tsv


def textvqa(root: Path) -> None:
    answers = ["nokia"] * 6 + ["toshiba"] * 4
    rows = [
        {
            "image_id": "a",
            "question_id": 34602,
            "question": "what is the brand?",
            "image": cell("nokia"),
            "answers": answers,
            "set_name": "val",
        }
    ]
    write_parquet(root / "data" / "validation-00000-of-00001.parquet", rows)


def docvqa(folder: str):
    def write(root: Path) -> None:
        rows = [
            {
                "questionId": str(i),
                "question": f"What is line {i}?",
                "question_types": ["form"],
                "image": cell(f"line {i}"),
                "docId": i,
                "answers": [f"line number {i}", f"{i}"],
                "data_split": "val",
            }
            for i in range(2)
        ]
        write_parquet(root / folder / "validation-00000-of-00001.parquet", rows)

    return write


def chartqa(root: Path) -> None:
    kinds = ["human_test", "human_test", "augmented_test"]
    rows = [
        {"type": k, "question": f"How much is {i}?", "answer": a, "image": cell(f"c{i}")}
        for i, (k, a) in enumerate(zip(kinds, ["Yes", "0.57", "23"], strict=True))
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)


def charxiv(root: Path) -> None:
    row = {
        "category": "cs",
        "year": "20",
        "original_id": "2004.1",
        "figure_path": "images/0.jpg",
        "num_subplots": 4,
        "subplot_row": 1,
        "subplot_col": 2,
        "subplot_loc": None,
    }
    row |= {f"descriptive_q{i}": q for i, q in enumerate((1, 4, 10, 18), 1)}
    row |= {f"descriptive_a{i}": a for i, a in enumerate(("Loss", "0.0", "3", "2 by 2"), 1)}
    row |= {"reasoning_q": "Which grows?", "reasoning_a": "alpha", "reasoning_a_type": 1, "reasoning_q_source": 1}
    write_parquet(root / "val.parquet", [{**row, "image": cell("chart")}])


def ocrbench(root: Path) -> None:
    rows = [
        {
            "dataset": "IIIT5K",
            "question": "what is written?",
            "question_type": "Regular Text Recognition",
            "answer": ["CENTRE"],
            "image": cell("CENTRE"),
        },
        {
            "dataset": "HME100k",
            "question": "LaTeX, please",
            "question_type": "Handwritten Mathematical Expression Recognition",
            "answer": ["x ^ { 2 }"],
            "image": cell("x2"),
        },
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)


def ocrbench_v2(root: Path) -> None:
    table = "<table><tr><td>a</td><td>b</td></tr></table>"
    rows = [
        ("text recognition en", "what is it?", ["hello"], None, None, None),
        ("diagram QA en", "which? A or B", ["B"], "multiple choice", None, None),
        ("text counting en", "how many letters?", ["10"], "regression", None, None),
        ("formula recognition en", "LaTeX?", ["x^{2}"], None, None, None),
        ("table parsing en", "as HTML", [table], None, None, None),
        ("document parsing en", "as Markdown", ["# Title\n\ntext"], None, None, None),
        (
            "key information extraction en",
            "the fields",
            ["{'total': ['12', '12.0'], 'date': ['today']}"],
            None,
            None,
            None,
        ),
        ("text grounding en", "where is 'a'?", ["100", "200", "500", "600"], None, None, None),
        ("VQA with position en", "what and where?", ["hello"], None, [100, 200, 500, 600], None),
        ("text spotting en", "all of it", [""], None, [[100, 100, 500, 100, 500, 300, 100, 300]], ["abc"]),
        ("full-page OCR en", "read", ["one two three four five six"], None, None, None),
        ("full-page OCR cn", "read", ["一二三四五六"], None, None, None),
        ("handwritten answer extraction cn", "选择题", ["AB"], None, None, None),
        ("cognition VQA cn", "什么?", ["红色"], None, None, None),
    ]
    write_parquet(
        root / "data" / "test-00000-of-00001.parquet",
        [
            {
                "id": i,
                "dataset_name": "made",
                "type": t,
                "question": q,
                "answers": a,
                "eval": e,
                "bbox": str(b) if b else None,
                "content": str(c) if c else None,
                "image": cell(f"v2 {i}", (200, 140)),
            }
            for i, (t, q, a, e, b, c) in enumerate(rows)
        ],
    )


def cc_ocr(root: Path) -> None:
    def one(question: str, answer: str, words: str) -> dict[str, str]:
        return {
            "index": "0",
            "image": base64_png(words),
            "question": question,
            "answer": answer,
            "image_name": f"{words}.png",
            "dataset": "d",
            "split": "s",
            "category": "c",
        }

    write_tsv(root / "multi_scene_ocr" / "scene_text" / "IC15_500.tsv", [one("read", "Stop here", "stop")])
    write_tsv(root / "multi_lan_ocr" / "Japanese" / "Japanese_150.tsv", [one("読んで", "日本語", "jp")])
    write_tsv(root / "doc_parsing" / "doc" / "doc_scan_eng_75.tsv", [one("latex", "\\section{A} b", "doc")])
    write_tsv(
        root / "doc_parsing" / "table" / "table_scan_eng_75.tsv",
        [one("html", "<table><tr><td>a</td></tr></table>", "tab")],
    )
    write_tsv(
        root / "kie" / "constrained_category" / "CORD_100.tsv", [one("json", '{"menu": [{"name": "cake"}]}', "kie")]
    )


def vcr(root: Path) -> None:
    rows = [
        {
            "question_id": 7,
            "image": cell("v"),
            "stacked_image": cell("vcr"),
            "only_it_image": cell("w"),
            "crossed_text": ["the quick brown fox jumps", "over the lazy dog now"],
            "caption": "the quick brown fox jumps over the lazy dog now",
        }
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)


def omnidocbench(root: Path) -> None:
    elements = [
        {"category_type": "title", "text": "A title", "order": 1, "ignore": False, "poly": [0] * 8, "anno_id": 1},
        {
            "category_type": "text_block",
            "text": "Some text of the page.",
            "order": 2,
            "ignore": False,
            "poly": [0] * 8,
            "anno_id": 2,
        },
        {
            "category_type": "table",
            "html": "<table><tr><td>a</td><td>b</td></tr></table>",
            "order": 3,
            "ignore": False,
            "poly": [0] * 8,
            "anno_id": 3,
        },
        {
            "category_type": "equation_isolated",
            "latex": "$$x^2$$",
            "order": 4,
            "ignore": False,
            "poly": [0] * 8,
            "anno_id": 4,
        },
        {"category_type": "header", "text": "left out", "order": None, "ignore": False, "poly": [0] * 8, "anno_id": 5},
    ]
    info = {
        "page_no": 0,
        "height": 112,
        "width": 168,
        "image_path": "p.png",
        "page_attribute": {"language": "english", "data_source": "book"},
    }
    write_json(root / "OmniDocBench.json", [{"layout_dets": elements, "page_info": info, "extra": {"relation": []}}])
    write_bytes(root / "images" / "p.png", png("page"))
