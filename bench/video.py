"""A video file to resized frames, beside qwen-vl-utils (with decord, its fastest reader) on the same files.

Each side runs in a process of its own, one after the other, in alternating order; seconds exclude imports. The
peer lives in `out/peer`, apart from the environment, because its torchvision would change what transformers
does there. Films are made once in `out/bench`. A peer that is killed for want of memory is reported as such.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import video_files
from beside import arguments, report

OUT = Path(__file__).parent.parent / "out"
PEER = OUT / "peer"
PACKAGES = [
    "qwen-vl-utils==0.0.14",
    "decord==0.6.0",
    "torchvision==0.28.0",
    "requests",
    "urllib3",
    "charset-normalizer",
]
FILMS = {"moving 120 s": "moving-120.mp4", "static 10 min": "static-600.mp4", "static 3 h": "static-10800.mp4"}


def films() -> dict[str, Path]:
    """Make the films that are not there yet."""
    folder = OUT / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / file for name, file in FILMS.items()}
    if not paths["moving 120 s"].exists():
        video_files.moving(paths["moving 120 s"], 120, 30)
    for name, seconds in (("static 10 min", 600), ("static 3 h", 10_800)):
        if not paths[name].exists():
            video_files.surveillance(paths[name], seconds, 10, 40)
    return paths


def install_peer() -> None:
    if not (PEER / "qwen_vl_utils").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PEER), *PACKAGES]
        subprocess.run(pip, check=True)


def ours(path: str) -> tuple[int, ...]:
    from viewfinder.media.video import load_video

    return load_video(path).frames.shape


def peer(path: str) -> tuple[int, ...]:
    from qwen_vl_utils.vision_process import fetch_video

    return tuple(fetch_video({"video": path}).shape)


def prepare(side: str) -> None:
    """Import everything, so that the clock sees only the work."""
    if side == "ours":
        import viewfinder.media.video  # noqa: F401

        return
    import torch

    # PyPI's torchvision finds its compiled operators only beside a CUDA build; resizing needs none of them.
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    sys.path.insert(0, str(PEER))
    import qwen_vl_utils.vision_process  # noqa: F401


def run_one(side: str, path: str) -> None:
    prepare(side)
    before, processor = time.perf_counter(), time.process_time()
    shape = ours(path) if side == "ours" else peer(path)
    result = {
        "seconds": time.perf_counter() - before,
        "cpu_seconds": time.process_time() - processor,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "shape": shape,
    }
    print(json.dumps(result))


def measure(side: str, path: Path) -> dict[str, Any] | None:
    """One run in a process of its own; None when it did not survive."""
    command = [sys.executable, __file__, "--only", side, "--case", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def compare(name: str, path: Path, repeats: int) -> None:
    pairs = []
    for i in range(repeats):
        sides = ("ours", "peer") if i % 2 == 0 else ("peer", "ours")
        pairs.append({side: measure(side, path) for side in sides})
    mine = [pair["ours"] for pair in pairs]
    theirs = [pair["peer"] for pair in pairs if pair["peer"]]
    figures: dict[str, Any] = {
        "ours": statistics.median(run["seconds"] for run in mine),
        "ours_cpu": statistics.median(run["cpu_seconds"] for run in mine),
        "ours_peak_bytes": max(run["peak_bytes"] for run in mine),
        "frames": mine[0]["shape"],
        "pairs": repeats,
    }
    if theirs:
        figures |= {
            "peer": statistics.median(run["seconds"] for run in theirs),
            "peer_cpu": statistics.median(run["cpu_seconds"] for run in theirs),
            "peer_peak_bytes": max(run["peak_bytes"] for run in theirs),
            "ratio": statistics.median(p["peer"]["seconds"] / p["ours"]["seconds"] for p in pairs if p["peer"]),
        }
    else:
        figures["peer"] = "killed"
    report(f"video {name} at 2 fps, at most 768 frames", figures)


def main() -> None:
    given = arguments(__doc__)
    if given.only:
        run_one(given.only, given.case)
        return
    install_peer()
    for name, path in films().items():
        compare(name, path, 1 if "3 h" in name else given.repeats)


if __name__ == "__main__":
    main()
