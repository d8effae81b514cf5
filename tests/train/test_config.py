import re
from pathlib import Path

import pytest

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.train.config import ConfigError, LrScaleConfig, TrainConfig

CONFIG = TrainConfig(recipe="test", steps=10, model=OFFICIAL_SIZES["3B"], data={"crowd": 1.0})


def test_overrides_by_key_section_and_data() -> None:
    changed = CONFIG.with_overrides(["steps=20", "optimizer.muon_lr=0.5", "data.crowd=2", "data.text_share=0.5"])
    assert (changed.steps, changed.optimizer.muon_lr) == (20, 0.5)
    assert changed.data == {"crowd": 2, "text_share": 0.5}
    assert CONFIG.steps == 10


@pytest.mark.parametrize("pair", ["stpes=20", "optimizer.lr=1", "nothing.at.all=1", "steps", "steps=-1", "seed=many"])
def test_what_does_not_exist_or_cannot_be_is_refused(pair: str) -> None:
    with pytest.raises(ConfigError):
        CONFIG.with_overrides([pair])


def test_saved_config_reads_back(tmp_path: Path) -> None:
    CONFIG.save(tmp_path / "config.json")
    assert TrainConfig.model_validate_json((tmp_path / "config.json").read_text()) == CONFIG


OLD = [
    ("packs=4", "global_batch_size", 4),
    ("length=512", "seq_len", 512),
    ("rates.tower=0", "lr_scale", LrScaleConfig(tower=0)),
    ("dense_weight=0.5", "extra_losses", {"token_labels": 0.5}),
    ("pointing_weight=1.5", "extra_losses", {"attention": 1.5}),
]


@pytest.mark.parametrize(("pair", "name", "value"), OLD)
def test_an_old_name_is_accepted_with_a_note(pair: str, name: str, value: object) -> None:
    with pytest.warns(FutureWarning, match=f"is now {name}"):
        assert getattr(CONFIG.with_overrides([pair]), name) == value


def test_an_old_saved_config_reads_as_the_new_one() -> None:
    new = CONFIG.model_copy(
        update={
            "seq_len": 9,
            "global_batch_size": 3,
            "lr_scale": LrScaleConfig(merger=0),
            "extra_losses": {"words": 2.0},
        }
    )
    raw = new.model_dump(mode="json")
    del raw["extra_losses"]
    old = {"length": raw.pop("seq_len"), "packs": raw.pop("global_batch_size"), "rates": raw.pop("lr_scale")}
    old |= {"dense_weight": 0.0, "align_weight": 0.0, "pointing_weight": 0.0, "naming_weight": 2.0, "see": "pixels"}
    with pytest.warns(FutureWarning):
        assert TrainConfig.model_validate({**raw, **old}) == new


def test_what_only_the_built_in_model_can_see_is_refused_elsewhere() -> None:
    with pytest.warns(FutureWarning), pytest.raises(ConfigError, match="see"):
        CONFIG.with_overrides(["see=symbols"])


@pytest.mark.parametrize(
    ("pair", "meant"),
    [
        ("stpes=3", "write steps=..."),
        ("adamw_lr=1e-4", "write optimizer.adamw_lr=..."),
        ("optimizer.adam_lr=1e-4", "write optimizer.adamw_lr=..."),
        ("qqqqqq=3", "write key=value, for example steps=500"),
    ],
)
def test_the_setting_that_was_meant_is_named(pair: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(meant)):
        CONFIG.with_overrides([pair])
