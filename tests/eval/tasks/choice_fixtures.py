"""Tiny data sets of the benchmarks of questions over pictures, drawn here, in the official layouts and schemas."""

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
    text = "What color?\nOptions: A: red, B: green, C: blue, D: pink"
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
