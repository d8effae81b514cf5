"""Run a study: every setting once, kept as soon as it is measured, then the files people look at.

OUT/records.jsonl   a line a setting, the journal that a stopped study goes on from
OUT/results.json    the study, its manifest and records
OUT/page.md, figure.svg
"""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from viewfinder.eval.manifest import versions
from viewfinder.media.digest import digest
from viewfinder.outputs.json_lines import append_values, read_kept
from viewfinder.storage.atomic import write_whole
from viewfinder.storage.lock import locked
from viewfinder.studies.figure import draw, page
from viewfinder.studies.lab import Lab
from viewfinder.studies.study import Record, Study, StudyError

FORMAT = 1


def run(study: Study, lab: Lab, command: str, tell: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Measure what is not yet measured and write the files; returns the content of `results.json`.

    Raises:
        StudyError: the study trains and may not, or needs another kind of model.
        OutputInUse: another process writes to `lab.out`.
    """
    if study.trains and not (lab.train or lab.smoke):
        raise StudyError(f"the study {study.name} trains small models ({study.hours}); add --train to do so")
    if lab.out is None:
        return _results(study, lab, command, [_record(study, lab, setting) for setting in study.settings(lab.smoke)])
    lab.out.mkdir(parents=True, exist_ok=True)
    with locked(lab.out):
        records = _measure(study, lab, lab.out / "records.jsonl", tell)
        results = _results(study, lab, command, records)
        write_whole(lab.out / "results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        write_files(study, results, lab.out, "page", "figure")
    return results


def write_files(study: Study, results: dict[str, Any], folder: Path, name: str, figure: str) -> None:
    """The page and its figure, from results alone."""
    findings = study.find(results["records"])
    drawn = draw(findings.panels, folder / f"{figure}.svg")
    write_whole(folder / f"{name}.md", page(study, findings, results["manifest"], f"{figure}.svg" if drawn else None))


def _measure(study: Study, lab: Lab, journal: Path, tell: Callable[[str], None]) -> list[Record]:
    kept = {line["key"]: line["record"] for line in read_kept(journal, "key")}
    records = []
    for setting in study.settings(lab.smoke):
        key = digest([FORMAT, study.name, dict(setting), lab.fingerprint, lab.smoke])
        if key not in kept:
            kept[key] = _record(study, lab, setting)
            append_values(journal, [{"key": key, "record": kept[key]}])
            tell(f"{study.name}: {setting['name']}: {kept[key]['took']:.0f} s")
        records.append(kept[key])
    return records


def _record(study: Study, lab: Lab, setting: Any) -> Record:
    began = time.perf_counter()
    measured = study.measure(lab, setting)
    return {**setting, **measured, "took": round(time.perf_counter() - began, 2)}


def _results(study: Study, lab: Lab, command: str, records: Sequence[Record]) -> dict[str, Any]:
    manifest = {
        "format": FORMAT,
        "study": study.name,
        "command": command,
        "model": {"name": lab.name, "fingerprint": lab.fingerprint},
        "smoke": lab.smoke,
        "machine": machine(),
        "versions": versions(),
        "seconds": round(sum(record["took"] for record in records), 1),
        "records": digest([{k: v for k, v in r.items() if k != "took"} for r in records]),
    }
    return {"manifest": manifest, "records": list(records)}


def machine() -> str:
    """Processor, cores and threads of this process; no host name."""
    name, info = platform.machine(), Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = names[0] if names else name
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads{gpu}"
