"""4. Latency and memory of the released sizes on named devices: predicted, and beside what this machine measures."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import torch

from viewfinder.config import OFFICIAL_SIZES, ModelConfig
from viewfinder.inputs import ModelInputs
from viewfinder.processor.cost import predict, vision_flops
from viewfinder.studies.devices import DEVICES, Request, clock, measured_roofs, seconds
from viewfinder.studies.lab import Lab
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study

REQUEST = Request()
LAYERS, PROMPT, SIDE = 2, 192, 448
"""Of the models measured here: real widths, few layers and words, so that they fit any machine."""
REPEATS = 5


def settings(smoke: bool) -> Sequence[Setting]:
    predicted = [{"name": f"{s} on {d}", "size": s, "device": d} for d in DEVICES for s in OFFICIAL_SIZES]
    here = [{"name": f"{s} {part} here", "size": s, "part": part} for s in ("3B", "7B") for part in PARTS]
    return [predicted[0]] if smoke else [*predicted, *here]


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    config = OFFICIAL_SIZES[setting["size"]]
    if "part" in setting:
        return PARTS[setting["part"]](config)
    cost, device = REQUEST.cost(config), DEVICES[setting["device"]]
    first, step = seconds(cost, device)
    return {
        "first": round(first, 4),
        "step": round(step, 5),
        "answer": round(first + REQUEST.answer * step, 3),
        "GB": round((cost.bytes + 2 * cost.pixel_bytes) / 1e9, 1),
        "fits": (cost.bytes + 2 * cost.pixel_bytes) * 1.1 < device.memory,
    }


def _few_layers(config: ModelConfig) -> Any:
    """A model of the size's widths with random weights, two layers, and a short vocabulary."""
    from viewfinder.model.qwen2_5_vl import Qwen2_5_VL

    vision = config.vision.model_copy(update={"depth": LAYERS, "fullatt_block_indexes": (1,)})
    text = config.text.model_copy(update={"num_hidden_layers": LAYERS, "vocab_size": 2048})
    small = config.model_copy(update={"vision": vision, "text": text, "image_token_id": 2000, "video_token_id": 2001})
    torch.manual_seed(0)
    return small, Qwen2_5_VL(small).to(torch.bfloat16).eval().requires_grad_(False)


