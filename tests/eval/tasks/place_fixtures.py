"""Tiny data sets of the benchmarks of places and counts, drawn here, in the official layouts and schemas."""

from pathlib import Path

from tests.eval.making import cell, png, write_bytes, write_json, write_parquet


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
