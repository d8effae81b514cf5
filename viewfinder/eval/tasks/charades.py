"""Charades-STA (test): when a sentence happens in a clip; mean temporal IoU in percent.

Official file `charades_sta_test.txt` (`VIDEO START END##sentence`) beside the clips (`Charades_v1_480`). Two frames a
second, at most 24,576 tokens, seconds asked for: the settings that the report states.
"""

from collections.abc import Iterator, Sequence

from viewfinder.errors import EvaluationError
from viewfinder.eval.question import Question
from viewfinder.eval.source import Files
from viewfinder.eval.task import Scored
from viewfinder.media.video import probe_video
from viewfinder.messages import VideoPart, user
from viewfinder.outputs import prompts
from viewfinder.outputs.json_lines import read_lines


def questions(files: Files) -> Iterator[Question]:
    (path,) = files.find("charades_sta_test.txt")[:1]
    durations: dict[str, float] = {}
    for i, line in enumerate(read_lines(path)):
        place, _, sentence = line.partition("##")
        fields = place.split()
        if len(fields) != 3 or not sentence:
            raise EvaluationError(
                f"line {i + 1} of {path} is {line!r}, expected 'VIDEO START END##sentence'; fetch it again"
            )
        video, start, end = fields[0], float(fields[1]), float(fields[2])
        clip = files.media(f"{video}.mp4", "Charades_v1_480", "**")
        if clip not in durations:
            durations[clip] = probe_video(clip).duration
        duration = durations[clip]
        messages = (user(VideoPart(video=clip), prompts.moments_prompt(sentence)),)
        truth = {"span": [start, min(end, duration)], "duration": duration}
        yield Question(f"{video}/{i}", messages, truth, {"video": video})


def total(scored: Sequence[Scored]) -> dict[str, float]:
    """Mean IoU, and recall at IoU of 0.3, 0.5 and 0.7, percent."""
    if not scored:
        return {"score": 0.0}
    recall = {f"R@{t}": 100 * sum(s.value >= t for s in scored) / len(scored) for t in (0.3, 0.5, 0.7)}
    return {"score": 100 * sum(s.value for s in scored) / len(scored), **recall}
