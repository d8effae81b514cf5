"""Multiple choice on clips: Video-MME, MVBench, LongVideoBench, LVBench, MLVU, EgoSchema and PerceptionTest.

At most 768 frames and 24,576 tokens a clip, two frames a second before that (the report's budget). Clips are looked
for loose in the folder or in its zip archives.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from viewfinder.eval.answer_format import LETTERS
from viewfinder.eval.multiple_choice import LETTER_ONLY, choice_question
from viewfinder.eval.question import Question
from viewfinder.eval.rows import Row
from viewfinder.eval.source import Files, require
from viewfinder.messages import VideoPart

_WATCH = (
    "Carefully watch the video and pay attention to the cause and sequence of events, the detail and movement of "
    "objects, and the action and pose of persons. Based on your observations, select the best option that accurately "
    "addresses the question.\n"
)


def _text(question: str, options: Sequence[str], before: str = "") -> str:
    listed = "\n".join(
        o if re.match(r"[A-Z][.)]|\([A-Z]\)", o) else f"{c}. {o}" for c, o in zip(LETTERS, options, strict=False)
    )
    return f"{before}Question: {question}\nOptions:\n{listed}\n{LETTER_ONLY}"


def _bare(options: Sequence[str]) -> list[str]:
    return [re.sub(r"^\(?[A-Z][.)]\s*", "", o) for o in options]


def videomme(files: Files, subtitles: bool) -> Iterator[Question]:
    for row in files.rows("videomme/test-*.parquet"):
        require(row, "videoID", "question_id", "question", "options", "answer", "duration", "domain", "task_type")
        clip = VideoPart(video=files.media(f"{row['videoID']}.mp4", "data", "**"))
        before = ""
        if subtitles:
            lines = read_srt(files.media(f"{row['videoID']}.srt", "subtitle", "**"))
            before = "This video's subtitles are listed below:\n" + "\n".join(lines) + "\n"
        tags = {"duration": row["duration"], "domain": row["domain"], "task": row["task_type"], "video": row["videoID"]}
        text = _text(row["question"], row["options"], before + _WATCH)
        yield choice_question(row["question_id"], [clip], text, _bare(row["options"]), row["answer"], tags)


MVBENCH_FOLDERS = {
    "object_interaction": "star",
    "action_sequence": "star",
    "action_prediction": "star",
    "action_localization": "sta",
    "moving_count": "clevrer",
    "fine_grained_pose": "nturgbd",
    "character_order": "perception",
    "object_shuffle": "perception",
    "egocentric_navigation": "vlnqa",
    "moving_direction": "clevrer",
    "episodic_reasoning": "tvqa",
    "fine_grained_action": "Moments_in_Time_Raw",
    "scene_transition": "scene_qa",
    "state_change": "perception",
    "moving_attribute": "clevrer",
    "action_antonym": "ssv2_video",
    "unexpected_action": "FunQA_test",
    "counterfactual_inference": "clevrer",
    "object_existence": "clevrer",
    "action_count": "perception",
}
_BOUNDED = ("action_sequence", "action_prediction", "action_localization", "object_interaction", "episodic_reasoning")


def mvbench(files: Files) -> Iterator[Question]:
    """Rows with `start` and `end` are about that stretch of the clip."""
    for path in files.find("json/*.json"):
        folder = MVBENCH_FOLDERS.get(path.stem, "")
        for i, row in enumerate(files.rows(f"json/{path.name}")):
            require(row, "video", "question", "candidates", "answer")
            bounds: dict[str, Any] = {}
            if "start" in row and path.stem in _BOUNDED:
                bounds = {"video_start": float(row["start"]), "video_end": float(row["end"])}
            clip = VideoPart(video=files.media(row["video"], f"video/{folder}/**", f"**/{folder}/**", "**"), **bounds)
            answer = LETTERS[row["candidates"].index(row["answer"])]
            text = _text(row["question"], row["candidates"], _WATCH)
            yield choice_question(f"{path.stem}/{i}", [clip], text, row["candidates"], answer, {"task": path.stem})


def lvbench(files: Files) -> Iterator[Question]:
    """One row a clip with several questions, whose options stand in the question."""
    for row in files.rows("video_info.meta.jsonl", "**/video_info.meta.jsonl"):
        require(row, "key", "qa", "type")
        clip = VideoPart(video=files.media(f"{row['key']}.mp4", "videos", "**"))
        for item in row["qa"]:
            ask, *options = item["question"].split("\n(A)")
            listed = re.findall(r"\(([A-D])\)\s*(.*)", "(A)" + (options[0] if options else ""))
            text = (
                f"{_WATCH}Question: {ask}\nOptions:\n" + "\n".join(f"({c}) {o}" for c, o in listed) + f"\n{LETTER_ONLY}"
            )
            tags = {"type": row["type"], "task": ",".join(item["question_type"]), "video": row["key"]}
            yield choice_question(str(item["uid"]), [clip], text, [o for _, o in listed], item["answer"], tags)


def mlvu(files: Files) -> Iterator[Question]:
    """The seven multiple-choice tasks of the dev set; the report's M-Avg is the mean over tasks."""
    for path in files.find("json/*.json", "MLVU/json/*.json"):
        for i, row in enumerate(files.rows(str(path.relative_to(files.root)))):
            if "candidates" not in row:
                continue  # two tasks are free generation, which M-Avg leaves out
            require(row, "video", "question", "answer", "question_type")
            clip = VideoPart(video=files.media(row["video"], f"video/{path.stem}", f"MLVU/video/{path.stem}", "**"))
            answer = LETTERS[row["candidates"].index(row["answer"])]
            text = _text(row["question"], row["candidates"], _WATCH)
            tags = {"task": row["question_type"]}
            yield choice_question(f"{path.stem}/{i}", [clip], text, row["candidates"], answer, tags)


def clip(name: str) -> Callable[[Files, Row], list[VideoPart]]:
    """The clip of a row, whose file's name is a format of the columns."""
    return lambda files, row: [VideoPart(video=files.media(name.format(**row), "videos", "**"))]


def watched(row: Row, options: Sequence[str]) -> str:
    """The words of a question whose options may be marked with letters (column `option`) or not."""
    return _text(row["question"], row.get("option") or options, _WATCH)


def bare_options(row: Row) -> list[str]:
    """The options of the column `option` without their letters."""
    return _bare(row["option"])


def read_srt(path: str | Path) -> list[str]:
    """One line a cue, in order; `1\\n00:00:01,000 --> 00:00:02,000\\n<i>Hi</i>` gives `Hi`."""
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    lines = []
    for cue in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        words = [line for line in cue.splitlines() if "-->" not in line and not re.fullmatch(r"\s*\d+\s*", line)]
        spoken = re.sub(r"<[^>]+>|\{[^}]+\}", "", " ".join(words)).strip()
        if spoken:
            lines.append(" ".join(spoken.split()))
    return lines
