"""What several tests share: a random model small enough to run in milliseconds, and inputs for it."""

import hypothesis
import pytest
import torch

from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.model import Qwen2_5_VL

hypothesis.settings.register_profile(
    "shared machine", deadline=None
)  # how long an example takes is the machine's doing
hypothesis.settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run (CI, after `make setup`)")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skip hides a program that set-up should have installed, so with `--no-skips` it fails the run."""
    told = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and told is not None and told.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def small_config(*, tied: bool = False, vocab_size: int = 300) -> ModelConfig:
    """Real structure, tiny widths: windows of 4x4 tokens, one full block, grouped heads."""
    return ModelConfig(
        vision=VisionConfig(
            depth=3, hidden_size=32, num_heads=2, intermediate_size=44, out_hidden_size=64, fullatt_block_indexes=(1,)
        ),
        text=TextConfig(
            vocab_size=vocab_size,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            mrope_section=(2, 3, 3),
            tie_word_embeddings=tied,
            max_position_embeddings=4096,
        ),
        image_token_id=290,
        video_token_id=291,
        vision_start_token_id=288,
        vision_end_token_id=289,
        bos_token_id=280,
        eos_token_id=281,
    )


def random_model(config: ModelConfig, seed: int = 0) -> Qwen2_5_VL:
    """A model with random weights large enough that every part matters."""
    torch.manual_seed(seed)
    model = Qwen2_5_VL(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
            else:
                parameter.normal_(0, 0.15)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def config() -> ModelConfig:
    return small_config()


@pytest.fixture(scope="session")
def model(config: ModelConfig) -> Qwen2_5_VL:
    return random_model(config)
