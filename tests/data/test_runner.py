import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from viewfinder.data.plan import build_plan
from viewfinder.data.runner import Task, run_plan
from viewfinder.data.shards import ShardReader
from viewfinder.errors import DataError
from viewfinder.messages import Reply
from viewfinder.storage.lock import OutputInUse, locked

_SPEC = {"source": {"name": "boxes", "count": 34, "faulty": True}, "operators": [{"name": "odd"}], "per_shard": 10}
pytestmark = pytest.mark.usefixtures("catalogue")


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("shard-*")}


def test_every_row_is_a_sample_or_has_a_reason(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    manifest = run_plan(_SPEC, tmp_path / "a", progress=lambda *now: told.append(now))
    left = [i for i in range(34) if i % 3 != 2 and i % 5 and i % 2]
    with ShardReader(tmp_path / "a") as reader:
        assert reader.index["id"] == [f"sample-{i}" for i in left]
        assert reader[0].lineage == ("test@1", "odd@2")
    bad = [json.loads(line) for line in (tmp_path / "a" / "quarantine.jsonl").read_text().splitlines()]
    assert len(bad) + len(left) == 34
    assert {"shard": 0, "reason": "a third one", "row": "row 2"} in bad
    assert {"shard": 1, "reason": "odd: five", "row": "sample-10"} in bad
    assert manifest["quarantined"] == len(bad)
    report = json.loads((tmp_path / "a" / "report.json").read_text())["operators"]
    assert (report["source"]["taken"], report["source"]["given"]) == (34, 23)
    assert (report["odd"]["taken"], report["odd"]["given"]) == (23, len(left))
    assert report["odd"]["seconds"] > 0
    assert told == [("shards", i, 4) for i in (1, 2, 3, 4)]
    card = (tmp_path / "a" / "README.md").read_text()
    assert f"| odd | 23 | {len(left)} |" in card


class _Backwards:
    """From the last to the first, stopping when told to."""

    def __init__(self, most: int = 100) -> None:
        self.most = most

    def map(self, function: Task, numbers: Sequence[int]) -> Iterator[int]:
        for number in list(reversed(numbers))[: self.most]:
            yield function(number)
        if len(numbers) > self.most:
            raise KeyboardInterrupt


def test_a_run_that_stopped_is_finished_with_the_same_bytes(tmp_path: Path) -> None:
    run_plan(_SPEC, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_plan(_SPEC, tmp_path / "b", _Backwards(2))
    with pytest.raises(DataError, match=r"no manifest\.json"):
        ShardReader(tmp_path / "b")
    kept = (tmp_path / "b" / "shard-000003.tar").stat().st_mtime_ns
    (tmp_path / "b" / ".shard-000001.dead-1.part.tar").write_bytes(b"of a worker that died")
    run_plan(_SPEC, tmp_path / "b")
    assert _files(tmp_path / "b") == _files(tmp_path / "whole")
    assert (tmp_path / "b" / "shard-000003.tar").stat().st_mtime_ns == kept
    for name in ("index.parquet", "manifest.json", "quarantine.jsonl"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("fault", ["deleted", "cut", "changed", "side gone", "side cut"])
@pytest.mark.parametrize("finished", [False, True])
def test_what_is_missing_or_damaged_is_made_again(tmp_path: Path, fault: str, finished: bool) -> None:
    run_plan(_SPEC, tmp_path / "whole")
    run_plan(_SPEC, tmp_path / "b")
    if not finished:
        (tmp_path / "b/manifest.json").unlink()
    shard, side = tmp_path / "b/shard-000001.tar", tmp_path / "b/work/shard-000001.json"
    damaged = side if fault.startswith("side") else shard
    content = damaged.read_bytes()
    damaged.unlink()
    if "cut" in fault:
        damaged.write_bytes(content[: len(content) // 2])
    if fault == "changed":
        damaged.write_bytes(content[:700] + bytes([content[700] ^ 1]) + content[701:])
    manifest = run_plan(_SPEC, tmp_path / "b")
    assert manifest == json.loads((tmp_path / "whole/manifest.json").read_text())
    assert _files(tmp_path / "b") == _files(tmp_path / "whole")
    ShardReader(tmp_path / "b").verify()


def test_two_builds_in_one_folder_are_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(OutputInUse):
        run_plan(_SPEC, tmp_path)


_BUILD = """
import os, sys, time
from viewfinder.data.runner import Processes

def work(number):
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    list(Processes(2).map(work, [0, 1]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_process_that_started_them(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "build.py").write_text(_BUILD)
    command = [sys.executable, str(tmp_path / "build.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as build:
        assert build.stdout is not None
        workers = [int(build.stdout.readline()) for _ in range(2)]
        build.send_signal(how)
        build.wait(30)
    left = workers
    for _ in range(500):
        left = [worker for worker in workers if Path(f"/proc/{worker}").exists()]
        if not left:
            break
        time.sleep(0.02)
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert not left


def test_an_operator_that_sees_all_decides_once(tmp_path: Path) -> None:
    spec = {**_SPEC, "operators": [{"name": "odd"}, {"name": "first_ten"}]}
    spec["source"] = {"name": "boxes", "count": 34}
    manifest = run_plan(spec, tmp_path / "a", _Backwards())
    assert manifest["samples"] == 10
    with ShardReader(tmp_path / "a") as reader:
        assert reader.index["id"][-1] == "sample-23"
        assert reader[0].lineage[-1] == "first_ten@1"
    assert '"first_ten: is sample-27"' in (tmp_path / "a" / "quarantine.jsonl").read_text()


def test_other_plans_and_strange_folders_are_refused(tmp_path: Path) -> None:
    run_plan({**_SPEC, "source": {"name": "boxes", "count": 3}}, tmp_path / "a")
    with pytest.raises(DataError, match="holds a set of another plan"):
        run_plan({**_SPEC, "source": {"name": "boxes", "count": 4}}, tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / "work")
    with pytest.raises(DataError, match="that no plan made"):
        run_plan(_SPEC, tmp_path / "a")


def test_plans_say_what_they_cannot_be_made_of() -> None:
    with pytest.raises(DataError, match="no source 'nets'; there are synth"):
        build_plan({"source": {"name": "nets"}})
    with pytest.raises(DataError, match="first_ten, first_ten"):
        build_plan({**_SPEC, "operators": [{"name": "first_ten"}] * 2})
    with pytest.raises(DataError, match="not told how to open models"):
        build_plan({**_SPEC, "operators": [{"name": "tag", "judge": "some"}]})


def test_a_model_that_is_gone_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    spec = {"source": {"name": "boxes", "count": 30}, "operators": [{"name": "tag", "judge": "some"}], "per_shard": 15}

    class Gone:
        def __init__(self, answers: int) -> None:
            self.left = answers

        def chat(self, *_: object, **__: object) -> Reply:
            self.left -= 1
            if self.left < 0:
                raise ConnectionError("refused")
            return Reply(text='{"choice": "General/Captioning"}')

    with pytest.raises(DataError, match="tag failed for 10 samples in a row"):
        run_plan(spec, tmp_path / "a", open_model=lambda _: Gone(16))
    assert len(list((tmp_path / "a").glob("shard-*.tar"))) == 1
    manifest = run_plan(spec, tmp_path / "a", open_model=lambda _: Gone(15 - 1))
    assert (manifest["samples"], manifest["quarantined"]) == (29, 1)
