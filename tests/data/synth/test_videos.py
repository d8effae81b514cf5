from itertools import pairwise

import numpy as np
import pytest

from viewfinder.data.synth.kinds import Options
from viewfinder.data.synth.videos.talk import HELD_OUT_KINDS, KINDS, SOURCE_FPS, ask, make, make_film
from viewfinder.messages import VideoPart
from viewfinder.outputs.spans import parse_spans

EASY = Options(max_side=196, difficulty=0.1)


def _changed(film, a: float, b: float) -> bool:  # type: ignore[no-untyped-def]
    return bool((np.asarray(film.frame_at(a)) != np.asarray(film.frame_at(b))).any())


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_pictures_change_only_while_something_happens(split) -> None:  # type: ignore[no-untyped-def]
    for seed in range(12):
        film = make_film(np.random.default_rng(seed), (112, 84), 12.0, 3, Options(split=split, difficulty=0.2))
        edges = [0.0, *(t for e in film.events for t in (e.start, e.end)), film.duration]
        for start, end in zip(edges[::2], edges[1::2], strict=True):  # between events
            if end - start > 0.1:
                assert not _changed(film, start + 0.01, end - 0.02)
        for event in film.events:
            steps = np.linspace(event.start - 0.05, event.end + 0.05, 25)
            assert any(_changed(film, float(a), float(b)) for a, b in pairwise(steps))
            assert round(event.end - event.start, 1) >= 1.0
            assert event.end <= film.duration


def test_times_of_answers_come_back() -> None:
    styles = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        film = make_film(rng, (84, 84), 10.0, 3, Options(difficulty=0.2))
        exchange = ask(rng, film, tuple(i / 2 for i in range(20)))
        if "spans" not in exchange.truth:
            continue
        read = parse_spans(exchange.answer, film.duration, fps=SOURCE_FPS)
        styles.add(exchange.truth.get("style", exchange.task))
        tolerance = 1 / SOURCE_FPS if exchange.truth.get("style") == "hmsf" else 0.05
        assert len(read) == len(exchange.truth["spans"])
        for span, (start, end) in zip(read, exchange.truth["spans"], strict=True):
            assert span.start == pytest.approx(start, abs=tolerance)
            assert span.end == pytest.approx(end, abs=tolerance)
    assert styles == {"hmsf", "moments", "describe"}


def test_clips_are_seen_at_many_rates_within_their_duration() -> None:
    rates = set()
    for seed in range(30):
        sample = make(np.random.default_rng(seed), EASY)
        (part,) = sample.media
        assert isinstance(part, VideoPart)
        assert len(part.video) % 2 == 0  # type: ignore[arg-type]
        assert part.frame_times is not None
        assert part.frame_times[-1] <= sample.truth["duration"] + 1e-6
        rates.add(sample.truth["fps"])
    assert len(rates) > 4


def test_events_of_the_splits_differ() -> None:
    assert set(KINDS) & set(HELD_OUT_KINDS) == {"shown"}  # told apart by shape and color
