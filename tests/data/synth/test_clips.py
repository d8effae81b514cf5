import numpy as np
import pytest
from PIL import ImageChops

from viewfinder.data.synth.clips import EventClip, clip_sample, make_clip
from viewfinder.data.synth.fonts import BUILT_IN
from viewfinder.outputs.spans import parse_spans
from viewfinder.processor.processor import Processor
from viewfinder.processor.settings import ProcessorSettings
from viewfinder.processor.tokenizer import Tokenizer

FAMILIES = ((BUILT_IN, (None,)),)


def clips(count: int) -> list[EventClip]:
    return [make_clip(np.random.default_rng(seed), families=FAMILIES) for seed in range(count)]


def test_something_is_seen_to_happen_from_start_to_end_and_at_no_other_time() -> None:
    for clip in clips(60):
        assert 0 <= clip.start < clip.end <= clip.duration
        times = np.arange(0.05, clip.duration, 0.1)
        frames = [clip.frame_at(float(t)) for t in times]
        changed = [
            t
            for t, a, b in zip(times[1:], frames, frames[1:], strict=False)
            if ImageChops.difference(a, b).getbbox() is not None
        ]
        for t in changed:
            assert clip.start - 0.11 <= t <= clip.end + 0.11
        if clip.start > 0.2 and "moves" not in clip.query:
            assert min(abs(t - clip.start) for t in changed) < 0.16


@pytest.mark.parametrize("fps", [0.5, 2.0, 8.0])
def test_the_same_clip_at_any_rate_has_the_same_answer(fps: float) -> None:
    processor = Processor(Tokenizer.train(["when does it happen"] * 4, 300), ProcessorSettings())
    for clip in clips(3):
        sample = clip_sample(clip, fps)
        (span,) = parse_spans(sample.messages[-1].text, clip.duration)
        assert (span.start, span.end) == (clip.start, clip.end)
        inputs = processor(sample.messages, train=True)
        assert inputs.media_kinds == ("video",)
        assert inputs.second_per_grid_ts[0] == pytest.approx(2 / fps, rel=0.02)


def test_a_scene_tells_what_is_in_the_frame() -> None:
    seen: set[str] = set()
    for clip in clips(40):
        scene = clip.scene_at((clip.start + clip.end) / 2)
        (item,) = scene.things + scene.lines
        left, top, right, bottom = item.box
        assert 0 <= left < right <= 112
        assert 0 <= top < bottom <= 112
        if 'text "' in clip.query:
            assert f'"{scene.lines[0].text}"' in clip.query
            seen.add("text")
        elif "is shown" in clip.query:
            assert f"{scene.things[0].color} {scene.things[0].shape}" in clip.query
            assert clip.start == 0 or not clip.scene_at(0).things
            seen.add("shown")
        elif "moves" not in clip.query:
            assert clip.query == f"the {scene.things[0].shape} is {scene.things[0].color}"
            assert clip.start == 0 or clip.scene_at(0).things[0].color != scene.things[0].color
            seen.add("color")
    assert seen == {"text", "shown", "color"}
