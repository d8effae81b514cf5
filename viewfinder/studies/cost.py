"""13. Cost and carbon of 4.1T tokens, and what each saving is worth; from the cost model, with ranges."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from viewfinder.studies.lab import Lab
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study

WORLD = 1024
"""Devices over which weights are sharded, which decides how long the network takes."""
CASES: Mapping[str, Mapping[str, float]] = {
    "low": {"utilisation": 0.5, "watts": 900.0, "price": 1.5, "carbon": 0.03},
    "middle": {"utilisation": 0.4, "watts": 1000.0, "price": 2.5, "carbon": 0.4},
    "high": {"utilisation": 0.25, "watts": 1300.0, "price": 4.0, "carbon": 0.7},
}
"""Share of the peak that is reached, watts of a device with its share of machine and cooling, dollars an hour, and
kg of CO2 a kWh (hydro or nuclear power; about the world's mean; mostly coal)."""
SIZES = ("3B", "7B", "32B", "72B")
PEAK, FLOAT32_PEAK, FP8_PEAK, FP8_REACHED = 989e12, 67e12, 1979e12, 0.75
"""FLOP/s of an H100 in bfloat16, float32 and fp8 (data sheet), and the share of bfloat16's utilisation thought to "
"be left."""
VIDEO_SHARE = 0.5
"""Of the media tokens of the long stage, those of clips (assumed)."""
SAVINGS = (
    "packing",
    "network hidden",
    "frozen tower",
    "one vision pass",
    "half the frames",
    "bf16, not float32",
    "fp8, not bf16",
)


def settings(smoke: bool) -> Sequence[Setting]:
    sizes, cases = (SIZES[:1], ("middle",)) if smoke else (SIZES, tuple(CASES))
    rows = [{"name": f"{size} {case}", "size": size, "case": case} for size in sizes for case in cases]
    chosen = SAVINGS[-2:] if smoke else SAVINGS
    return [*rows, *({"name": f"saving: {s}", "size": "7B", "case": "middle", "saving": s} for s in chosen)]


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    if "saving" in setting:
        return {"saved": round(_saved(setting["saving"], setting["size"]), 4)}
    case = CASES[setting["case"]]
    hours = _hours("report", setting["size"], utilisation=case["utilisation"])
    mwh = hours * case["watts"] / 1e6
    return {
        "device_hours": round(hours),
        "mwh": round(mwh, 2),
        "dollars": round(hours * case["price"]),
        "tonnes": round(mwh * case["carbon"], 2),
    }


@cache
def _stages(recipe: str, size: str, changes: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """The stages of a plan; its settings differ in devices only, so it is made once."""
    from viewfinder.recipes.planning import plan_recipe

    return plan_recipe(recipe, size, WORLD, list(changes), check=False).stages


def _hours(
    recipe: str, size: str, changes: tuple[str, ...] = (), peak: float = PEAK, utilisation: float | None = None
) -> float:
    """Device hours of the FLOPs alone, as where sending hides behind computing."""
    reached = peak * (utilisation or CASES["middle"]["utilisation"])
    return sum(stage.flops_per_token * stage.tokens for stage in _stages(recipe, size, changes)) / reached / 3600


def _saved(saving: str, size: str) -> float:
    """Share of the device hours of the whole plan that a saving takes away."""
    from viewfinder.recipes.planning import DATA

    if saving.startswith("bf16"):
        return 1 - FLOAT32_PEAK / PEAK
    if saving.startswith("fp8"):
        return 1 - PEAK / (FP8_PEAK * FP8_REACHED)
    whole = _hours("report", size)
    if saving == "packing":
        words = sum(_hours(s.recipe, size) * _share(size, s.recipe, 0.0) for s in _stages("report", size))
        return 1 - whole / (whole + words * (padding() - 1))
    if saving == "network hidden":
        stages = _stages("report", size)
        return 1 - sum(s.compute_seconds for s in stages) / sum(s.seconds for s in stages)
    if saving == "frozen tower":
        frozen = ("pretrain-multimodal", "pretrain-long")
        return sum(_hours(name, size) - _hours(name, size, ("lr_scale.tower=0",)) for name in frozen) / whole
    if saving == "one vision pass":
        second = _hours("dpo", size) * (1 - _share(size, "dpo", 0.0))
        return second / (whole + second)
    return _hours("pretrain-long", size) * DATA["pretrain-long"].media * VIDEO_SHARE / 2 / whole


def _share(size: str, recipe: str, media: float) -> float:
    """Share of a stage's FLOPs that remains with another share of media (0: what the language model does)."""
    from viewfinder.recipes.planning import DATA
    from viewfinder.recipes.run import resolve
    from viewfinder.recipes.sizes import start_of_size
    from viewfinder.train.estimate import step_flops

    config = resolve(start_of_size(size), recipe, [])
    return step_flops(config, replace(DATA[recipe], media=media)) / step_flops(config, DATA[recipe])


def padding(batch: int = 8, each: int = 8) -> float:
    """Tokens of batches of eight padded to their longest over tokens: of requests of the built-in model's tasks but
    clips, in their order, with the official processor."""
    from viewfinder.eval.builtin import all_builtin
    from viewfinder.processor.processor import Processor

    processor, lab = Processor.official(), Lab()
    tasks = [task for task in all_builtin().values() if not task.job and "renderer" not in task.name]
    mixed = [q for row in zip(*(lab.questions(task, each) for task in tasks), strict=True) for q in row]
    lengths = [len(processor.plan(q.messages).inputs.input_ids) for q in mixed]
    batches = [lengths[i : i + batch] for i in range(0, len(lengths), batch)]
    return sum(max(b) * len(b) for b in batches) / sum(lengths)


def find(records: Sequence[Record]) -> Findings:
    of = {(r["size"], r["case"]): r for r in records if "saving" not in r}
    saved = {r["saving"]: r["saved"] for r in records if "saving" in r}
    sizes = [size for size in SIZES if (size, "middle") in of]
    main = "7B" if "7B" in sizes else sizes[0]
    low, mid, high = (of.get((main, case), of[main, "middle"]) for case in ("low", "middle", "high"))
    best = sorted(saved, key=lambda name: -saved[name])
    answer = (
        f"Training {main} on the report's 4.1T tokens takes about {mid['device_hours'] / 1e6:.2f} million H100 hours: "
        f"{mid['dollars'] / 1e6:.2f} million dollars ({low['dollars'] / 1e6:.2f} to {high['dollars'] / 1e6:.2f}), "
        f"{mid['mwh']:,.0f} MWh and {mid['tonnes']:,.0f} t of CO2 ({low['tonnes']:,.0f} to {high['tonnes']:,.0f}, most "
        f"of which is the choice of the grid). The largest saving is {best[0]} ({saved[best[0]]:.0%} of the hours), "
        f"the smallest {best[-1]} ({saved[best[-1]]:.1%})."
    )

    def panel(title: str, key: str, label: str) -> Panel:
        values = [
            [of[s, "middle"][key], *(of.get((s, c), of[s, "middle"])[key] for c in ("low", "high")), 0] for s in sizes
        ]
        return Panel(title, "size", label, [Series("4.1T tokens", sizes, values)], "bars", "y")

    rows = [
        [r["size"], r["case"], *(f"{r[k]:,.{d}f}" for k, d in (("device_hours", 0), ("mwh", 0))),
         f"{r['dollars'] / 1e6:.2f}", f"{r['tonnes']:,.0f}"]
        for r in of.values()
    ]  # fmt: skip
    rows += [[main, f"saving: {name}", f"{saved[name]:.1%} of the hours", "", "", ""] for name in best]
    return Findings(
        answer,
        [
            panel("Money", "dollars", "dollars"),
            panel("Carbon", "tonnes", "t CO2"),
            Panel(
                f"What each saving is worth ({main})",
                "",
                "% of device hours",
                [Series("saved", best, [100 * saved[name] for name in best])],
                "bars",
            ),
        ],
        ["size", "case", "device hours", "MWh", "M$", "t CO2"],
        rows,
        [
            (
                "No run of this size was made; every figure comes from FLOPs and traffic by formula and an assumed "
                "share of the peak (low, middle and high stand in `viewfinder/studies/cost.py`)."
            ),
            (
                "Failed runs, experiments, data making, evaluation and the making of the devices are not counted; "
                "projects report that they at least double the bill."
            ),
            (
                "How much of the tokens is pixels, and of those how much clips, is not published and assumed; the "
                "padding that packing avoids is that of our own requests in batches of eight without sorting by length."
            ),
            (
                "Sending is taken to hide behind computing, except in the row `network hidden`, which compares with "
                f"plain sharding over {WORLD:,} devices at one packed sequence a device and step."
            ),
            (
                "fp8 counts all products as fp8 at three quarters of bfloat16's utilisation; attention would stay in "
                "bfloat16."
            ),
        ],
        "Price a plan by its grid as well as by its hours: the choice of the grid moves carbon by more than all "
        "savings "
        "in arithmetic together, so `viewfinder plan` now takes kg of CO2 a kWh (`--carbon`) and prints tonnes.",
    )


STUDY = Study(
    13,
    "cost",
    "Cost and carbon of 4.1T tokens",
    "what the pre-training costs in money, energy and carbon, and which saving is worth its effort.",
    settings,
    measure,
    find,
    needs="nothing",
)
