"""Running: order, resume, cache, refusal of other settings, failures, judges; the manifest is the same in all cases."""

import dataclasses
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eval.little import NOWHERE, Says, boxes_task, right, right_on_even, words_task
from viewfinder.errors import EvaluationError, MediaError
from viewfinder.eval import manifest
from viewfinder.eval.answer_format import letter
from viewfinder.eval.judging import judge_letter
from viewfinder.eval.question import Question
from viewfinder.eval.runner import RunOptions, Subject, run
from viewfinder.eval.task import MediaSettings
from viewfinder.media.transform import Transform
from viewfinder.messages import ImagePart, MediaInfo, Message, Reply, Sampling, user
from viewfinder.outputs import grammars


def test_scores_predictions_and_manifest_are_written(tmp_path: Path) -> None:
    score = run(words_task(), NOWHERE, Subject(Says(right_on_even), "even"), RunOptions(out=tmp_path))
    assert score.value == 50.0
    assert score.n == 6
    lines = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["q0", "q1", "q2", "q3", "q4", "q5"]
    assert [line["value"] for line in lines] == [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    assert lines[1]["text"] == "no idea"
    assert lines[0]["confidence"] == pytest.approx(0.818731)  # exp of the mean of -0.1 and -0.3
    kept = manifest.read(tmp_path)
    assert kept["scores"] == {"score": 50.0}
    assert kept["by"] == {"half": {"0": [66.6667, 3], "1": [33.3333, 3]}}
    assert kept["stamps"] == {"stamp": 6}
    assert kept["tokens"] == {"prompt_tokens": 60, "completion_tokens": 12, "media_tokens": 0}
    assert kept["prompt"]["example"] == "user: <image>Which word? (0)"
    assert kept["model"] == {"name": "even", "fingerprint": ""}


@pytest.mark.parametrize("stop_after", [0, 1, 3, 5])
def test_interrupted_and_resumed_gives_the_identical_hash(tmp_path: Path, stop_after: int) -> None:
    whole = run(words_task(), NOWHERE, Subject(Says(right_on_even), "even"), RunOptions(out=tmp_path / "whole"))
    model = Says(right_on_even)

    def interrupted(asked: str) -> str:
        if len(model.asked) > stop_after:
            raise KeyboardInterrupt
        return right_on_even(asked)

    model.answer = interrupted
    with pytest.raises(KeyboardInterrupt):
        run(words_task(), NOWHERE, Subject(model, "even"), RunOptions(out=tmp_path / "cut"))
    assert not (tmp_path / "cut" / "manifest.json").exists()
    second = Says(right_on_even)
    resumed = run(words_task(), NOWHERE, Subject(second, "even"), RunOptions(out=tmp_path / "cut"))
    assert resumed.hash == whole.hash
    assert resumed.manifest["hash"] == manifest.read(tmp_path / "cut")["hash"]
    assert (tmp_path / "cut" / "predictions.jsonl").read_bytes() == (
        tmp_path / "whole" / "predictions.jsonl"
    ).read_bytes()
    assert len(second.asked) == 6 - stop_after  # nothing is asked twice


def test_a_line_cut_off_in_the_cache_is_asked_again(tmp_path: Path) -> None:
    whole = run(words_task(), NOWHERE, Subject(Says(right), "m"), RunOptions(out=tmp_path))
    cache = tmp_path / "replies.jsonl"
    cache.write_bytes(cache.read_bytes()[:-20])
    again = Says(right)
    assert run(words_task(), NOWHERE, Subject(again, "m"), RunOptions(out=tmp_path)).hash == whole.hash
    assert len(again.asked) == 1


@pytest.mark.parametrize("concurrency", [1, 4])
def test_concurrency_changes_nothing_but_the_time(tmp_path: Path, concurrency: int) -> None:
    def slow_at_first(asked: str) -> str:
        time.sleep(0.03 if "(0)" in asked else 0.0)
        return right_on_even(asked)

    options = RunOptions(out=tmp_path, concurrency=concurrency)
    score = run(words_task(), NOWHERE, Subject(Says(slow_at_first), "even"), options)
    alone = run(words_task(), NOWHERE, Subject(Says(right_on_even), "even"))
    assert score.hash == alone.hash


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": MediaSettings(max_pixels=28 * 28 * 100)}, "settings.max_pixels was None and is now 78400"),
        ({"sampling": Sampling(max_new_tokens=4)}, "sampling.max_new_tokens was 8 and is now 4"),
        ({"limit": 2}, "limit was None and is now 2"),
        ({"seed": 1}, "seed was 0 and is now 1"),
    ],
)
def test_a_changed_setting_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    run(words_task(), NOWHERE, Subject(Says(right), "m"), RunOptions(out=tmp_path))
    with pytest.raises(EvaluationError, match=said):
        run(words_task(), NOWHERE, Subject(Says(right), "m"), RunOptions(out=tmp_path, **change))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    run(words_task(), NOWHERE, Subject(Says(right), "m", "weights-a"), RunOptions(out=tmp_path))
    with pytest.raises(EvaluationError, match=r"model\.fingerprint was 'weights-a' and is now 'weights-b'"):
        run(words_task(), NOWHERE, Subject(Says(right), "m", "weights-b"), RunOptions(out=tmp_path))


