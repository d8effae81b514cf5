"""Tensor parallelism on one machine: this process is rank 0, the others are its children and do as it says.

`load_on_ranks` starts them, each loads its part of the weights on its own device, and `Ranks.lead` tells them over
their standard input what comes before each collective (`model.tensor_parallel` has the model's side). They end with
this process, however it ends. Where one fails, all end, and this process raises one `RanksError`.

So users type `--tensor-parallel 2` as with vLLM, or `load(..., tensor_parallel=2)` in a notebook, and no launcher, port
or rank concerns them. Several machines are not served: export the model to vLLM or SGLang.
"""

import json
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist

from viewfinder.errors import RanksError, SettingsError
from viewfinder.model import Qwen2_5_VL, load_model
from viewfinder.model.tensor_parallel import Shard

_PATIENCE = 10.0
"""Seconds for which a step may go on after the loss of a rank: NCCL would wait for it for ever."""


@dataclass(frozen=True)
class RankPlace:
    """What a process needs to load its part and to find the others; sent to those that are led."""

    directory: Path
    rank: int
    size: int
    dtype: torch.dtype | None
    device: str
    joined: bool
    store: str = ""

    def load(self, lead: Any = None) -> Qwen2_5_VL:
        own = f"cuda:{self.rank}" if self.device == "cuda" else "cpu"
        model = load_model(self.directory, dtype=self.dtype, device=own, shard=Shard(self.rank, self.size, lead))
        if self.joined:
            model.join_projections()
        return model

    def join(self) -> None:
        """Wait for the others. They meet at a file, not at a port, which others could reach."""
        device = torch.device("cuda", self.rank) if self.device == "cuda" else None
        if device is not None:
            torch.cuda.set_device(device)
        backend, place = "nccl" if device else "gloo", f"file://{self.store}"
        dist.init_process_group(backend, place, rank=self.rank, world_size=self.size, device_id=device)


def load_on_ranks(
    directory: Path,
    size: int,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cuda",
    joined: bool | None = None,
) -> Qwen2_5_VL:
    """A model that `size` processes share, as rank 0 has it, to be used as any other. Projections are `joined`
    (`model.fused`) on a GPU, unless told otherwise.

    Raises:
        SettingsError: too few GPUs, a process group that is there already, or a model that cannot be shared so.
        CheckpointError: as `load_model`.
        RanksError: another rank could not load its part.
    """
    kind = torch.device(device).type
    if kind == "cuda" and torch.cuda.device_count() < size:
        raise SettingsError(f"tensor_parallel is {size} and PyTorch finds {torch.cuda.device_count()} GPUs; lower it")
    if dist.is_initialized():
        raise SettingsError("this process is of a torch.distributed group already, and one model at a time is shared")
    ranks = Ranks(RankPlace(directory, 0, size, dtype, kind, kind == "cuda" if joined is None else joined))
    try:
        model = ranks.place.load(ranks.lead)
        ranks.await_others()
        ranks.place.join()
    except BaseException:
        ranks.close()
        raise
    weakref.finalize(model, ranks.close)
    return model


class Ranks:
    """The processes of all ranks but this one's."""

    _command = (sys.executable, "-m", "viewfinder.engine.follower")

    def __init__(self, place: RankPlace) -> None:
        self._folder = TemporaryDirectory(prefix="viewfinder-ranks-")
        self.place = replace(place, store=str(Path(self._folder.name) / "store"))
        self._lock = threading.RLock()
        self._lost = threading.Event()
        self._failure, self._is_closed = "", False
        self._ready: queue.Queue[int] = queue.Queue()
        pipe = subprocess.PIPE
        self._others = {rank: subprocess.Popen(self._command, stdin=pipe, stdout=pipe) for rank in range(1, place.size)}
        for rank, process in self._others.items():
            self._send(process, replace(self.place, rank=rank))
            threading.Thread(target=self._watch, args=(rank, process), name=f"rank {rank}", daemon=True).start()

    def await_others(self) -> None:
        """Until each has loaded its part; raises `RanksError`."""
        for _ in self._others:
            while self._ready.empty():
                if self._lost.wait(0.02):
                    raise RanksError(self._failure)
            self._ready.get()

    @contextmanager
    def lead(self, name: str, *args: Any) -> Iterator[None]:
        """Let the others run a method of `Follower` while this process does its part.

        Raises:
            RanksError: a rank was lost, now or before; none runs any more.
        """
        with self._lock:
            try:
                if self._failure or self._is_closed:
                    raise RanksError(self._failure or "the processes of this model have been ended")
                for process in self._others.values():
                    self._send(process, (name, args))
                yield
            except BaseException as error:  # the ranks are in different places now, and would wait for one another
                self._lost.wait(1.0)
                self._failure = self._failure or f"rank 0 of {self.place.size} failed ({error}); start again"
                self._end()
                raise RanksError(self._failure) from error

    def close(self) -> None:
        """End the other processes."""
        if not self._is_closed:
            self._is_closed = True
            self._end()
            if dist.is_initialized():
                dist.destroy_process_group()
            self._folder.cleanup()

    def _end(self) -> None:
        for process in self._others.values():
            with suppress(OSError):
                process.kill()
        for process in self._others.values():
            process.wait()
            with suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]

    def _send(self, process: "subprocess.Popen[bytes]", message: Any) -> None:
        assert process.stdin is not None
        pickle.dump(message, process.stdin)
        process.stdin.flush()

    def _watch(self, rank: int, process: "subprocess.Popen[bytes]") -> None:
        """Take what a rank says, first that it is ready, at last what went wrong."""
        reason = ""
        assert process.stdout is not None
        with suppress(ValueError), process.stdout:  # a line that was cut is no JSON
            while not reason and (line := process.stdout.readline()):
                reason = json.loads(line)
                if not reason:
                    self._ready.put(rank)
        code = process.wait()
        if self._is_closed or self._failure:
            return
        self._failure = (
            f"rank {rank} of {self.place.size} ended ({reason or f'exit code {code}'}), so the model that they share "
            "answers no more; start again"
        )
        self._lost.set()
        deadline = time.monotonic() + _PATIENCE
        while not self._lock.acquire(timeout=0.1):
            if time.monotonic() > deadline:
                print(f"viewfinder: {self._failure}", file=sys.stderr, flush=True)
                os._exit(2)
        self._lock.release()
