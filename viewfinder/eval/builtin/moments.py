"""When something happens in a clip of 5 to 120 seconds: mean temporal IoU of the surest answer.

Clips are files (H.264 at 10 frames a second), asked as `viewfinder moments` does, in windows where they are long.
"""

import numpy as np

from viewfinder.data.synth.clips import EventClip, make_clip
from viewfinder.data.synth.fonts import find_families
from viewfinder.eval.answer_format import span
from viewfinder.eval.builtin.drawing import builtin
from viewfinder.eval.drawn import when
from viewfinder.eval.question import Question
from viewfinder.eval.scores import span_overlap
from viewfinder.media.encode import Encoded, encode_clip
from viewfinder.messages import VideoPart

LENGTHS = {"5-15 s": (5.0, 15.0), "15-40 s": (15.0, 40.0), "40-120 s": (40.0, 120.0)}
RATE, SIZE = 10, (112, 112)


def moment(rng: np.random.Generator, number: int) -> Question:
    """Lengths by turns, events and words held out."""
    length = list(LENGTHS)[number % len(LENGTHS)]
    clip = make_clip(rng, SIZE, LENGTHS[length], find_families(held_out=True), pairs="held_out")
    return when(f"{number}", VideoPart(video=encode(clip)), clip, {"length": length, "query": clip.query})


def encode(clip: EventClip) -> Encoded:
    """The clip as an MP4 file."""
    frames = (clip.frame_at(i / RATE) for i in range(round(clip.duration * RATE)))
    return encode_clip(frames, RATE, crf="20", preset="veryfast")


TASKS = (
    builtin(
        "moments",
        "Moments in clips of 5-120 s, mean temporal IoU",
        moment,
        span,
        span_overlap,
        job="moments",
        max_new_tokens=64,
    ),
)
