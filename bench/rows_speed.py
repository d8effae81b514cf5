"""Rows per second of the readers, this program beside another version of it, in turns within one run.

    python bench/rows_speed.py --old DIR [--side 64]       DIR holds the other version's `viewfinder` folder

Pictures are photograph-like, SIDE pixels wide: decoding them is part of reading a row, as for every user.
Prints the median of each and their ratio; only the ratio means something on a shared machine.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

WORKER = """
import sys, time, json
from viewfinder.data.plan import build_plan
sources = {}
for line in sys.stdin:
    spec = json.loads(line)
    key = line
    source = sources.setdefault(key, None) or build_plan({"source": spec}).source
    sources[key] = source
    start = time.perf_counter()
    rows = list(source.read(0, len(source)))
    seconds = time.perf_counter() - start
    print(json.dumps([len(rows) / seconds, sum(type(row).__name__ == "Bad" for row in rows)]), flush=True)
"""


def make_inputs(folder: Path, count: int, side: int = 640) -> dict[str, dict[str, object]]:
    """One file for each reader, of rows that both versions read."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    sink = io.BytesIO()
    ground = Image.effect_noise((side, side * 3 // 4), 40).convert("RGB")
    ground.save(sink, "JPEG")
    (folder / "a.jpg").write_bytes(sink.getvalue())
    words = "The box stands on a table beside two cups. " * 8
    answer = words + '{"bbox_2d": [10, 20, 30, 40], "label": "box"}'
    seen = [{"from": "human", "value": "<image>\nWhere is the box?"}, {"from": "gpt", "value": answer}]
    said = [{"from": "human", "value": words}, {"from": "gpt", "value": words}] * 3
    files = {"pictures": {"image": "a.jpg", "conversations": seen}, "words": {"conversations": said}}
    for name, row in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for _ in range(count)))
    fields = {"image": {"bytes": sink.getvalue(), "path": None}, "question": words, "answer": words}
    pq.write_table(pa.Table.from_pylist([fields] * min(count, 200)), folder / "a.parquet")
    with tarfile.open(folder / "a.tar", "w") as tar:
        for i in range(count):
            for suffix, data in (("jpg", sink.getvalue()), ("txt", words.encode())):
                info = tarfile.TarInfo(f"{i:05}.{suffix}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return {
        **{name: {"name": "conversations", "path": str(folder / f"{name}.jsonl")} for name in files},
        "parquet": {"name": "parquet", "path": str(folder / "a.parquet")},
        "webdataset": {"name": "webdataset", "path": str(folder / "a.tar")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", type=Path, required=True)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    here = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        inputs = make_inputs(Path(folder), options.rows, options.side)
        versions = {
            name: subprocess.Popen(
                [sys.executable, "-c", WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(path.resolve())},
                cwd=folder,
            )
            for name, path in {"old": options.old, "new": here}.items()
        }
        for kind, spec in inputs.items():
            rates: dict[str, list[float]] = {name: [] for name in versions}
            for number in range(options.rounds + 1):
                for name, process in versions.items():
                    assert process.stdin is not None
                    assert process.stdout is not None
                    print(json.dumps(spec), file=process.stdin, flush=True)
                    rate, bad = json.loads(process.stdout.readline())
                    assert bad == 0, f"{name} refused {bad} rows of {kind}"
                    rates[name] += [rate] if number else []  # the first round imports and opens
            ratio = statistics.median(new / old for old, new in zip(rates["old"], rates["new"], strict=True))
            shown = "  ".join(f"{name} {statistics.median(values):8.0f} rows/s" for name, values in rates.items())
            print(f"{kind:12} {shown}  new/old {ratio:.2f}")
        for process in versions.values():
            process.communicate()


if __name__ == "__main__":
    main()
