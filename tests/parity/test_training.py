"""Loss and gradients of SFT and DPO beside transformers and TRL, and adapters beside PEFT, on one small checkpoint."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.making import MADE, fresh_model, picture, sample, train_config
from viewfinder.data.sample import Sample, say
from viewfinder.model.lora import add_adapters, load_adapter, save_adapter
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL
from viewfinder.train.batches import batch_units
from viewfinder.train.collators import AnswerCollator, PreferenceCollator, load_sample
from viewfinder.train.config import LrScaleConfig
from viewfinder.train.learner import Learner, Reference

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]
CONFIG = train_config(MADE, seq_len=4096)
PAIRS = [("say one", "one", "two two three"), ("say two", "two three", "one"), ("and now?", "three", "two")]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.parity.training import write_checkpoint

    path = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(fresh_model(CONFIG), MADE, path)
    return path


def assert_gradients(ours: Qwen2_5_VL, theirs: Any, scale: float) -> None:
    from tests.parity.training import their_name

    found = dict(theirs.named_parameters())
    compared = 0
    for name, parameter in ours.named_parameters():
        if parameter.grad is not None:
            mine, other = parameter.grad / scale, found[their_name(name)].grad
            assert float((mine - other).abs().max()) < 1e-5 * max(1.0, float(other.abs().max())), name
            compared += 1
    assert compared > 20


@pytest.mark.parametrize("kinds", [("text", "text"), ("image", "text", "images"), ("images", "image")], ids="+".join)
def test_sft(directory: Path, kinds: tuple[str, ...]) -> None:
    from tests.parity.training import padded, their_model

    collator = AnswerCollator(MADE, CONFIG.model, 4096)
    items = [load_sample(collator, sample(kind, seed)) for seed, kind in enumerate(kinds)]
    learner = Learner(CONFIG, fresh_model(CONFIG))
    batch = collator.collate(items, ())
    loss = learner(batch).total
    loss.backward()
    theirs = their_model(directory).train()
    their_loss = theirs(**padded([item.inputs for item in items], CONFIG.model.image_token_id)).loss
    their_loss.backward()
    units = batch_units(batch)
    assert abs(float(loss) / units - float(their_loss)) < 1e-5
    if "image" not in kinds[0] and "images" not in kinds:  # there the tower takes no part without pictures
        learner.model.visual.zero_grad()
    assert_gradients(learner.model, theirs, units)


def dpo_trainer(directory: Path, out: Path, with_pictures: bool) -> Any:
    """TRL's trainer with a moved policy, and its first batch."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    from tests.parity.training import their_model, their_processor

    rows = [
        {
            "prompt": [{"role": "user", "content": question}],
            "chosen": [{"role": "assistant", "content": better}],
            "rejected": [{"role": "assistant", "content": worse}],
            **({"images": [picture(number)]} if with_pictures else {}),
        }
        for number, (question, better, worse) in enumerate(PAIRS)
    ]
    settings = DPOConfig(
        str(out), per_device_train_batch_size=3, beta=0.1, report_to=[], use_cpu=True, bf16=False, max_length=None
    )
    policy, reference = their_model(directory), their_model(directory)
    move(policy.lm_head.weight)
    trainer = DPOTrainer(
        policy,
        reference,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=their_processor(directory),
    )
    batch = trainer.data_collator([trainer.train_dataset[i] for i in range(3)])
    return trainer, batch


def move(weight: torch.Tensor) -> None:
    """So that policy and reference differ."""
    with torch.no_grad():
        weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("with_pictures", [True, False], ids=["pictures", "words"])
def test_dpo(directory: Path, tmp_path: Path, with_pictures: bool) -> None:
    config = train_config(MADE, objective="preference", lr_scale=LrScaleConfig(tower=0, merger=0), seq_len=4096)
    model = fresh_model(config)
    reference = Reference(model)
    move(model.lm_head.weight)
    learner, collator = Learner(config, model, reference=reference), PreferenceCollator(MADE, config.model, 4096)
    samples = [
        Sample(
            (say("user", *([picture(n)] if with_pictures else []), question), say("assistant", better)),
            "pair",
            rejected=say("assistant", worse),
        )
        for n, (question, better, worse) in enumerate(PAIRS)
    ]
    loss = learner(collator.collate([load_sample(collator, one) for one in samples], range(3)))
    loss.total.backward()
    trainer, batch = dpo_trainer(directory, tmp_path, with_pictures)
    their_loss = trainer.compute_loss(trainer.model, batch)
    their_loss.backward()
    assert abs(float(loss.total) / 3 - float(their_loss)) < 1e-5
    assert float(loss.metrics["margin"][0]) != 0
    assert_gradients(model, trainer.model, 3)


def test_adapters_go_to_peft_and_back(directory: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    from tests.parity.training import padded, their_model

    model = fresh_model(CONFIG)
    add_adapters(model, 3, 6.0, ("q_proj", "v_proj", "down_proj"))
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if name.endswith("lora_B"):
            torch.nn.init.normal_(parameter, std=0.1)
    save_adapter(model, tmp_path / "ours")
    theirs = PeftModel.from_pretrained(their_model(directory), str(tmp_path / "ours")).eval()
    item = load_sample(AnswerCollator(MADE, CONFIG.model, 4096), sample("image")).inputs
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = padded([item], CONFIG.model.image_token_id)
        assert (theirs(**batch).logits[0] - model(item)).abs().max() < 1e-4
        theirs.save_pretrained(tmp_path / "theirs")
        again = fresh_model(CONFIG)
        plain = again(item)
        load_adapter(again, tmp_path / "theirs")
        assert torch.equal(again(item), model(item))
        assert not torch.allclose(plain, model(item))
