"""What a step of fine-tuning takes on named devices: the end of the page `docs/devices.md`.

(python -m viewfinder.processor.devices; python -m viewfinder.recipes.device_plans) > docs/devices.md
"""

from viewfinder.config import OFFICIAL_SIZES
from viewfinder.processor.devices import DEVICES
from viewfinder.recipes.planning import Device, plan_recipe

_RUNS = {"lora": "adapters of rank 16", "sft": "all weights"}
_NARROW = ["lora.base_dtype=bfloat16"]


def training_table() -> str:
    """One device, one pack of 8,192 tokens a step, activations computed again."""
    lines = [
        "",
        "## Training on one device",
        "",
        "`viewfinder plan lora --size 7B --world 1 --device L40S recompute=true lora.base_dtype=bfloat16` says this",
        "for a run of yours. A step is one pack of 8,192 tokens, half of them pixels, with activations computed",
        "again. Bytes that are kept are counted exactly, the frozen weights below adapters in bfloat16; activations",
        "by formula. 40 % of the peak is **assumed** to be reached; MFU is what updating the weights, at the speed of",
        "the memory, leaves of it. Nothing was measured. A dash: it does not fit.",
        "",
        f"| model | what is trained | memory | {' | '.join(DEVICES)} |",
        f"|---|---|---|{'---|' * len(DEVICES)}",
    ]
    for size in OFFICIAL_SIZES:
        for recipe, what in _RUNS.items():
            cells: list[str] = []
            held = 0
            for name, device in DEVICES.items():
                settings = ["recompute=true", "seq_len=8192", *(_NARROW if recipe == "lora" else [])]
                (stage,) = plan_recipe(recipe, size, 1, settings, Device.named(name), check=False).stages
                fits = stage.memory.total <= 0.95 * device.memory
                cells.append(f"{stage.seconds / stage.steps:.3g} s, {stage.mfu:.0%}" if fits else "-")
                held = stage.memory.total
            if any(cell != "-" for cell in cells):
                lines.append(f"| {size} | {what} | {held / 1e9:.0f} GB | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(training_table(), end="")
