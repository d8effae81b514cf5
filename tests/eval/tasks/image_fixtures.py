"""Tiny data sets of the image benchmarks, drawn here, in the official layouts and schemas."""

from pathlib import Path

from tests.eval.making import base64_png, cell, png, write_bytes, write_json, write_parquet, write_tsv

EXTRA = {"subfield": "", "img_type": "['Diagrams']", "topic_difficulty": "Easy", "explanation": ""}


def mmmu(root: Path) -> None:
    pictures = {f"image_{i}": None for i in range(3, 8)}
    options = "['one', 'two', 'three', 'four']"
    rows = [
        {
            "id": f"validation_Art_{i}",
            "question": f"What is <image 1> against <image 2>? ({i})",
            "options": options,
            "answer": answer,
            "question_type": "multiple-choice",
            "image_1": cell(f"a{i}"),
            "image_2": cell(f"b{i}"),
            **pictures,
            **EXTRA,
        }
        for i, answer in enumerate("ABC", 1)
    ]
    rows.append(
        {
            **rows[0],
            "id": "validation_Art_4",
            "question": "How many in <image 1>?",
            "options": "[]",
            "answer": "['12', 'twelve']",
            "question_type": "open",
        }
    )
    write_parquet(root / "Art" / "validation-00000-of-00001.parquet", rows)


def mmmu_pro(root: Path) -> None:
    options = str([f"option {i}" for i in range(10)])
    standard = [
        {
            "id": f"test_Art_{i}",
            "question": f"Q{i} <image 1>?",
            "options": options,
            "answer": answer,
            "subject": "Art",
            "image_1": cell(f"s{i}"),
        }
        for i, answer in enumerate("AJ")
    ]
    vision = [
        {"id": f"test_Art_{i}", "image": cell(f"v{i}"), "options": options, "answer": a, "subject": "Art"}
        for i, a in enumerate("CD")
    ]
    write_parquet(root / "standard (10 options)" / "test-00000-of-00001.parquet", standard)
    write_parquet(root / "vision" / "test-00000-of-00001.parquet", vision)


def mathvista(root: Path) -> None:
    base = {"unit": None, "image": "images/1.png", "metadata": {"task": "figure question answering"}, "question": "?"}
    rows = [
        {
            **base,
            "pid": "1",
            "query": "Hint: Please answer the question and provide the correct option letter.\nQ1",
            "choices": ["red", "blue"],
            "answer": "blue",
            "question_type": "multi_choice",
            "answer_type": "text",
            "precision": None,
        },
        {
            **base,
            "pid": "2",
            "query": "Q2: an integer",
            "choices": None,
            "answer": "12",
            "question_type": "free_form",
            "answer_type": "integer",
            "precision": None,
        },
        {
            **base,
            "pid": "3",
            "query": "Q3: a float",
            "choices": None,
            "answer": "1.2",
            "question_type": "free_form",
            "answer_type": "float",
            "precision": 1.0,
        },
        {
            **base,
            "pid": "4",
            "query": "Q4: choose",
            "choices": ["red", "green"],
            "answer": "red",
            "question_type": "multi_choice",
            "answer_type": "text",
            "precision": None,
        },
    ]
    write_parquet(
        root / "data" / "testmini-00000-of-00001.parquet", [{**r, "decoded_image": cell(r["pid"])} for r in rows]
    )


