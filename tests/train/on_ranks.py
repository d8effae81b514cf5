"""What one rank of the tests of several ranks runs: `python -m tests.train.on_ranks OUT JOB ...`."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.train.making import KIND_LOSS, MADE, contrastive, make_trainer, sample, train_config
from viewfinder.train.collators import ContrastiveCollator, load_sample
from viewfinder.train.config import LoraConfig, TrainConfig
from viewfinder.train.distributed import ParallelDims, full_tensor, init_distributed
from viewfinder.train.learner import Learner

OPTIMIZER = {"warmup": 2, "cooldown": 0.0, "muon_lr": 0.02, "adamw_lr": 1e-2, "ema": 0.5}
ANSWER: dict[str, Any] = {"steps": 20, "save_every": 10, "log_every": 1, "optimizer": OPTIMIZER}
SHORT: dict[str, Any] = {**ANSWER, "steps": 5}
JOBS: dict[str, dict[str, Any]] = {
    "answer": ANSWER,
    "goes_on": ANSWER,
    "tensor": {**SHORT, "parallel": {"tensor": 2}},
    "recompute": {**SHORT, "recompute": True},
    "extra": {**SHORT, "extra_losses": KIND_LOSS},
    "frozen": {**SHORT, "lr_scale": {"tower": 0.0}},
    "preference": {**SHORT, "objective": "preference"},
    "adapters": {**SHORT, "lora": LoraConfig(rank=2, alpha=4.0, targets=("q_proj", "down_proj"))},
}


def config_of(job: str) -> TrainConfig:
    return train_config(MADE, **JOBS[job])


def run(job: str, out: Path, parallel: ParallelDims) -> None:
    make_trainer(config_of(job), out / job, parallel).run()


def contrast_config() -> TrainConfig:
    return train_config(MADE, objective="contrastive", contrastive=contrastive(MADE))


def contrast_gradients(out: Path | None, parallel: ParallelDims) -> dict[str, torch.Tensor]:
    """Gradients of one step of contrast over three pairs; the second of two ranks has the last, or none."""
    trainer = make_trainer(contrast_config(), out or Path(), parallel)
    learner: Learner = trainer.learner
    collator = ContrastiveCollator(MADE, trainer.config.model, 256)
    items = [load_sample(collator, sample("image", seed)) for seed in (1, 2, 3)]
    found: dict[str, torch.Tensor] = {}
    for name, cut in (("shared", 2), ("none", 3)):
        mine = items if parallel.world == 1 else items[:cut] if parallel.rank == 0 else items[cut:]
        loss = learner(collator.collate(mine, ()) if mine else collator.empty()).total
        (loss * parallel.world / len(items)).backward()
        found |= {
            f"{name} {n}": full_tensor(p.grad).clone() for n, p in learner.named_parameters() if p.grad is not None
        }
        learner.zero_grad()
    return found


def main() -> None:
    out, jobs = Path(sys.argv[1]), sys.argv[2:]
    torch.set_num_threads(1)
    for job in jobs:
        config = config_of(job) if job != "contrast" else contrast_config()
        parallel = init_distributed(config.parallel, "cpu")
        if job == "contrast":
            gradients = contrast_gradients(out / job, parallel)
            if parallel.rank == 0:
                torch.save(gradients, out / "contrast.pt")
        else:
            run(job, out, parallel)
    print(json.dumps({"rank": dist.get_rank(), "done": jobs}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
