"""What another machine needs to go on from a run of the built-in model, in a quarter of its size: the export (averaged
weights in bfloat16) and the heads of the extra losses. Moments and unaveraged weights stay behind.

    python runs/carry_run.py RUN DIRECTORY      # then: viewfinder train ... --init DIRECTORY
"""

import argparse
import shutil
from pathlib import Path

from viewfinder.train.checkpoint import newest_state, read_facts, read_tensors, save_state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("run", "directory"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    state = newest_state(options.run / "states")
    if state is None:
        parser.error(f"{options.run} has no saved state")
    kept = {}
    for prefix in ("average.heads.", "weights.heads."):
        kept = kept or {prefix + name: value for name, value in read_tensors(state, prefix).items()}
    shutil.copytree(options.run / "export", options.directory / "export")
    save_state(options.directory / "states", read_facts(state)["step"], kept, {})
    size = sum(path.stat().st_size for path in options.directory.rglob("*") if path.is_file())
    print(f"{options.directory}: {size / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
