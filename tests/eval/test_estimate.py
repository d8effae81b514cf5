"""The price of a run before it."""

from tests.eval.little import NOWHERE, words_task
from viewfinder.eval.estimate import estimate
from viewfinder.eval.question import Question
from viewfinder.eval.task import MediaSettings
from viewfinder.messages import VideoPart, user


def test_pictures_at_the_size_the_processor_gives_them() -> None:
    task = words_task(3)  # 168 x 112 pixels: 6 x 4 tokens
    priced = estimate(task.questions(NOWHERE), MediaSettings(), 8)
    assert (priced.requests, priced.media_tokens, priced.answer_tokens) == (3, 72, 24)
    assert priced.text_tokens == 12  # "Which word? (0)" is 15 characters
    smaller = estimate(task.questions(NOWHERE), MediaSettings(max_pixels=12 * 28 * 28), 8)
    assert 0 < smaller.media_tokens < 72 / 2 + 1
    assert "3 requests, about 84 prompt tokens (72 of media), at most 24 answer tokens" in priced.sentence()


def test_frames_of_a_clip_by_pairs_and_budget() -> None:
    from PIL import Image

    frames = [Image.new("RGB", (112, 112))] * 8
    question = Question("c", (user(VideoPart(video=frames, frame_times=tuple(range(8))), "When?"),), {})
    capped = estimate([question], MediaSettings(video_min_pixels=112 * 112, video_max_pixels=112 * 112), 8)
    assert capped.media_tokens == 4 * 16
    tight = estimate([question], MediaSettings(video_min_pixels=784, total_pixels=4 * 112 * 112), 8)
    assert tight.media_tokens == 4 * 16


def test_a_part_is_scaled_to_the_whole() -> None:
    task = words_task(3)
    part = estimate(task.questions(NOWHERE), MediaSettings(), 8)
    assert vars(part.scaled(30)) == {"requests": 30, "media_tokens": 720, "text_tokens": 120, "answer_tokens": 240}
    assert vars(part.plus(part)) == vars(part.scaled(6))