def _tower(config: ModelConfig) -> Mapping[str, Any]:
    small, model = _few_layers(config)
    grid = (1, SIDE // 14, SIDE // 14)
    pixels = torch.randn(grid[1] * grid[2], small.vision.patch_dim)
    work = vision_flops(small.vision, grid)
    return _compared(lambda: model.visual(pixels, torch.tensor([grid])), lambda: work / measured_roofs().flops)


def _prefill(config: ModelConfig) -> Mapping[str, Any]:
    small, model = _few_layers(config)
    work = predict(small, [], PROMPT).prefill_flops
    return _compared(
        lambda: model(_words(PROMPT), logits_at=torch.tensor([PROMPT - 1])), lambda: work / measured_roofs().flops
    )


def _step(config: ModelConfig) -> Mapping[str, Any]:
    """A token alone: its time is that of reading the weights of its layers."""
    small, model = _few_layers(config)
    read = 2 * sum(p.numel() for p in model.model.layers.parameters()) + 2 * model.lm_head.weight.numel()
    assert small.text.num_hidden_layers == LAYERS
    return _compared(lambda: model(_words(1)), lambda: read / measured_roofs().bandwidth)


PARTS: Mapping[str, Callable[[ModelConfig], Mapping[str, Any]]] = {"tower": _tower, "prefill": _prefill, "step": _step}


def _words(count: int) -> ModelInputs:
    ids = torch.arange(count) % 1000
    return ModelInputs(
        ids,
        torch.arange(count).expand(3, -1),
        torch.tensor([0, count], dtype=torch.int32),
        (0,),
        media_per_sequence=(0,),
    )


@torch.inference_mode()
def _compared(work: Callable[[], Any], predicted: Callable[[], float]) -> Mapping[str, Any]:
    """Measured and predicted seconds by turns, the roofs measured anew each time: other programs slow both."""
    work()
    pairs = []
    for _ in range(REPEATS):
        measured_roofs.cache_clear()
        pairs.append((clock(work), predicted()))
    ratios = [a / b for a, b in pairs]
    return {
        "measured": round(median(a for a, _ in pairs), 5),
        "predicted": round(median(b for _, b in pairs), 5),
        "ratio": [round(median(ratios), 2), round(min(ratios), 2), round(max(ratios), 2), REPEATS],
    }


def find(records: Sequence[Record]) -> Findings:
    predicted, here = [r for r in records if "device" in r], [r for r in records if "part" in r]
    of = {(r["size"], r["device"]): r for r in predicted}
    sizes, devices = [list(dict.fromkeys(r[k] for r in predicted)) for k in ("size", "device")]
    size, device = ("7B" if "7B" in sizes else sizes[0]), devices[0]
    main = of[size, device]
    fits = ", ".join(f"{s} on {sum(of[s, d]['fits'] for d in devices)}" for s in sizes)
    parts = {part: [r["ratio"][0] for r in here if r["part"] == part] for part in PARTS} if here else {}
    error = "; ".join(f"{part} {min(v):.1f} to {max(v):.1f}" for part, v in parts.items() if v)
    answer = (
        f"A page of {REQUEST.side} pixels square and {REQUEST.answer} answer tokens is predicted to take {size} "
        f"{main['first']:.2f} s to the first token and {1000 * main['step']:.0f} ms for each further one on one "
        f"{device}; of {len(devices)} devices bfloat16 weights fit ({fits}). Where this processor could be asked, the "
        f"measured time was so many times what its own measured roofs allow: {error or 'not measured in this run'}."
    )

    def panel(title: str, key: str, label: str) -> Panel:
        return Panel(
            title,
            "",
            label,
            [Series(s, devices, [of[s, d][key] for d in devices if (s, d) in of]) for s in sizes],
            "bars",
            "y",
        )

    panels = [panel("To the first token", "first", "seconds"), panel("A further token", "step", "seconds")]
    if here:
        sizes_here = list(dict.fromkeys(r["size"] for r in here))
        panels.append(
            Panel(
                "Measured over the roof, here",
                "",
                "times",
                [Series(s, list(PARTS), [r["ratio"][0] for r in here if r["size"] == s]) for s in sizes_here],
                "bars",
            )
        )
    rows = [
        [
            r["name"],
            f"{r['first']:.3f} s",
            f"{1000 * r['step']:.1f} ms",
            f"{r['answer']:.2f} s",
            f"{r['GB']:.0f}",
            "yes" if r["fits"] else "no",
        ]
        for r in predicted
    ]
    rows += [
        [
            r["name"],
            f"measured {r['measured']:.4f} s",
            f"roof {r['predicted']:.4f} s",
            "{:.2f} ({:.2f} to {:.2f}) times".format(*r["ratio"][:3]),
            "",
            "",
        ]
        for r in here
    ]
    return Findings(
        answer,
        panels,
        ["size and device", "first token", "further token", "whole answer", "GB", "fits"],
        rows,
        [
            (
                "No accelerator was at hand: figures of named devices are predictions at two fifths of the peak and "
                "seven tenths of the memory's rate, batch of one, bfloat16, one device. The error on them is not known."
            ),
            (
                f"Measured here are models of the real widths with {LAYERS} layers and random weights (brackets: least "
                f"and most of {REPEATS}), on a machine that other programs use at the same time; roofs and models were "
                "measured by turns."
            ),
            (
                "A size that does not fit is listed all the same: its time holds for several devices only if they "
                "split it perfectly."
            ),
        ],
        "",
    )


STUDY = Study(
    4,
    "latency",
    "Latency and memory on named devices",
    "what 3B, 7B, 32B and 72B need in seconds and gigabytes on devices that people have.",
    settings,
    measure,
    find,
    needs="nothing",
)
