"""Packing and unpacking are inverse, for any mixture of sequences with and without media."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.packed import unpack
from viewfinder.errors import StampError
from viewfinder.inputs import ModelInputs, pack

item = st.tuples(
    st.integers(1, 6),
    st.lists(
        st.tuples(st.sampled_from(["image", "video"]), st.integers(1, 2), st.integers(1, 2), st.integers(1, 2)),
        max_size=3,
    ),
)


def make(length: int, media: list[tuple[str, int, int, int]], seed: int, labels: bool) -> ModelInputs:
    generator = torch.Generator().manual_seed(seed)
    grids = [(t, 2 * h, 2 * w) for _, t, h, w in media]
    return ModelInputs(
        input_ids=torch.randint(0, 99, (length,), generator=generator),
        position_ids=torch.randint(0, 99, (3, length), generator=generator),
        cu_seqlens=torch.tensor([0, length], dtype=torch.int32),
        rope_deltas=(seed - 3,),
        pixel_values=torch.rand(sum(t * h * w for t, h, w in grids), 6, generator=generator) if grids else None,
        grid_thw=torch.tensor(grids) if grids else None,
        media_kinds=tuple(kind for kind, *_ in media),
        media_per_sequence=(len(media),),
        second_per_grid_ts=tuple(0.0 if kind == "image" else 0.5 for kind, *_ in media),
        labels=torch.randint(-100, 99, (length,), generator=generator) if labels else None,
        stamp="a",
    )


def same(one: ModelInputs, other: ModelInputs) -> None:
    for field in dataclasses.fields(ModelInputs):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, torch.Tensor):
            assert torch.equal(a, b), field.name
        else:
            assert a == b, field.name


@settings(max_examples=40, deadline=None)
@given(st.lists(item, min_size=1, max_size=5), st.booleans())
def test_unpack_gives_back_what_was_packed(items: list, labels: bool):
    singles = [make(length, media, k, labels) for k, (length, media) in enumerate(items)]
    packed = pack(singles)
    assert packed.num_sequences == len(singles)
    assert packed.seqlens == [length for length, _ in items]
    for single, again in zip(singles, unpack(packed), strict=True):
        same(single, again)


@settings(max_examples=40, deadline=None)
@given(st.lists(item, min_size=2, max_size=5), st.integers(1, 4))
def test_packing_in_two_steps_is_packing_in_one(items: list, cut: int):
    singles = [make(length, media, k, True) for k, (length, media) in enumerate(items)]
    cut = min(cut, len(singles) - 1)
    same(pack([pack(singles[:cut]), pack(singles[cut:])]), pack(singles))


def test_two_sequences_by_hand():
    first = make(3, [("image", 1, 1, 2), ("video", 2, 1, 1)], 0, False)
    second = make(2, [], 1, False)
    third = make(1, [("image", 1, 2, 2)], 2, False)
    packed = pack([first, second, third])
    assert packed.cu_seqlens.tolist() == [0, 3, 5, 6]
    assert packed.media_per_sequence == (2, 0, 1)
    assert packed.rope_deltas == (-3, -2, -1)
    assert packed.image_grid_thw is not None
    assert packed.image_grid_thw.tolist() == [[1, 2, 4], [1, 4, 4]]
    assert packed.video_grid_thw is not None
    assert packed.video_grid_thw.tolist() == [[2, 2, 2]]
    assert second.image_grid_thw is None
    assert len(packed.pixel_values) == 8 + 8 + 16


def test_labels_need_every_sequence_to_have_them():
    assert pack([make(2, [], 0, True), make(2, [], 1, False)]).labels is None


def test_different_stamps_do_not_mix():
    first = make(2, [], 0, False)
    with pytest.raises(StampError, match=r"2 different stamps \(a, b\) cannot be packed"):
        pack([first, dataclasses.replace(first, stamp="b")])


def test_to_converts_pixels_and_nothing_else():
    moved = make(2, [("image", 1, 1, 1)], 0, True).to("cpu", torch.bfloat16)
    assert moved.pixel_values is not None
    assert moved.pixel_values.dtype == torch.bfloat16
    assert moved.input_ids.dtype == torch.int64
    assert moved.labels is not None
    assert moved.labels.dtype == torch.int64
