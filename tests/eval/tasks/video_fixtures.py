"""Tiny data sets of the video benchmarks, filmed here, in the official layouts and schemas."""

import zipfile
from pathlib import Path

from tests.eval.making import write_clip, write_json, write_lines, write_parquet


def videomme(root: Path) -> None:
    """The clips stand in a zip archive, as on the hub."""
    rows = [
        {
            "video_id": "001",
            "duration": "short",
            "domain": "Knowledge",
            "sub_category": "Art",
            "url": "u",
            "videoID": "aBc",
            "question_id": f"001-{i}",
            "task_type": "Counting Problem",
            "question": f"How many ({i})?",
            "options": ["A. 1.", "B. 2.", "C. 3.", "D. 4."],
            "answer": a,
        }
        for i, a in enumerate("AD")
    ]
    write_parquet(root / "videomme" / "test-00000-of-00001.parquet", rows)
    write_clip(root / "made.mp4")
    srt = "1\n00:00:00,000 --> 00:00:01,000\n<i>Hello</i> there\n\n2\n00:00:01,000 --> 00:00:02,000\nbye\n"
    with zipfile.ZipFile(root / "videos_chunked_01.zip", "w") as zipped:
        zipped.write(root / "made.mp4", "data/aBc.mp4")
        zipped.writestr("subtitle/aBc.srt", srt)
    (root / "made.mp4").unlink()


def mvbench(root: Path) -> None:
    base = {"question": "What happened?", "candidates": ["ran", "sat", "ate", "slept"]}
    write_json(
        root / "json" / "action_sequence.json", [{**base, "video": "a.mp4", "answer": "ran", "start": 0.5, "end": 1.5}]
    )
    write_json(root / "json" / "moving_count.json", [{**base, "video": "b.mp4", "answer": "slept"}])
    write_clip(root / "video" / "star" / "Charades_segment" / "a.mp4")
    write_clip(root / "video" / "clevrer" / "b.mp4")


def longvideobench(root: Path) -> None:
    rows = [
        {
            "video_id": "x",
            "id": f"x_{i}",
            "video_path": "x.mp4",
            "question": f"Who ({i})?",
            "candidates": ["a", "b", "c"],
            "correct_choice": i,
            "duration_group": 15,
            "question_category": "S2E",
            "subtitle_path": "x.json",
            "position": [0],
            "topic_category": "t",
            "duration": 2.0,
            "view_count": 1,
            "starting_timestamp_for_subtitles": 0,
        }
        for i in range(3)
    ]
    write_json(root / "lvb_val.json", rows)
    write_clip(root / "videos" / "x.mp4")


def lvbench(root: Path) -> None:
    ask = "What year appears?\n(A) 1636\n(B) 1366\n(C) 1363\n(D) 1633"
    qa = [
        {
            "uid": str(i),
            "question": ask if i else ask.replace("appears", "is shown"),
            "answer": a,
            "question_type": ["key information retrieval"],
            "time_reference": "00:15-00:19",
        }
        for i, a in enumerate("AD")
    ]
    write_lines(root / "video_info.meta.jsonl", [{"key": "Cm7", "type": "cartoon", "video_info": {"fps": 4}, "qa": qa}])
    write_clip(root / "videos" / "Cm7.mp4")


def mlvu(root: Path) -> None:
    row = {
        "video": "p.mp4",
        "duration": 2.0,
        "question": "What color?",
        "candidates": ["red", "blue", "pink", "grey"],
        "answer": "red",
        "question_type": "plotQA",
    }
    write_json(root / "MLVU" / "json" / "1_plotQA.json", [row])
    write_json(
        root / "MLVU" / "json" / "3_ego.json",
        [{**row, "question": "And now?", "answer": "grey", "question_type": "ego"}],
    )
    write_json(
        root / "MLVU" / "json" / "8_sub_scene.json",
        [{"video": "p.mp4", "question": "Tell.", "answer": "so", "question_type": "subPlot"}],
    )
    for folder in ("1_plotQA", "3_ego"):
        write_clip(root / "MLVU" / "video" / folder / "p.mp4", 2.0 if folder == "3_ego" else 1.0)


def egoschema(root: Path) -> None:
    rows = [
        {
            "question_idx": str(i),
            "question": f"Why ({i})?",
            "video_idx": "e",
            "option": [f"{c}. because {c}" for c in "ABCDE"],
            "answer": a,
        }
        for i, a in enumerate("04")
    ]
    write_parquet(root / "Subset" / "test-00000-of-00001.parquet", rows)
    write_clip(root / "videos" / "e.mp4")


def perceptiontest(root: Path) -> None:
    rows = [
        {
            "video_name": "video_1",
            "question_id": str(i),
            "question": f"Is it ({i})?",
            "options": ["moving", "still", "I don't know"],
            "answer_id": a,
            "area": "physics",
            "reasoning": "descriptive",
            "tag": ["motion"],
        }
        for i, a in enumerate("02")
    ]
    write_parquet(root / "mc_question_val" / "validation-00000-of-00001.parquet", rows)
    write_clip(root / "videos" / "video_1.mp4")


def tempcompass(root: Path) -> None:
    def put(form: str, rows: list[dict[str, str]]) -> None:
        write_parquet(
            root / form / "test-00000-of-00001.parquet", [{"video_id": "t", "dim": "action", **row} for row in rows]
        )

    options = "A. cooking\nB. playing"
    put("multi-choice", [{"question": f"What is done?\n{options}", "answer": "B. playing"}])
    put("yes_no", [{"question": "Is it cooking?", "answer": "no"}])
    captions = "Which caption matches the video better?\nCaption A: one cooks\nCaption B: one plays"
    put("caption_matching", [{"question": captions, "answer": "Caption A: one cooks"}])
    put(
        "captioning",
        [
            {
                "question": "Describe it.",
                "answer": "",
                "mc_question": f"What is done?\n{options}",
                "mc_answer": "B. playing",
            }
        ],
    )
    write_clip(root / "videos" / "t.mp4")


def charades(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "charades_sta_test.txt").write_text(
        "3MSZA 1.0 2.5##person turns a light on.\n3MSZA 0.0 4.0##person sits.\n"
    )
    write_clip(root / "Charades_v1_480" / "3MSZA.mp4", 4.0)
