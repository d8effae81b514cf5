"""What several tests share: a random model small enough to run in milliseconds, and inputs for it."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch
from safetensors.torch import load_file, save_file

from viewfinder.config import ModelConfig, TextConfig, VisionConfig
from viewfinder.model import Qwen2_5_VL, save_pretrained

collect_ignore = [] if os.environ.get("TRITON_INTERPRET") else ["model/test_paged_decode.py"]  # make test-triton

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


@pytest.fixture(scope="session")
def colqwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As colpali-engine saves it with transformers 5: names under `language_model.`, no output projection."""
    path = tmp_path_factory.mktemp("retriever")
    from tests.doubles import small_processor

    processor = small_processor()
    ids = {
        f"{name}_token_id": processor.tokenizer.token_id(f"<|{token}|>")
        for name, token in (
            *(("image", "image_pad"), ("video", "video_pad"), ("vision_start", "vision_start")),
            *(("vision_end", "vision_end"), ("bos", "endoftext"), ("eos", "im_end")),
        )
    }
    save_pretrained(random_model(small_config(tied=True).model_copy(update=ids)), path)
    processor.save_pretrained(path)
    state = load_file(path / "model.safetensors")
    state = {
        name.replace("model.", "language_model.", 1) if name.startswith("model.") else name: t
        for name, t in state.items()
    }
    torch.manual_seed(1)
    state |= {"custom_text_proj.weight": torch.randn(128, 64) * 0.2, "custom_text_proj.bias": torch.randn(128) * 0.1}
    save_file(state, path / "model.safetensors")
    return path
