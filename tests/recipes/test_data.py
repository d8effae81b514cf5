"""Training from what lies on disk: shards, corrected answers, conversation files, and rows that are wrong."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.recipes.making import conversations, shards, trainer, turns
from tests.train.making import losses, picture
from viewfinder.data.mixture import write_mixture
from viewfinder.errors import DataError
from viewfinder.train.config import ConfigError

BOX = '```json\n[{"bbox_2d": [%s], "label": "one"}]\n```'


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for seed in range(3):
        picture(seed, 84, 56).save(tmp_path / f"{seed}.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return tmp_path


def good(number: int) -> dict[str, object]:
    return {"image": f"{number % 3}.png", "conversations": turns("<image>\nsay one", "one " * (number % 4 + 1))}


def refused(out: Path) -> dict[str, str]:
    lines = (out / "quarantine.jsonl").read_text().splitlines()
    return {row["row"]: row["reason"] for row in map(json.loads, lines)}


def test_wrong_rows_are_named_and_the_run_goes_on(pictures: Path, tmp_path: Path) -> None:
    wrong: list[tuple[object, str]] = [
        ({"image": "none.png", "conversations": turns("<image>\nwhere?", "one")}, "missing"),
        ({"image": "0.png", "conversations": turns("<image>\nwhere?", BOX % "10, 10, 90, 50")}, "outside"),
        ({"conversations": [{"from": "robot", "value": "one"}]}, "'robot'"),
        ({"conversations": turns("one", "two", "three")}, "ends with assistant"),
        ({"conversations": [{"from": "gpt", "value": "one"}]}, "begins with user"),
        ({"conversations": turns("one", "one two " * 50_000)}, "more than a pack"),
        ({"conversations": turns("one", "  ")}, "empty"),
        ({"image": "broken.png", "conversations": turns("<image>\nwhere?", "one")}, ""),
        ({"image": "0.png", "conversations": turns("<image><image>\nwhere?", "one")}, "2 <image>"),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}, {"role": "assistant", "content": "one"}]}, ""),
        ({"text": "one"}, "no turns"),
        ("{not JSON", "no JSON"),
    ]
    rows = [good(number) for number in range(16)] + [row for row, _ in wrong]
    source = conversations(pictures / "rows.jsonl", rows)
    out = tmp_path / "run"
    trainer("sft", out, ["steps=4", "seq_len=1024", f"data.source={source}", "data.epochs=1"]).run()
    found = refused(out)
    assert sorted(found) == sorted(f"row {17 + i} of rows.jsonl" for i in range(len(wrong)))
    for i, (_, reason) in enumerate(wrong):
        assert reason in found[f"row {17 + i} of rows.jsonl"], found[f"row {17 + i} of rows.jsonl"]
    assert losses(out)
    assert "row 17 of rows.jsonl" in (out / "report.html").read_text()


def test_rows_that_are_all_wrong_stop_the_run(tmp_path: Path) -> None:
    source = conversations(tmp_path / "rows.jsonl", [{"conversations": turns("one", "")}] * 120)
    with pytest.raises(DataError, match="something is wrong with all of the data"):
        trainer("sft", tmp_path / "run", ["steps=2", f"data.source={source}"]).run()


def test_boxes_of_the_original_are_taught_in_pixels_that_the_model_sees(tmp_path: Path) -> None:
    Image.new("RGB", (224, 112), "red").save(tmp_path / "wide.png")  # shown as 140 x 70, so 140 x 56
    row = {"image": "wide.png", "conversations": turns("<image>\nwhere?", BOX % "100, 50, 200, 100")}
    source = conversations(tmp_path / "rows.jsonl", [row] * 4)
    made = trainer("sft", tmp_path / "run", ["steps=1", f"data.source={source}", "seq_len=256"])
    pack = next(iter(made.dataloader(None))).batches[0]
    from tests.train.making import MADE

    _, height, width = pack.inputs.grid_thw[0].tolist()
    text = MADE.tokenizer.decode(pack.inputs.input_ids.tolist())
    wanted = [round(v * s) for v, s in zip((100, 50, 200, 100), (14 * width / 224, 14 * height / 112) * 2, strict=True)]
    assert f"[{', '.join(map(str, wanted))}]" in text


def test_a_mixture_of_sets_with_validation_by_task_and_sample_pictures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shards("answers", tmp_path / "a")
    shards("captions", tmp_path / "b")
    write_mixture(tmp_path / "mix.json", {"sft": {"a": 2.0, "b": 1.0}})
    settings = ["steps=3", f"data.source={tmp_path / 'mix.json'}", "data.holdout=8", "validate_every=3"]
    trainer("sft", tmp_path / "run", settings).run()
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert {"validation/loss", "validation/image", "validation/video"} <= last.keys()
    board = EventAccumulator(str(tmp_path / "run/tensorboard")).Reload()
    assert "validation/loss" in board.Tags()["scalars"]
    assert "sample/1" in board.Tags()["images"]  # sample 0 has words only or a clip
    report = (tmp_path / "run/report.html").read_text()
    assert "validation/image" in report
    assert "<h2>Held-out samples</h2>" in report
    assert re.search(r'<img src="data:image/jpeg;base64,[^"]+" alt=""><table>.*truth.*step 3', report)


def test_corrected_answers_of_the_playground_are_a_set(tmp_path: Path) -> None:
    from viewfinder.data.sample import Sample, say
    from viewfinder.data.shards import ShardWriter, finish

    for number in range(4):  # as the playground does: a shard each, the index written anew
        with ShardWriter(tmp_path / "book", number) as shard:
            messages = (say("user", picture(number), "say one"), say("assistant", "one"))
            shard.add(Sample(messages, "ask", domain="correction"))
        finish(tmp_path / "book")
    trainer("sft", tmp_path / "run", ["steps=2", f"data.source={tmp_path / 'book'}"]).run()
    assert len(losses(tmp_path / "run")) == 2


def test_other_media_for_the_worse_answer(pictures: Path, tmp_path: Path) -> None:
    rows = [
        {"image": "0.png", "conversations": turns("<image>\nsay", "one"), "rejected": "two", "rejected_image": "1.png"},
        {"conversations": turns("say", "one"), "rejected": "two two"},
    ]
    source = conversations(pictures / "pairs.jsonl", rows * 3)
    trainer("dpo", tmp_path / "run", ["steps=2", f"data.source={source}", "seq_len=1024"]).run()
    assert losses(tmp_path / "run")[0] == pytest.approx(0.6931, abs=1e-3)


def test_a_reference_computed_before_gives_the_same_losses(tmp_path: Path) -> None:
    source = shards("pairs", tmp_path / "data")
    common = ["steps=3", f"data.source={source}", "optimizer.adamw_lr=1e-2", "optimizer.warmup=0"]
    trainer("dpo", tmp_path / "copy", common).run()
    made = trainer("dpo", tmp_path / "before", [*common, "preference.reference=precomputed"])
    assert made.learner.reference is None
    made.run()
    assert losses(tmp_path / "before") == pytest.approx(losses(tmp_path / "copy"), abs=1e-5)


@pytest.mark.parametrize(
    ("setting", "message"),
    [("data.kinds={}", "kinds"), ("data.sauce=x", "data.sauce"), ("data.source=nowhere", "no conversation file")],
)
def test_settings_of_data_are_checked(tmp_path: Path, setting: str, message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        trainer("sft", tmp_path, [setting])


def test_adapters_go_on_from_a_directory(tmp_path: Path) -> None:
    source = shards("answers", tmp_path / "data")
    common = [f"data.source={source}", "optimizer.adamw_lr=1e-2", "optimizer.warmup=0", "lora.rank=3"]
    trainer("lora", tmp_path / "first", ["steps=3", *common]).run()
    settings = [*common, "steps=1", "lora.rank=16", f"lora.start={tmp_path / 'first/adapter'}"]
    trainer("lora", tmp_path / "second", settings).run()
    assert losses(tmp_path / "second")[0] < losses(tmp_path / "first")[0] - 0.01
    assert json.loads((tmp_path / "second/adapter/adapter_config.json").read_text())["r"] == 3
