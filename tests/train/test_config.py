from pathlib import Path

import pytest

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.train.config import ConfigError, TrainConfig

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
