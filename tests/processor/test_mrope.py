"""Golden vectors of the official position algorithm, and its properties."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from viewfinder.processor.mrope import rope_index

TEXT, START, END, IMAGE, VIDEO = 1, 151652, 151653, 151655, 151656


def ids(*tokens: int) -> torch.Tensor:
    return torch.tensor(tokens, dtype=torch.int64)


def test_picture_between_words():
    tokens = ids(TEXT, START, *[IMAGE] * 6, END, TEXT)
    positions, delta = rope_index(tokens, torch.tensor([[1, 4, 6]]), [0.0])
    assert positions.tolist() == [
        [0, 1, 2, 2, 2, 2, 2, 2, 5, 6],
        [0, 1, 2, 2, 2, 3, 3, 3, 5, 6],
        [0, 1, 2, 3, 4, 2, 3, 4, 5, 6],
    ]
    assert delta == -3


def test_clip_between_words_resumes_after_its_seconds():
    tokens = ids(TEXT, TEXT, START, *[VIDEO] * 12, END, TEXT, TEXT)
    positions, delta = rope_index(tokens, torch.tensor([[3, 4, 4]]), [5.0])
    assert positions[0].tolist() == [0, 1, 2, *[3] * 4, *[13] * 4, *[23] * 4, 24, 25, 26]
    assert positions[1].tolist() == [0, 1, 2, *[3, 3, 4, 4] * 3, 24, 25, 26]
    assert positions[2].tolist() == [0, 1, 2, *[3, 4, 3, 4] * 3, 24, 25, 26]
    assert delta == 9


def test_text_after_a_clip_does_not_overlap_it():
    # 3 frame pairs that are 10 ids apart: the text goes on at 24, where transformers 5.x puts it at 5.
    tokens = ids(*[TEXT] * 3, *[VIDEO] * 3, *[TEXT] * 3)
    positions, delta = rope_index(tokens, torch.tensor([[3, 2, 2]]), [5.0])
    assert positions[0].tolist() == [0, 1, 2, 3, 13, 23, 24, 25, 26]
    assert delta == 27 - 9


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (2.0, [0, 2, 4, 6, 8]),
        (2.002, [0, 1, 3, 5, 7]),
        (3.0, [0, 1, 2, 4, 5, 6, 8]),
        (0.5, [0, 8, 16]),
    ],
)
def test_time_ids_are_truncated_after_multiplying(fps: float, expected: list[int]):
    steps = len(expected)
    positions, _ = rope_index(ids(*[VIDEO] * steps), torch.tensor([[steps, 2, 2]]), [2 / fps])
    assert positions[0].tolist() == expected


def test_seconds_between_frame_pairs_default_to_one_for_a_clip_and_none_for_a_picture():
    tokens = ids(*[VIDEO] * 2, TEXT, IMAGE, TEXT)
    positions, delta = rope_index(tokens, torch.tensor([[2, 2, 2], [1, 2, 2]]))
    assert positions.tolist() == [[0, 2, 3, 4, 5], [0, 0, 3, 4, 5], [0, 0, 3, 4, 5]]
    assert delta == 1


def test_several_pictures_and_a_clip():
    tokens = ids(TEXT, IMAGE, IMAGE, TEXT, *[VIDEO] * 4, TEXT, IMAGE, IMAGE)
    grids = torch.tensor([[1, 2, 4], [2, 4, 2], [1, 4, 2]])
    positions, delta = rope_index(tokens, grids, [0.0, 1.0, 0.0])
    assert positions.tolist() == [
        [0, 1, 1, 3, 4, 4, 6, 6, 7, 8, 8],
        [0, 1, 1, 3, 4, 5, 4, 5, 7, 8, 9],
        [0, 1, 2, 3, 4, 4, 4, 4, 7, 8, 8],
    ]
    assert delta == -1


def test_pictures_that_touch_are_told_apart_by_their_grids():
    positions, delta = rope_index(ids(IMAGE, IMAGE, IMAGE), torch.tensor([[1, 2, 4], [1, 2, 2]]))
    assert positions.tolist() == [[0, 0, 2], [0, 0, 2], [0, 1, 2]]
    assert delta == 0


def test_uneven_times_count_from_the_first():
    tokens = ids(*[VIDEO] * 3, TEXT)
    positions, delta = rope_index(tokens, torch.tensor([[3, 2, 2]]), [1.0], grid_times=[(10.0, 10.5, 12.4)])
    assert positions[0].tolist() == [0, 1, 4, 5]
    assert delta == 2


def test_rounding_down_forgives_what_floating_point_loses():
    assert (0.7 - 0.2) * 2 < 1.0
    positions, _ = rope_index(ids(VIDEO, VIDEO), torch.tensor([[2, 2, 2]]), grid_times=[(0.2, 0.7)])
    assert positions[0].tolist() == [0, 1]


def test_text_alone_counts_up():
    positions, delta = rope_index(ids(5, 6, 7))
    assert positions.tolist() == [[0, 1, 2]] * 3
    assert delta == 0


def test_other_rates_and_merge_sizes():
    positions, _ = rope_index(
        ids(*[VIDEO] * 2), torch.tensor([[2, 3, 3]]), [1.0], spatial_merge_size=3, tokens_per_second=25
    )
    assert positions[0].tolist() == [0, 25]


def test_tokens_that_do_not_fit_the_grids_are_a_programming_error():
    with pytest.raises(AssertionError, match="3 media tokens for grids of"):
        rope_index(ids(IMAGE, IMAGE, IMAGE), torch.tensor([[1, 2, 4]]))
    with pytest.raises(AssertionError, match="not contiguous"):
        rope_index(ids(IMAGE, TEXT, IMAGE), torch.tensor([[1, 2, 4]]))


media = st.tuples(st.booleans(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(0, 5))


@settings(max_examples=40, deadline=None)
@given(st.lists(media, max_size=5), st.floats(0.1, 4.0))
def test_every_token_after_a_medium_stands_after_all_of_it(items: list, step: float):
    tokens, grids, seconds = [], [], []
    for is_video, t, h, w, text in items:
        t = t if is_video else 1
        tokens += [TEXT] * text + [VIDEO if is_video else IMAGE] * (t * h * w)
        grids.append([t, 2 * h, 2 * w])
        seconds.append(step if is_video else 0.0)
    tokens.append(TEXT)
    positions, delta = rope_index(ids(*tokens), torch.tensor(grids) if grids else None, seconds)
    assert delta == int(positions.max()) + 1 - len(tokens)
    highest = positions.max(dim=0).values.cummax(dim=0).values
    cursor = 0
    for (is_video, *_, text), (t, h, w) in zip(items, grids, strict=True):
        count = t * h * w // 4
        block = positions[:, cursor + text : cursor + text + count]
        before = -1 if cursor + text == 0 else int(highest[cursor + text - 1])
        assert block.min(dim=1).values.tolist() == [before + 1] * 3
        assert int(positions[0, cursor + text + count]) == int(block.max()) + 1 or count == len(tokens)
        assert int(block[1].max()) == before + h // 2
        assert is_video or int(block[0].max()) == before + 1
        cursor += text + count