def test_what_was_asked_with_other_budgets_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    model = Says(right)
    run(words_task(), NOWHERE, Subject(model, "m"), RunOptions(out=tmp_path))
    (tmp_path / "plan.json").unlink()
    wider = RunOptions(out=tmp_path, settings=MediaSettings(max_pixels=78400))
    run(words_task(), NOWHERE, Subject(model, "m"), wider)
    assert len(model.asked) == 12


def test_a_failed_request_is_wrong_said_and_asked_again(tmp_path: Path) -> None:
    def fails(asked: str) -> str:
        if "(2)" in asked:
            raise MediaError("the picture is broken")
        return right(asked)

    first = run(words_task(), NOWHERE, Subject(Says(fails), "m"), RunOptions(out=tmp_path))
    assert first.value == pytest.approx(500 / 6)
    assert first.manifest["failures"] == {"q2": "the picture is broken"}
    again = Says(right)
    second = run(words_task(), NOWHERE, Subject(again, "m"), RunOptions(out=tmp_path))
    assert second.value == 100.0
    assert again.asked == ["Which word? (2)"]


def test_a_limit_draws_by_seed_and_keeps_the_order() -> None:
    ids = []
    for seed in (0, 0, 1):
        seen: list[str] = []
        options = RunOptions(limit=3, seed=seed, on_scored=lambda q, s, r, seen=seen: seen.append(q.id))
        run(words_task(20), NOWHERE, Subject(Says(right), "m"), options)
        ids.append(seen)
    assert ids[0] == ids[1] != ids[2]
    assert ids[0] == sorted(ids[0], key=lambda i: int(i[1:]))
    assert len(ids[0]) == 3


def test_an_endless_task_is_asked_so_many_from_its_start() -> None:
    def endless(_: Any) -> Iterator[Question]:
        for i in itertools.count():
            yield Question(f"q{i}", (user(f"Which word? ({i})"),), f"word{i}")

    task = dataclasses.replace(words_task(), questions=endless, count=4)
    assert run(task, NOWHERE, Subject(Says(right), "m")).n == 4
    seen: list[str] = []
    more = RunOptions(limit=7, on_scored=lambda q, s, r: seen.append(q.id))
    assert run(task, NOWHERE, Subject(Says(right), "m"), more).n == 7
    assert seen == [f"q{i}" for i in range(7)]


def test_answers_are_constrained_to_what_the_model_sees(tmp_path: Path) -> None:
    model = Says(lambda _: "[]")
    seen = MediaInfo(
        kind="image",
        original_size=(168, 112),
        resized_size=(84, 56),
        grid_thw=(1, 4, 6),
        tokens=6,
        transform=Transform.identity((168, 112)).then_resize((84, 56)).to_dict(),
    )
    subject = Subject(model, "m", see=lambda messages: (seen,))
    run(boxes_task(), NOWHERE, subject, RunOptions(out=tmp_path, constrained=True))
    assert model.options[0]["grammar"] == grammars.boxes_grammar(84, 56)
    run(boxes_task(), NOWHERE, Subject(model, "m"), RunOptions(constrained=True))
    assert model.options[-1]["grammar"] == grammars.boxes_grammar(168, 112)  # official sizes where nothing is known
    run(boxes_task(), NOWHERE, subject, RunOptions())
    assert "grammar" not in model.options[-1]
    with pytest.raises(EvaluationError, match="constrained was True and is now False"):
        run(boxes_task(), NOWHERE, subject, RunOptions(out=tmp_path))


def test_progress_reaches_the_end() -> None:
    steps: list[tuple[int, int]] = []
    run(words_task(), NOWHERE, Subject(Says(right), "m"), RunOptions(progress=lambda a, b: steps.append((a, b))))
    assert steps == [(i, 6) for i in range(1, 7)]


def test_a_judge_is_named_and_its_replies_are_kept(tmp_path: Path) -> None:
    def questions(_: Any) -> Any:
        yield Question("q", (user("Which?"),), "B", choices=("A", "B"), options=("red", "blue"))

    task = dataclasses.replace(
        words_task(), questions=questions, form=letter, score=lambda s, q: float(s == q.truth), judge=judge_letter
    )
    judge = Says(lambda _: "B")
    options = RunOptions(out=tmp_path, judge=Subject(judge, "the judge"))
    subject = Subject(Says(lambda _: "the color of the sky"), "m")
    score = run(task, NOWHERE, subject, options)
    assert score.value == 100.0
    assert score.manifest["judge"] == {"name": "the judge", "fingerprint": ""}
    assert score.manifest["parser"] == "judge over choice-letter/2"
    run(task, NOWHERE, subject, options)
    assert len(judge.asked) == 1
    assert run(task, NOWHERE, subject).value == 0.0  # by rule alone the answer names no letter


def test_budgets_reach_the_model() -> None:
    class Looks(Says):
        def chat(self, messages: Any, **options: Any) -> Reply:
            message: Message = messages[-1]
            assert isinstance(message.parts[0], ImagePart)
            assert message.parts[0].max_pixels == 50176
            assert options["sampling"] == Sampling(max_new_tokens=8)
            return super().chat(messages, **options)

    run(words_task(settings=MediaSettings(max_pixels=50176)), NOWHERE, Subject(Looks(right), "m"))
