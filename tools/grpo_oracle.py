"""Losses and gradients of TRL's GRPOTrainer on fixed answers, for `tests/train/test_policy_oracle.py`.

    python tools/grpo_oracle.py ask FOLDER                          # our environment: model and batches to FOLDER
    TRL/bin/python tools/grpo_oracle.py answer FOLDER tests/golden/grpo_trl.json

The second line runs in an environment of its own: pip install trl==1.16.0 torch==2.13.0 pillow.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch


def ask(folder: Path) -> None:
    """Checkpoint, and a JSON of padded batches with what earlier weights and a reference said."""
    from tests.train import policy_making as making
    from tests.train.making import MADE, fresh_model
    from viewfinder.model.weights import save_pretrained
    from viewfinder.recipes.sizes import export_processor
    from viewfinder.train.policy import group_advantages

    model = fresh_model(making.config_of("grpo"))
    save_pretrained(model, folder / "model")
    export_processor(MADE, folder / "model")
    cases: dict[str, Any] = {}
    for kind, variant in making.CASES:
        made = making.answered(kind, variant, model)
        rollouts = [(group.prompt.prepared.inputs, one) for group in made.groups for one in group.rollouts]
        pixels = [inputs.pixel_values for inputs, _ in rollouts if inputs.pixel_values is not None]
        cases[f"{kind}/{variant}"] = {
            "settings": making.config_of(variant).grpo.resolved().model_dump(),
            "prompts": [inputs.input_ids.tolist() for inputs, _ in rollouts],
            "answers": [one.tokens for _, one in rollouts],
            "ended": [one.finish == "stop" for _, one in rollouts],
            "advantages": [one.advantage for _, one in rollouts],
            "rewards": making.REWARDS,
            "ours": [group_advantages(rewards, True) for rewards in making.REWARDS],
            "old": made.old,
            "reference": made.reference,
            "pixel_values": torch.cat(pixels).tolist() if pixels else None,
            "grid": [inputs.grid_thw.tolist()[0] for inputs, _ in rollouts if inputs.grid_thw is not None],
            "seconds": [inputs.second_per_grid_ts[0] for inputs, _ in rollouts if kind == "clips"],
            "image_token": MADE.image_token_id,
            "video_token": MADE.video_token_id,
            "pad": MADE.tokenizer.token_id("<|endoftext|>"),
        }
    (folder / "cases.json").write_text(json.dumps(cases))


def answer(folder: Path, out: Path) -> None:
    """Each case through `GRPOTrainer._compute_loss`."""
    cases = json.loads((folder / "cases.json").read_text())
    found = {name: _through_trl(folder, case) for name, case in cases.items()}
    out.write_text("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in found.items()) + "\n}\n")


def _through_trl(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    trainer = _trainer(folder, case["settings"])
    model = trainer.model.train()
    inputs = _inputs(case)
    if case["seconds"]:
        _show_clips(model, case, inputs)
    with torch.no_grad():
        now = trainer._get_per_token_logps_and_entropies(
            model,
            torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1),
            torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1),
            inputs["completion_ids"].size(1),
            **{
                k: inputs[k]
                for k in ("pixel_values", "image_grid_thw", "num_images", "mm_token_type_ids")
                if k in inputs
            },
        )[0]
    if case["settings"]["mask_truncated"]:
        inputs["completion_mask"] = inputs["completion_mask"] * torch.tensor(case["ended"])[:, None].long()
    inputs["num_items_in_batch"] = inputs["completion_mask"].sum()
    if case["settings"]["iterations"] > 1:
        inputs["old_per_token_logps"] = now + _rows(case, case["old"])
    if case["settings"]["kl"]:
        inputs["ref_per_token_logps"] = now + _rows(case, case["reference"])
    model.zero_grad()
    loss = trainer._compute_loss(model, inputs)
    loss.backward()
    from trl.trainer.utils import nanstd

    rewards = torch.tensor(case["rewards"], dtype=torch.float64)
    advantages = (rewards - rewards.mean(1, keepdim=True)) / (nanstd(rewards, dim=1)[:, None] + 1e-4)
    gradients = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            ours = name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")
            flat = parameter.grad.double().flatten()
            wave = torch.cos(0.37 * torch.arange(len(flat), dtype=torch.float64) + 0.1)
            gradients[ours] = [round(float(flat.norm()), 9), round(float(flat @ wave), 9)]
    return {"loss": loss.item(), "advantages": advantages.tolist(), "gradients": gradients}


def _trainer(folder: Path, settings: dict[str, Any]) -> Any:
    from datasets import Dataset
    from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration
    from trl import GRPOConfig, GRPOTrainer

    config = GRPOConfig(
        output_dir=str(folder / "out"),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        per_device_train_batch_size=6,
        num_generations=3,
        max_completion_length=settings["max_new_tokens"],
        loss_type=settings["variant"],
        scale_rewards="group" if settings["scale_by_deviation"] else "none",
        epsilon=settings["clip"],
        epsilon_high=settings["clip_high"],
        beta=0.0,
        use_bias_correction_kl=settings["unbiased_kl"],
        temperature=settings["temperature"],
        mask_truncated_completions=settings["mask_truncated"],
    )
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder / "model", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    rows = Dataset.from_list([{"prompt": "say one"}] * 6)
    trainer = GRPOTrainer(
        model, reward_funcs=lambda **_: [0.0], args=config, train_dataset=rows, processing_class=tokenizer
    )
    trainer.beta = settings["kl"]
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def _inputs(case: dict[str, Any]) -> dict[str, Any]:
    """Prompts padded on the left, answers on the right."""
    longest = max(map(len, case["prompts"]))
    pad, image = case["pad"], case["image_token"]
    prompts = torch.tensor([[pad] * (longest - len(p)) + p for p in case["prompts"]])
    prompt_mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in case["prompts"]])
    width = max(map(len, case["answers"]))
    answers = torch.tensor([a + [pad] * (width - len(a)) for a in case["answers"]])
    answer_mask = torch.tensor([[1] * len(a) + [0] * (width - len(a)) for a in case["answers"]])
    inputs = {
        "prompt_ids": prompts,
        "prompt_mask": prompt_mask,
        "completion_ids": answers,
        "completion_mask": answer_mask,
        "advantages": torch.tensor(case["advantages"]),
    }
    if case["pixel_values"] is None:
        return inputs
    kinds = (prompts == image).long() + 2 * (prompts == case["video_token"]).long()
    kinds = torch.cat([kinds, torch.zeros_like(answers)], 1)
    return {
        **inputs,
        "pixel_values": torch.tensor(case["pixel_values"]),
        "image_grid_thw": torch.tensor(case["grid"]),
        "num_images": [1] * len(prompts),
        "mm_token_type_ids": kinds,
    }


def _show_clips(model: Any, case: dict[str, Any], inputs: dict[str, Any]) -> None:
    """Give the model its clips beside what the trainer hands it, which is pictures alone."""
    clips = {
        "pixel_values_videos": inputs.pop("pixel_values"),
        "video_grid_thw": inputs.pop("image_grid_thw"),
        "second_per_grid_ts": torch.tensor(case["seconds"]),
    }
    del inputs["num_images"]
    model.forward = partial(model.forward, **clips)


def _rows(case: dict[str, Any], values: list[float]) -> torch.Tensor:
    """Values of all tokens of answers as a padded table."""
    width = max(map(len, case["answers"]))
    rows, at = torch.zeros(len(case["answers"]), width), 0
    for number, one in enumerate(case["answers"]):
        rows[number, : len(one)] = torch.tensor(values[at : at + len(one)])
        at += len(one)
    return rows


if __name__ == "__main__":
    ask(Path(sys.argv[2])) if sys.argv[1] == "ask" else answer(Path(sys.argv[2]), Path(sys.argv[3]))
