"""Training steps on the machine."""

import dataclasses
import json
import tempfile
from pathlib import Path

import torch
from gpu_setup import Figures, Setup, request, seconds, with_layers
from torch.nn import functional as F

from viewfinder.processor.cost import predict
from viewfinder.recipes.run import train as train_recipe
from viewfinder.train.flops import measure_peak


def train(setup: Setup) -> Figures:
    """A step of SFT with all weights: its seconds and the share of the measured peak that it reaches."""
    config = setup.config if setup.small else with_layers(setup.config, 12)
    model = dataclasses.replace(setup, config=config).model(torch.float32).train().requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-5, fused=setup.is_gpu)
    length = 128 if setup.small else 4096
    inputs = request(config, length, 112 if setup.small else 448).to(setup.device)
    ids = inputs.input_ids

    def step() -> None:
        with torch.autocast(setup.device.type, torch.bfloat16, enabled=setup.is_gpu):
            logits = model(inputs)
        F.cross_entropy(logits[:-1].float(), ids[1:]).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    taken = seconds(setup, step, 2 if setup.small else 4)
    yield "seconds a step", taken
    grids = [] if inputs.grid_thw is None else [tuple(row) for row in inputs.grid_thw.tolist()]
    cost = predict(config, grids, len(ids))
    head = 2 * config.text.hidden_size * config.text.vocab_size * (len(ids) - 1)
    peak = measure_peak(setup.dtype, setup.device.type, 512 if setup.small else 8192)
    yield "share of the measured peak", 3 * (cost.flops + head) / taken / peak
    yield from _product_run(setup)


def _product_run(setup: Setup) -> Figures:
    """`viewfinder train sft` from the built-in model: two steps, then two more from what was saved."""
    picture = str(Path(__file__).parents[1] / "examples" / "shapes.png")
    turns = [{"from": "human", "value": "<image>Where is the star?"}, {"from": "gpt", "value": "On the right."}]
    with tempfile.TemporaryDirectory() as folder:
        out, rows = Path(folder) / "run", Path(folder) / "rows.json"
        rows.write_text(json.dumps([{"image": picture, "conversations": turns}] * 16))
        settings = [f"data.source={rows}", f"device={setup.device.type}", "seq_len=512", "global_batch_size=1"]
        for steps in (2, 4):
            told: list[str] = []
            figures = train_recipe("sft", out, [*settings, f"steps={steps}"], init="tiny", tell=told.append)
            yield f"viewfinder train sft, loss after {steps} steps", figures["loss"]
        yield "viewfinder train sft", told[0]
