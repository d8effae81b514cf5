"""Whole conversations: tokens, positions, patches, labels, and the plan that has all but the pixels."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.packed import unpack
from viewfinder.errors import CheckpointError, LimitError, MediaError
from viewfinder.inputs import IGNORE_INDEX, pack
from viewfinder.media.source import Limits
from viewfinder.media.video import load_video
from viewfinder.message_parsing import parse_messages
from viewfinder.messages import ImagePart
from viewfinder.processor.loading import fit_image, load_part
from viewfinder.processor.patchify import patchify, patchify_video
from viewfinder.processor.processor import Prepared, Processor
from viewfinder.processor.tokenizer import Tokenizer

SMALL = Processor(Tokenizer.train(["point to the red box"] * 5, 290))


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def frames(count: int, width: int = 56, height: int = 56) -> list[Image.Image]:
    return [picture(width, height, seed) for seed in range(count)]


def ask(*parts: Any) -> list[dict]:
    return [{"role": "user", "content": list(parts)}]


def test_a_picture_and_a_question(official: Tokenizer):
    image = picture(100, 70)
    prepared = Processor(official).prepare(ask({"image": image}, {"text": "What?"}))
    inputs = prepared.inputs
    # 100 x 70 becomes 112 x 56 (70 / 28 is half-way, and 2 is even): 8 tokens.
    assert inputs.input_ids.tolist() == [
        *(151644, 8948, 198, 2610, 525, 264, 10950, 17847, 13, 151645, 198),
        *(151644, 872, 198, 151652, *[151655] * 8, 151653, 3838, 30, 151645, 198),
        *(151644, 77091, 198),
    ]
    assert inputs.position_ids[:, 14:25].tolist() == [
        [14, *[15] * 8, 19, 20],
        [14, *[15] * 4, *[16] * 4, 19, 20],
        [14, *[15, 16, 17, 18] * 2, 19, 20],
    ]
    assert inputs.rope_deltas == (4 - 8,)
    assert inputs.cu_seqlens.tolist() == [0, 31]
    assert inputs.grid_thw is not None
    assert inputs.grid_thw.tolist() == [[1, 4, 8]]
    assert inputs.media_kinds == ("image",)
    assert inputs.second_per_grid_ts == (0.0,)
    assert inputs.labels is None
    resized = image.resize((112, 56), Image.Resampling.BICUBIC)
    assert torch.equal(inputs.pixel_values, patchify(resized))
    (info,), (transform,) = prepared.media, prepared.transforms
    assert (info.original_size, info.resized_size, info.grid_thw, info.tokens) == ((100, 70), (112, 56), (1, 4, 8), 8)
    assert transform.to_original((112, 28)) == (100, 35)
    assert info.transform == transform.to_dict()


def test_no_media():
    prepared = SMALL.prepare([{"role": "user", "content": "the box"}])
    inputs = prepared.inputs
    assert inputs.pixel_values is None
    assert inputs.grid_thw is None
    assert inputs.position_ids.tolist() == [list(range(len(inputs.input_ids)))] * 3
    assert inputs.rope_deltas == (0,)
    assert inputs.stamp == SMALL.stamp.hash


def test_labels_of_a_trained_conversation():
    messages = [*ask({"image": picture(56, 56)}, {"text": "box"}), {"role": "assistant", "content": "red"}]
    inputs = SMALL(messages, train=True)
    assert inputs.labels is not None
    trained = inputs.labels != IGNORE_INDEX
    assert SMALL.tokenizer.decode(inputs.labels[trained].tolist(), skip_special=False) == "red<|im_end|>\n"
    assert torch.equal(inputs.labels[trained], inputs.input_ids[trained])
    assert trained.nonzero().flatten().tolist() == list(range(len(trained) - int(trained.sum()), len(trained)))


def test_a_clip_between_pictures():
    clip = {"video": frames(5), "sample_fps": 4.0}
    still = {"image": picture(56, 84)}
    prepared = SMALL.prepare(ask(still, clip, still))
    inputs = prepared.inputs
    assert inputs.media_kinds == ("image", "video", "image")
    assert inputs.grid_thw is not None
    assert inputs.video_grid_thw is not None
    assert inputs.video_grid_thw[0, 0] == 3, "five frames, the last one twice, in pairs"
    info = prepared.media[1]
    assert info.frame_times is not None
    assert info.frame_times == pytest.approx([0, 0.25, 0.5, 0.75, 1.0, 1.0])
    assert info.second_per_grid_ts == pytest.approx(0.5)
    tokens = [m.tokens for m in prepared.media]
    ids = inputs.input_ids
    assert int((ids == SMALL.video_token_id).sum()) == tokens[1]
    assert int((ids == SMALL.image_token_id).sum()) == tokens[0] + tokens[2]
    assert len(inputs.pixel_values) == 4 * sum(tokens)
    of_clip = inputs.position_ids[0, ids == SMALL.video_token_id]
    assert (of_clip - of_clip[0]).unique().tolist() == [0, 1, 2], "half a second is one temporal id"


def test_uneven_frames_stand_at_their_own_seconds():
    clip = {"video": frames(6), "frame_times": (1.0, 1.1, 3.0, 3.1, 8.0, 8.1)}
    inputs = SMALL(ask(clip))
    of_clip = inputs.position_ids[0, inputs.input_ids == SMALL.video_token_id]
    assert (of_clip - of_clip[0]).unique().tolist() == [0, 4, 14]


def test_a_clip_that_was_loaded_before():
    clip = load_video(frames(4), sample_fps=2.0)
    again = SMALL(ask({"video": clip}))
    assert torch.equal(again.pixel_values, patchify_video(clip.frames))
    assert SMALL.plan(ask({"video": clip})).inputs.pixel_values is None


def pdf(pages: int) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for k in range(pages):
        document.new_page(100 + 50 * k, 80)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_each_page_of_a_document_is_a_picture():
    prepared = SMALL.prepare(ask({"document": pdf(3), "pages": (1, 3), "max_pixels": 20000}, {"text": "box"}))
    assert [info.kind for info in prepared.media] == ["image", "image"]
    widths = [info.original_size[0] / info.original_size[1] for info in prepared.media]
    assert widths == pytest.approx([100 / 80, 200 / 80], rel=0.02)
    assert all(np.prod(info.resized_size) <= 20000 for info in prepared.media)
    vision_start = SMALL.tokenizer.token_id("<|vision_start|>")
    assert prepared.inputs.input_ids.tolist().count(vision_start) == 2
    assert len(SMALL.prepare(ask({"document": pdf(3)})).media) == 3


def same_but_for_pixels(plan: Prepared, prepared: Prepared) -> None:
    assert plan.inputs.pixel_values is None
    assert plan.transforms == prepared.transforms
    assert plan.media == prepared.media
    for name in ("input_ids", "position_ids", "grid_thw", "cu_seqlens"):
        assert torch.equal(getattr(plan.inputs, name), getattr(prepared.inputs, name)), name
    assert plan.inputs.rope_deltas == prepared.inputs.rope_deltas


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(20, 300), st.integers(20, 300)),
    st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"]),
    st.integers(1, 8),
    st.sampled_from([{}, {"max_pixels": 10000}, {"min_pixels": 50000}, {"resized_height": 100, "resized_width": 61}]),
)
def test_a_plan_is_all_but_the_pixels(size: tuple[int, int], kind: str, orientation: int, budget: dict):
    options = {}
    if kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    source = encoded(picture(*size), kind, **options)
    messages = ask({"image": source, **budget}, {"text": "box"})
    same_but_for_pixels(SMALL.plan(messages), SMALL.prepare(messages))


def test_plans_of_clips_and_decoded_pictures():
    messages = ask({"video": frames(7, 90, 40), "sample_fps": 3.0}, {"image": picture(50, 60)})
    same_but_for_pixels(SMALL.plan(messages), SMALL.prepare(messages))


def test_a_plan_does_not_decode(monkeypatch: pytest.MonkeyPatch):
    data = encoded(picture(400, 300), "JPEG")
    monkeypatch.setattr(Image.Image, "load", None)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    assert SMALL.plan(ask({"image": data})).media[0].tokens == 14 * 11


def test_limits_hold_for_plans_and_inputs():
    tight = Limits(max_pixels=1000)
    for kind in ("JPEG", "PNG"):
        for method in (SMALL.plan, SMALL.prepare):
            with pytest.raises(LimitError, match="50x60 pixels, over the 1,000 allowed"):
                method(ask({"image": encoded(picture(50, 60), kind)}), limits=tight)
    with pytest.raises(MediaError, match="may not be named here"):
        SMALL.plan(ask({"image": "/some/file.png"}), limits=Limits(allow_files=False))
    with pytest.raises(MediaError, match="is no picture"):
        SMALL.plan(ask({"image": b"plain text, not a picture"}))


def test_settings_bound_every_picture_and_parts_have_the_last_word():
    processor = Processor(SMALL.tokenizer, SMALL.settings.with_(max_pixels=20000))
    image = picture(300, 300)
    assert processor.prepare(ask({"image": image})).media[0].resized_size == (140, 140)
    assert processor.prepare(ask({"image": image, "max_pixels": 4000})).media[0].resized_size == (56, 56)


def test_one_bound_of_a_part_moves_the_default_of_the_other():
    image, clip = {"image": picture(300, 300)}, {"video": frames(4, 300, 300)}
    assert SMALL.plan(ask({**image, "max_pixels": 1000})).media[0].resized_size == (28, 28)
    assert SMALL.plan(ask({**image, "min_pixels": 13_000_000})).media[0].resized_size == (3612, 3612)
    # The default floor of a frame is 100,352 pixels, and nobody who asks for less has to know it.
    assert SMALL.plan(ask({**clip, "max_pixels": 20000})).media[0].resized_size == (140, 140)
    with pytest.raises(MediaError, match="no size satisfies both"):
        SMALL.plan(ask({**image, "min_pixels": 5000, "max_pixels": 4000}))


def test_the_default_rate_applies_to_files_but_not_to_lists_of_frames(tmp_path: Path):
    processor = Processor(SMALL.tokenizer, SMALL.settings.with_(fps=1.0))
    first, *rest = [image.convert("P") for image in frames(40)]
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=100)
    assert processor.plan(ask({"video": tmp_path / "a.gif"})).media[0].grid_thw[0] == 2
    assert SMALL.plan(ask({"video": tmp_path / "a.gif"})).media[0].grid_thw[0] == 4
    assert processor.plan(ask({"video": frames(40), "sample_fps": 10.0})).media[0].grid_thw[0] == 20


def test_saved_and_loaded_processors_are_equal(tmp_path: Path):
    processor = Processor(SMALL.tokenizer, SMALL.settings.with_(max_pixels=100352, fps=1.0))
    processor.save_pretrained(tmp_path)
    again = Processor.from_pretrained(tmp_path)
    again.stamp.check(processor.stamp)
    messages = ask({"image": picture(400, 300)}, {"text": "point to the red box"})
    assert torch.equal(again(messages).input_ids, processor(messages).input_ids)
    assert Processor.from_pretrained(tmp_path, max_pixels=3136).settings.max_pixels == 3136


def test_official_sizes_by_name():
    assert Processor.official("72B").tokenizer.vocab_size == 151665
    with pytest.raises(CheckpointError, match="no official size '8B'; the sizes are 3B, 7B, 32B, 72B"):
        Processor.official("8B")


parts = st.lists(
    st.sampled_from([{"text": "red box"}, {"image": picture(56, 84)}, {"video": frames(3)}]), min_size=1, max_size=4
)


@settings(max_examples=10, deadline=None)
@given(st.lists(parts, min_size=1, max_size=3))
def test_what_is_packed_comes_apart_again(conversations: list):
    singles = [SMALL(ask(*content)) for content in conversations]
    packed = pack(singles)
    assert packed.seqlens == [len(single.input_ids) for single in singles]
    for single, again in zip(singles, unpack(packed), strict=True):
        assert torch.equal(single.input_ids, again.input_ids)
        assert torch.equal(single.position_ids, again.position_ids)
        assert (single.pixel_values is None) == (again.pixel_values is None)
        assert single.pixel_values is None or torch.equal(single.pixel_values, again.pixel_values)
        assert single.media_kinds == again.media_kinds


@example(size=(5600, 28), budget=4 * 28 * 28)  # the rule, applied to its own result, shrinks this strip twice
@given(
    size=st.tuples(st.integers(1, 900), st.integers(1, 900)).filter(lambda s: max(s) <= 200 * min(s)),
    budget=st.integers(28 * 28, 300 * 300),
)
def test_a_picture_made_ready_once_is_what_the_model_sees(size: tuple[int, int], budget: int):
    part = ImagePart(image=Image.new("RGB", size, "red"), max_pixels=budget)
    ready = fit_image(part, SMALL.settings)
    once, twice = load_part(part, SMALL.settings, Limits()), load_part(ready, SMALL.settings, Limits())
    assert twice.info == once.info
    assert ready.image.size == once.info.resized_size
    assert ready.image.transform == once.transform == twice.transform


def test_media_loaded_before_are_taken_as_they_are():
    messages = ask({"image": picture(90, 60)}, {"text": "What?"}, {"video": frames(4)})
    conversation = parse_messages(messages)
    loaded = SMALL.load_media(conversation)
    expected, found = SMALL.prepare(conversation), SMALL.prepare(conversation, loaded=loaded)
    assert [medium.transform for medium in loaded] == list(expected.transforms)
    assert found.media == expected.media
    assert torch.equal(found.inputs.input_ids, expected.inputs.input_ids)
    assert torch.equal(found.inputs.pixel_values, expected.inputs.pixel_values)
