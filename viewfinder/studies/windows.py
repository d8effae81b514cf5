"""1. Windows against full attention in the vision tower: time and memory by size, and a checkpoint under other "
"windows."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import torch

from viewfinder.config import VisionConfig
from viewfinder.eval.builtin import all_builtin
from viewfinder.processor.cost import vision_flops
from viewfinder.studies.devices import clock
from viewfinder.studies.lab import Lab, estimate, total
from viewfinder.studies.study import Findings, Panel, Record, Series, Setting, Study, percent

SIDES = (224, 448, 896, 1792, 4096)
WIDTHS = VisionConfig(out_hidden_size=2048, depth=1)
"""The real widths of the tower; random weights."""
QUERIES, WINDOWS = 256, 32
"""Of full attention so many rows of queries are computed against all keys, of windows so many: the rest is alike."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "as trained": {},
    "windows of 56": {"window_size": 56},
    "windows of 224": {"window_size": 224},
    "full everywhere": {"fullatt_block_indexes": "all"},
    "full nowhere": {"fullatt_block_indexes": ()},
    "full only last": {"fullatt_block_indexes": "last"},
    "full blocks first": {"fullatt_block_indexes": "first"},
}
COUNT = 16


def settings(smoke: bool) -> Sequence[Setting]:
    sides = [{"name": f"{side} square", "side": side} for side in SIDES]
    variants = [{"name": name, "variant": name} for name in VARIANTS]
    return [sides[0], variants[0], variants[4]] if smoke else [*variants, *sides]


def measure(lab: Lab, setting: Setting) -> Mapping[str, Any]:
    return block_times(setting["side"]) if "side" in setting else fidelity(lab, VARIANTS[setting["variant"]])


