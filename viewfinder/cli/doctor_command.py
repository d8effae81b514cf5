"""`doctor`: what is installed, which device and kernels serve, and what is missing for what."""

import importlib.util
import platform
import re
from importlib import metadata
from typing import Any

import typer

from viewfinder.cli import options
from viewfinder.cli.show import print_json

_FOR = {
    "serve": "serve, the playground and --server",
    "data": "data build, import, filter",
    "materials": "the synthetic kinds that draw charts and pages with other programs",
    "cluster": "data on Ray",
    "train": "figures in TensorBoard",
    "eval": "eval run on detection and Parquet data",
    "tables": "to_pandas()",
    "agent": "agent in a browser, on a desktop or a phone",
    "miniwob": "agent play --miniwob",
}


def doctor(as_json: options.AsJson = False) -> None:
    from viewfinder.materials.needs import NEEDS, missing

    extras = {name: [p for p in packages if not _installed(p)] for name, packages in _packages().items()}
    report = {"versions": _versions(), "compute": _compute(), "missing": {n: m for n, m in extras.items() if m}}
    report["programs"] = {need.name: need.remedy for need in missing(("chromium", "shaping"))}
    if as_json:
        return print_json({**report, "needs": sorted(NEEDS)})
    for title in ("versions", "compute"):
        typer.echo("\n".join(f"{name:<20} {value}" for name, value in report[title].items()))
    for name in extras:
        lacking = extras[name]
        state = f"missing {', '.join(lacking)}: pip install 'viewfinder[{name}]'" if lacking else "there"
        typer.echo(f"{f'[{name}]':<20} {state}   (for {_FOR.get(name, name)})")
    for name, remedy in report["programs"].items():
        typer.echo(f"{name:<20} missing: {remedy}")
    return None


def _versions() -> dict[str, str]:
    from viewfinder import __version__

    named = ("torch", "numpy", "pillow", "av", "pypdfium2", "tokenizers", "llguidance", "safetensors")
    found = {name: metadata.version(name) if _installed(name) else "missing" for name in named}
    return {"viewfinder": __version__, "python": platform.python_version(), "machine": platform.machine(), **found}


def _compute() -> dict[str, Any]:
    """The device that models are loaded to, and in which arithmetic and with which kernels."""
    import torch

    from viewfinder.model.layers import compute_dtype
    from viewfinder.model.native import narrow_matvec

    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    row = torch.ones(64, 64, dtype=torch.bfloat16)
    own = narrow_matvec(row, torch.ones(64)) is not None
    return {
        "device": torch.cuda.get_device_name() if gpu else f"cpu, {torch.get_num_threads()} threads",
        "arithmetic": str(compute_dtype(torch.bfloat16, device)).removeprefix("torch.") + " for weights in bfloat16",
        "attention": "PyTorch's scaled_dot_product_attention",
        "narrow products": "own C kernel" if own else "PyTorch's (no C compiler, or not this processor)",
    }


def _packages() -> dict[str, list[str]]:
    """Distributions of each extra that users may want."""
    found: dict[str, list[str]] = {name: [] for name in _FOR}
    for line in metadata.requires("viewfinder") or ():
        match = re.match(r"""([\w.-]+)[^;]*;.*extra == ["']([\w-]+)["']""", line)
        if match and match[2] in found:
            found[match[2]].append(match[1])
    return found


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return importlib.util.find_spec(distribution.lower().replace("-", "_")) is not None
    return True
