"""`python -m tests.faults.kill JOB FOLDER KILLS SEED`: kill -9 a job at random moments, start it again, compare.

Each start is a forked child of this process, which has imported everything and computed nothing, so a start takes
milliseconds. Prints how many kills there were and how many runs were compared.
"""

import contextlib
import importlib
import os
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

from tests.faults.jobs import JOBS, Job

_KILLS_A_RUN = 4
for _slow in ("pyarrow.parquet", "pandas", "torch.utils.tensorboard"):  # else each child would import them
    with contextlib.suppress(ImportError):
        importlib.import_module(_slow)


def _start(job: Job, out: Path) -> int:
    child = os.fork()
    if child:
        return child
    try:
        job.work(out)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _ends_before(child: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, "the job failed; its traceback stands above"
            return True
        time.sleep(0.001)
    return False


def _compared(job: Job, out: Path) -> str:
    """What a job left, read in a child, since reading may compute."""
    read, write = os.pipe()
    if not os.fork():
        os.write(write, repr(job.left(out)).encode()[-60_000:])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as result:
        text = result.read().decode()
    assert os.wait()[1] == 0
    return text


def main(name: str, folder: Path, kills: int, seed: int) -> None:
    job, rng = JOBS[name], random.Random(seed)
    began = time.monotonic()
    assert _ends_before(_start(job, folder / "whole"), 300)
    seconds, whole = time.monotonic() - began, _compared(job, folder / "whole")
    killed = runs = 0
    while killed < kills:
        out, here = folder / f"run-{runs}", 0
        while killed < kills and here < _KILLS_A_RUN:
            child = _start(job, out)
            if _ends_before(child, rng.uniform(0, seconds)):
                break
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            killed, here = killed + 1, here + 1
        assert _ends_before(_start(job, out), 300)
        left = _compared(job, out)
        assert left == whole, f"after {here} kills in {out}:\n{left}\n\nwhole:\n{whole}"
        shutil.rmtree(out)
        runs += 1
    print(f"{name}: {killed} kills over {seconds:.2f} s, {runs} runs compared, all equal")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
