import numpy as np
import pytest
from PIL import Image

from viewfinder.data.synth.clips import EventClip
from viewfinder.data.synth.scene import Scene
from viewfinder.outputs.spans import parse_spans
from viewfinder.tiny.clip_questions import ClipStyle, View, make_view, view_sample


def clip(start: float, end: float, duration: float) -> EventClip:
    def scene_at(time: float) -> Scene:
        return Scene(Image.new("RGB", (56, 56), "red" if start <= time < end else "white"), (), (), "white")

    return EventClip("the red circle is shown", start, end, duration, scene_at)


@pytest.mark.parametrize(
    ("view", "span"),
    [
        (View(clip(4, 12, 20), 0.0, 2.0, 40), (4.0, 12.0)),
        (View(clip(4, 12, 20), 10.0, 2.0, 20), (0.0, 2.0)),  # began before the window
        (View(clip(4, 12, 20), 2.0, 1.0, 8), (2.0, 8.0)),  # goes on after it
        (View(clip(4, 12, 20), 11.8, 2.0, 16), None),  # 0.2 s of it, between two frames
        (View(clip(4, 12, 20), 13.0, 2.0, 14), None),
    ],
)
def test_the_span_is_told_from_the_first_frame_shown(view: View, span: tuple[float, float] | None) -> None:
    assert view.span == span
    sample = view_sample(np.random.default_rng(0), ClipStyle(absent=0.0), view)
    found = [(s.start, s.end) for s in parse_spans(sample.messages[-1].text, view.seconds)]
    assert found == ([] if span is None else [span])


def test_the_frames_shown_agree_with_the_answer() -> None:
    for seed in range(80):
        view = make_view(np.random.default_rng(seed), ClipStyle(), (84, 84))
        assert 4 <= view.count <= 32 or view.seconds <= 2.5
        part = view.part()
        assert len(part.video) == len(part.frame_times) == view.count
        assert part.frame_times[-1] < view.seconds <= view.clip.duration - view.start + 0.06
        if view.span is not None and " is " in view.clip.query:  # an event with a sudden beginning and end
            on = [view.span[0] <= t < view.span[1] for t in part.frame_times]
            looks = [np.asarray(frame).tobytes() for frame in part.video]
            clear = [min(abs(t - edge) for edge in view.span) > 0.051 for t in part.frame_times]
            seen = {look for look, inside, sure in zip(looks, on, clear, strict=True) if inside and sure}
            rest = {look for look, inside, sure in zip(looks, on, clear, strict=True) if not inside and sure}
            assert not seen & rest


def test_what_never_happens_is_asked_too() -> None:
    rng = np.random.default_rng(3)
    view = View(clip(1, 3, 8), 0.0, 2.0, 16)
    samples = [view_sample(rng, ClipStyle(absent=0.5), view) for _ in range(60)]
    asked_twice = [s for s in samples if len(s.messages) == 4]
    assert 15 < len(asked_twice) < 45
    for sample in asked_twice:
        assert sorted(len(parse_spans(m.text, 8.0)) for m in sample.messages[1::2]) == [0, 1]