@torch.inference_mode()
def block_times(side: int) -> Mapping[str, Any]:
    """Seconds of a block's products, of its attention in windows and over the whole picture, and what 32 blocks take.

    Products grow with the patches and are timed on at most 1,024 of them, attention on a share of its queries.
    """
    from viewfinder.model.layers import attention
    from viewfinder.model.vision import VisionBlock

    patches, width, heads = (side // 14) ** 2, WIDTHS.hidden_size, WIDTHS.num_heads
    torch.manual_seed(0)
    block = VisionBlock(WIDTHS).to(torch.bfloat16).requires_grad_(False)
    some = min(patches, 1024)
    x = torch.randn(some, width, dtype=torch.bfloat16)
    linear = _seconds(lambda: (block.mlp(x), block.attn.proj(x), block.attn.qkv(x))) * patches / some
    q, k, v = (torch.randn(1, heads, patches, width // heads, dtype=torch.bfloat16) for _ in range(3))
    rows = min(QUERIES, patches)
    full = _seconds(lambda: attention(q[:, :, :rows], k, v)) * patches / rows
    inside = (WIDTHS.window_size // WIDTHS.patch_size) ** 2
    count = max(1, min(WINDOWS, patches // inside))
    window = torch.randn(count, heads, inside, width // heads, dtype=torch.bfloat16)
    windows = _seconds(lambda: attention(window, window, window)) * patches / (count * inside)
    kept = patches * (6 * width + 2 * WIDTHS.intermediate_size) * 2 / 1e9
    return {
        "patches": patches,
        "linear": linear,
        "full attention": full,
        "windows attention": windows,
        "tower windows": 32 * linear + 28 * windows + 4 * full,
        "tower full": 32 * (linear + full),
        "GB streamed": round(kept, 3),
        "GB with scores": round(kept + heads * patches**2 * 2 / 1e9, 3),
    }


def _seconds(work: Any) -> float:
    work()
    return median(clock(work) for _ in range(3))


def fidelity(lab: Lab, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Boxes and words of the checkpoint under other windows, and how far its features move."""
    tower = lab.weights().model.visual
    trained = tower.config
    changed = {k: _blocks(v, trained) for k, v in changes.items()}
    tasks = [all_builtin()[name] for name in ("builtin_locate", "builtin_read_latin")]
    count = lab.count(COUNT)
    inputs = [lab.alone.processor(q.messages) for q in lab.questions(tasks[1], count)[:8]]  # type: ignore[union-attr]
    pixels = [(one.pixel_values.to(tower.dtype), one.grid_thw) for one in inputs if one.pixel_values is not None]
    before = [tower(*one) for one in pixels]
    tower.config = trained.model_copy(update=changed)
    try:
        after = [tower(*one) for one in pixels]
        cosine = torch.cosine_similarity(torch.cat(before).float(), torch.cat(after).float(), dim=-1).mean()
        with lab.other(lab.alone) as model:  # type: ignore[arg-type]
            name = " ".join(map(str, changed.values())) or "as trained"
            placed, read = (lab.ask(task, name, count, viewfinder=model) for task in tasks)
    finally:
        tower.config = trained
    return {
        "place": estimate([s.value for s in placed]),
        "errors": total(tasks[1], read),
        "cosine": round(float(cosine), 4),
    }


def _blocks(value: Any, config: VisionConfig) -> Any:
    """Which blocks see the whole picture: all of them, the last, as many as trained at the start, or as given."""
    full = len(config.fullatt_block_indexes)
    named = {"all": range(config.depth), "last": [config.depth - 1], "first": range(full)}
    return tuple(named[value]) if isinstance(value, str) else value


def find(records: Sequence[Record]) -> Findings:
    variants, sides = [r for r in records if "variant" in r], [r for r in records if "side" in r]
    of = {r["variant"]: r for r in variants}
    trained = of["as trained"]
    others = [r for r in variants if r is not trained]
    counted = {r["side"]: _flops(r["side"], range(32)) / _flops(r["side"], (7, 15, 23, 31)) for r in sides}
    timed = {r["side"]: r["tower full"] / r["tower windows"] for r in sides}
    most = max(timed)
    boxes, words = ([r[key][0] for r in others] for key in ("place", "errors"))
    answer = (
        f"Four full blocks of 32 save nothing at {min(timed)} pixels square and make the tower {counted[most]:.1f} "
        f"times as cheap as full attention everywhere at {most} by FLOPs, {timed[most]:.1f} times by the clock. A "
        f"loaded checkpoint is tied to its windows: under others boxes fall from {trained['place'][0]:.0f} % to "
        f"between {min(boxes):.0f} and {max(boxes):.0f} %, wrong characters go from {trained['errors'][0]:.0f} % to "
        f"between {min(words):.0f} and {max(words):.0f} %."
    )
    x = [r["side"] for r in sides]
    names = [r["variant"] for r in variants]

    def column(rows: Sequence[Record], key: str) -> list[Any]:
        return [r[key] for r in rows]

    times = [Series("4 full, 28 windows", x, column(sides, "tower windows"))]
    times.append(Series("full everywhere", x, column(sides, "tower full")))
    held = [Series("attention streamed", x, column(sides, "GB streamed"))]
    held.append(Series("with all scores", x, column(sides, "GB with scores")))
    quality = [Series("boxes right", names, column(variants, "place"))]
    quality.append(Series("characters wrong", names, column(variants, "errors")))
    panels = [
        Panel("A tower of 32 blocks", "pixels a side", "seconds", times, logarithmic="xy"),
        Panel("Memory of one block (by formula)", "pixels a side", "GB", held, logarithmic="xy"),
        Panel("The checkpoint under other windows", "", "%", quality, "bars", top=105),
    ]
    rows = [[r["variant"], percent(r["place"]), percent(r["errors"]), f"{r['cosine']:.2f}", "", ""] for r in variants]
    rows += [
        [
            r["name"],
            "",
            "",
            "",
            f"{r['tower windows']:.1f} or {r['tower full']:.1f} full",
            f"{r['GB streamed']:.2f} or {r['GB with scores']:.1f} with scores",
        ]
        for r in sides
    ]
    return Findings(
        answer,
        panels,
        [
            "windows, or picture",
            "boxes right, %",
            "characters wrong, %",
            "cosine of features",
            "s of 32 blocks",
            "GB of a block",
        ],
        rows,
        [
            (
                "Quality at equal training compute was not compared: the tower was not trained again with other "
                "windows here. A "
                "checkpoint under windows it was not trained with says how tied it is to them, not which are best."
            ),
            (
                "Times are of random weights, one block, composed: products on 1,024 patches and attention on a share "
                "of its queries, scaled, on a machine that other programs use. Memory is by formula."
            ),
            (
                "Pictures of the quality part are 112 to 280 pixels, one to six windows each; with sixteen of them "
                "most variants are within each other's intervals."
            ),
        ],
        "",
    )


def _flops(side: int, full: Sequence[int]) -> int:
    """Of a tower of 32 blocks with these full ones."""
    whole = WIDTHS.model_copy(update={"depth": 32, "fullatt_block_indexes": tuple(full)})
    return vision_flops(whole, (1, side // 14, side // 14))


STUDY = Study(
    1,
    "windows",
    "Windows against full attention",
    "what windowed attention costs in quality and saves in time and memory, and where full blocks belong.",
    settings,
    measure,
    find,
    needs="weights",
)