def mathvision(root: Path) -> None:
    base = {"solution": None, "level": 1, "subject": "algebra", "image": "images/1.jpg"}
    rows = [
        {**base, "id": "1", "question": "Which? <image1>", "options": ["3", "4", "5"], "answer": "B"},
        {**base, "id": "2", "question": "How much?", "options": [], "answer": "\\frac{1}{2}"},
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", [{**r, "decoded_image": cell(r["id"])} for r in rows])


def mmbench(name: str):
    def write(root: Path) -> None:
        rows = [
            {
                "index": 241,
                "question": "Which?",
                "hint": "look",
                "A": "cat",
                "B": "dog",
                "C": "cow",
                "D": "",
                "answer": "A",
                "category": "identity",
                "image": base64_png("cat"),
                "source": "made",
                "l2-category": "fine",
                "comment": "",
                "split": "dev",
            },
            {
                "index": 252,
                "question": "And here?",
                "hint": "",
                "A": "one",
                "B": "two",
                "C": "",
                "D": "",
                "answer": "B",
                "category": "count",
                "image": "241",
                "source": "made",
                "l2-category": "coarse",
                "comment": "",
                "split": "dev",
            },
        ]
        write_tsv(root / name, rows)

    return write


def mmstar(root: Path) -> None:
    text = "What colour?\nOptions: A: red, B: green, C: blue, D: pink"
    rows = [
        {
            "index": i,
            "question": text,
            "image": cell(f"m{i}"),
            "answer": a,
            "category": "coarse",
            "l2_category": "x",
            "meta_info": {"source": "made"},
        }
        for i, a in enumerate("ABCD")
    ]
    write_parquet(root / "mmstar-val.parquet", rows)


def realworldqa(root: Path) -> None:
    tail = "Please answer directly with only the letter of the correct option and nothing else."
    rows = [
        {"image": cell("r0"), "question": f"Which way?\n\nA. Left\nB. Right\nC. Back\n{tail}", "answer": "B"},
        {
            "image": cell("r1"),
            "question": "How many lanes? Please answer directly with a single word or number.",
            "answer": "3",
        },
        {
            "image": cell("r2"),
            "question": "Is it safe? Please answer directly with a single word or number.",
            "answer": "Yes",
        },
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)


def mme_realworld(root: Path) -> None:
    choices = ["(A) one", "(B) two", "(C) three", "(D) four", "(E) The image does not feature it."]
    rows = [
        {
            "Question_id": f"p/{i}",
            "Image": f"{i}.png",
            "Text": "How many?",
            "Question Type": "Multiple Choice",
            "Answer choices": choices,
            "Ground truth": a,
            "Category": "c",
            "Subtask": "Monitoring",
            "Task": "Perception",
        }
        for i, a in enumerate("AE")
    ]
    write_json(root / "MME_RealWorld.json", rows)
    for i in range(2):
        write_bytes(root / "images" / f"{i}.png", png(f"w{i}"))


def seedbench2_plus(root: Path) -> None:
    rows = [
        {
            "question_id": f"{i}",
            "question": "Which?",
            "image": cell(f"p{i}"),
            "answer": a,
            "question_image_type": "chart",
            **{f"choice_{c}": f"o{c}" for c in "ABCD"},
        }
        for i, a in enumerate("AB")
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)


def ai2d(root: Path) -> None:
    rows = [
        {
            "question": "Which part?",
            "options": ["root", "leaf", "stem", "seed"],
            "answer": str(i),
            "image": cell(f"d{i}"),
        }
        for i in range(4)
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)


def muirbench(root: Path) -> None:
    rows = [
        {
            "idx": i,
            "task": "Counting",
            "image_relation": "Independent",
            "image_type": "Photo",
            "question": "Is it <image> or <image>?",
            "options": ["first", "second", "None of the choices provided"],
            "answer": a,
            "image_list": [cell(f"x{i}"), cell(f"y{i}")],
            "counterpart_idx": None,
        }
        for i, a in enumerate("AC")
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)


def blink(root: Path) -> None:
    rows = [
        {
            "idx": f"val_Counting_{i}",
            "sub_task": "Counting",
            "question": "How many?",
            "prompt": "How many?\nSelect from the following choices.\n(A) 0\n(B) 3",
            "image_1": cell(f"k{i}"),
            "image_2": None,
            "image_3": None,
            "image_4": None,
            "choices": ["0", "3"],
            "answer": a,
            "explanation": "",
        }
        for i, a in enumerate(["(A)", "(B)"])
    ]
    write_parquet(root / "Counting" / "val-00000-of-00001.parquet", rows)


def hallusionbench(root: Path) -> None:
    """One family, two figures, two questions: answers yes, no; no, no."""
    answers = {("0", "0"): "1", ("0", "1"): "0", ("1", "0"): "0", ("1", "1"): "0"}
    rows = [
        {
            "category": "VD",
            "subcategory": "illusion",
            "visual_input": "1",
            "set_id": "0",
            "figure_id": f,
            "sample_note": "",
            "question_id": q,
            "question": f"Are they equal ({q})?",
            "gt_answer_details": "",
            "gt_answer": a,
            "filename": "",
            "image": cell(f"h{f}"),
        }
        for (f, q), a in answers.items()
    ]
    write_parquet(root / "data" / "image-00000-of-00001.parquet", rows)


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


def refcoco(split: str):
    def write(root: Path) -> None:
        rows = [
            {
                "question_id": str(i),
                "image": cell(f"ref{i}", (280, 140), (40, 30, 120, 90)),
                "question": "Please provide the bounding box",
                "answer": [f"the red box {i}", f"red {i}"],
                "segmentation": [0.0],
                "bbox": [40.0, 30.0, 80.0, 60.0],
                "iscrowd": 0,
                "file_name": f"{i}.jpg",
            }
            for i in range(2)
        ]
        write_parquet(root / "data" / f"{split}-00000-of-00001.parquet", rows)

    return write


def odinw(root: Path) -> None:
    for name, path in (("Raccoon", "Raccoon/Raccoon.v2-raw.coco/test"), ("pothole", "pothole/test")):
        folder = root / path
        write_bytes(folder / "1.png", png(name, (280, 140)))
        write_bytes(folder / "2.png", png(f"{name} 2", (280, 140)))
        content = {
            "images": [{"id": i, "file_name": f"{i}.png", "width": 280, "height": 140} for i in (1, 2)],
            "categories": [{"id": 1, "name": name.lower(), "supercategory": "x"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 10, 80, 60], "area": 4800, "iscrowd": 0},
                {"id": 2, "image_id": 1, "category_id": 1, "bbox": [150, 40, 100, 80], "area": 8000, "iscrowd": 0},
                {"id": 3, "image_id": 2, "category_id": 1, "bbox": [60, 30, 90, 90], "area": 8100, "iscrowd": 0},
            ],
        }
        write_json(folder / "annotations_without_background.json", content)


def pixmo_points(root: Path) -> None:
    width, height = 56, 28
    masks = [[[10 <= y < 20 and x0 <= x < x0 + 10 for x in range(width)] for y in range(height)] for x0 in (5, 30)]
    row = {
        "image_url": "http://example.org/a.png",
        "image_sha256": "ab" * 32,
        "label": "red square",
        "count": 2,
        "points": [{"x": 20.0, "y": 50.0}],
        "masks": masks,
    }
    write_parquet(root / "data" / "test-00000-of-00001.parquet", [row])
    write_bytes(root / "images" / f"{'ab' * 32}.png", png("", (width, height)))


def countbench(root: Path) -> None:
    rows = [
        {
            "image": cell(f"n{n}"),
            "text": f"{n} cups",
            "question": f"How many cups are there in the image {n}?",
            "number": n,
        }
        for n in (2, 10)
    ]
    write_parquet(root / "data" / "test-00000-of-00001.parquet", rows)
