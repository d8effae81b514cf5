"""The training loop: a `Learner`, a dataloader, and a directory from which the run can always be resumed.

The position in the data travels with each step, so a resumed run sees the steps that an uninterrupted run would have
seen, whatever was read ahead. The trainer knows no recipe, no data format and no objective.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from viewfinder.storage.atomic import restore_folder
from viewfinder.storage.lock import OutputLock
from viewfinder.train.batches import Batch, Dataloader, Position, Step, batch_tokens, batch_units
from viewfinder.train.checkpoint import (
    agreed_state,
    check_continues,
    export_checkpoint,
    frozen_sum,
    is_exported,
    load_tensors,
    read_facts,
    run_tensors,
    save_state,
)
from viewfinder.train.config import ConfigError, TrainConfig
from viewfinder.train.distributed import ParallelDims, all_reduce_sum, apply_parallelism, clip_gradients
from viewfinder.train.flops import batch_flops, measure_peak
from viewfinder.train.learner import Learner
from viewfinder.train.metrics import Journal, Meter, progress_line, write_report
from viewfinder.train.optim import AveragedWeights, StepGuard, build_optimizers, is_finite, lr_factor


class Trainer:
    """Trains to the last step of a config, from the beginning or from the newest state in `out`.

    It holds the lock of `out` until `run` or `close` ends.

    Args:
        config: the run.
        learner: with its starting weights.
        dataloader: gives the steps from a position on.
        out: directory for states, metrics, report and export.
        parallel: the processes of the run.
        export: called with the export directory after the weights are written (tokenizer, settings).
        validate: gives figures such as `validation/read`.
        stamp: of the processor; a run is not resumed with another.

    Raises:
        StampError: `out` holds a run with another stamp.
        ConfigError: `out` holds a run of another model or with other frozen weights, or states that are all damaged.
        OutputInUse: another process trains to `out`.
    """

    def __init__(
        self,
        config: TrainConfig,
        learner: Learner,
        dataloader: Dataloader,
        out: Path,
        *,
        parallel: ParallelDims | None = None,
        export: Callable[[Path], None] | None = None,
        validate: Callable[[Learner, Journal, int], dict[str, float]] | None = None,
        stamp: str = "",
    ) -> None:
        self.config, self.learner, self.dataloader, self.out = config, learner, dataloader, out
        self.parallel = parallel or ParallelDims()
        if config.objective != "policy" and config.global_batch_size % self.parallel.data_world:
            raise ConfigError(
                f"global_batch_size is {config.global_batch_size}, which {self.parallel.data_world} ranks cannot share "
                "evenly; make it a multiple"
            )
        torch.set_num_threads(config.threads)
        apply_parallelism(learner, config, self.parallel)
        self.optimizers = build_optimizers(learner, config.optimizer, config.lr_scale, narrow=config.bf16)
        self.average = AveragedWeights(learner, config.optimizer.ema)
        self.guard, self.meter = StepGuard(config.guard), Meter()
        self.export, self.validate, self.stamp = export, validate, stamp
        self.step: int = 0
        self.position: Position | Callable[[], Position] | None = None
        self.began = time.monotonic()
        self.time_share = 0.0  # of the minutes that the run has
        out.mkdir(parents=True, exist_ok=True)
        self._lock = OutputLock(out) if self.parallel.rank == 0 else None
        self._resume()
        self.journal = Journal(out, self.step, self.parallel)
        if self.parallel.rank == 0:
            config.save(out / "config.json")

    @property
    def place(self) -> str:
        """Device and dtypes of the run, for people."""
        name = f"cuda ({torch.cuda.get_device_name()})" if self.parallel.device == "cuda" else "cpu"
        return (
            f"trains on {name}: matrix products in {'bfloat16' if self.config.bf16 else 'float32'}, weights in float32"
        )

    def run(self) -> dict[str, float]:
        """Train for `config.steps` steps, or to the end of the data; returns the last averaged metrics."""
        try:
            return self._run()
        finally:
            self.close()

    def close(self) -> None:
        """Close the journal and give the folder free."""
        self.journal.close()
        if self._lock is not None:
            self._lock.release()

    def _run(self) -> dict[str, float]:
        config, latest = self.config, {}
        if self.step and not is_exported(self.out / "export", self.step):
            self._export()  # a stop came between state and export
        peak = config.peak_flops or measure_peak(torch.bfloat16 if config.bf16 else torch.float32, self.parallel.device)
        self.learner.train()
        self.began = time.monotonic()
        since, steps = time.perf_counter(), 0
        assert not callable(self.position), "a run begins once"
        source = self.dataloader(self.position)
        while self.step < config.steps and self.time_share < 1 and (step := next(source, None)) is not None:
            if not step.batches:  # only refused rows: reported, and nothing to learn from
                self._note_refused(step)
                continue
            self.take(step)
            steps += 1
            last = self.step == config.steps
            if self.step % config.log_every == 0 or last:
                latest = self._log(time.perf_counter() - since, steps, peak)
                since, steps = time.perf_counter(), 0
            if config.validate_every and (self.step % config.validate_every == 0 or last):
                self._validate()
                since = time.perf_counter()
            if self.step % config.save_every == 0 or last:
                self.save()
        if self.step < config.steps:
            latest = self._log(time.perf_counter() - since, steps, peak) if steps else latest
            self.save()
        return latest

    def take(self, step: Step) -> dict[str, float]:
        """One step of the run: update the weights, record the refused rows and the position in the data."""
        self._note_refused(step)
        numbers = self.train_step(step.batches)
        self.position = step.position
        self.step += 1
        return numbers

    def train_step(self, batches: Sequence[Batch]) -> dict[str, float]:
        """One update from all batches of all ranks; a step that the guard refuses changes nothing.

        Raises:
            ConfigError: more steps refused in a row than the config allows, or weights that are no longer finite.
        """
        passed = (time.monotonic() - self.began) / (60 * self.config.minutes) if self.config.minutes else 0.0
        own = [float(sum(batch_units(batch) for batch in batches)), passed / self.parallel.world]
        units, self.time_share = all_reduce_sum(own, self.parallel)
        factor = lr_factor(self.step, self.config.steps, self.config.optimizer, self.time_share)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        for group in self._groups():
            group["lr"] = group["peak"] * factor
        totals, metrics, peaks = [], [], []
        with self._autocast():  # once a step: the weights that it casts are kept until its end
            for batch in batches:
                loss = self.learner(batch.to(self.parallel.device))
                with torch.autocast(self.parallel.device, enabled=False):
                    (loss.total * (self.parallel.data_world / max(units, 1.0))).backward()
                totals.append(loss.total.detach())  # read after the loop: reading waits for the device
                metrics.append(loss.metrics)
                peaks.append(loss.peaks)
                self.meter.add("tokens", batch_tokens(batch), 0.0)
                self.meter.add("flops", batch_flops(self.config, batch), 0.0)
        loss = all_reduce_sum([sum(float(total) for total in totals)], self.parallel)[0] / max(units, 1.0)
        norm = clip_gradients(self.learner, self.config.optimizer.clip)
        if reason := self.guard.allows(self.step, loss, norm):
            self._tell(f"step {self.step} skipped: {reason}")
            self.meter.add("skipped", 1.0, 1.0)
            return {"skipped": 1.0}
        for optimizer in self.optimizers:
            optimizer.step()
        self._check_finite([p for group in self._groups() for p in group["params"]])
        self.average.update(self.learner, self.step)
        for one, largest in zip(metrics, peaks, strict=True):
            self.meter.add_all(one)
            for name, value in largest.items():
                self.meter.peak(name, float(value))
        self.meter.add("loss", loss)
        self.meter.add("grad_norm", norm)
        self.meter.add("rate", factor)
        return {"loss": loss, "grad_norm": norm, "rate": factor}

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def _check_finite(self, tensors: Sequence[Tensor]) -> None:
        """Stop before a number that is not finite is kept: an update cannot be taken back, but a state can be read."""
        bad = all_reduce_sum([0.0 if is_finite(tensors) else 1.0], self.parallel)[0]
        if bad:
            raise ConfigError(
                f"step {self.step} left weights that are not finite, so nothing of it is saved or exported; lower the "
                "learning rates and run again, which resumes from the last sound state"
            )

    def _autocast(self) -> AbstractContextManager[Any]:
        if not self.config.bf16 or self.parallel.mesh is not None:  # sharded weights are cast when they are gathered
            return nullcontext()
        return torch.autocast(self.parallel.device, dtype=torch.bfloat16)

    def save(self) -> None:
        """Write the state to resume from, the (averaged) weights as a checkpoint directory `export`, and the report."""
        facts = {
            "position": self.position() if callable(self.position) else self.position,
            "guard": self.guard.state(),
            "random": torch.get_rng_state().tolist(),
            "frozen": frozen_sum(self.learner),
            "stamp": self.stamp,
        }
        tensors = self.tensors()
        self._check_finite(list(tensors.values()))
        save_state(self.out / "states", self.step, tensors, facts, self.config.keep, sound=not self.guard.skipped)
        self._export()

    def _export(self) -> None:
        with self.average.swapped_in(self.learner):
            export_checkpoint(self.learner, self.out / "export", self.parallel, self.export, self.step)
        if self.parallel.rank == 0:
            write_report(self.out)

    def _resume(self) -> None:
        if self.parallel.rank == 0:
            for name in ("export", "adapter"):
                restore_folder(self.out / name)
        state = agreed_state(self.out / "states", self.config.steps)
        if state is None:
            return
        facts = read_facts(state)
        check_continues(self.out, facts, self.stamp, frozen_sum(self.learner))
        load_tensors(state, self.tensors())
        self.step, self.position = facts["step"], facts["position"]
        self.guard.restore(facts["guard"])
        torch.set_rng_state(torch.tensor(facts["random"], dtype=torch.uint8))

    def tensors(self) -> dict[str, Tensor]:
        """All tensors that training changes, by name."""
        return run_tensors(self.learner, self.optimizers, self.average)

    def _validate(self) -> None:
        if self.validate is None:
            return
        figures = self.validate(self.learner, self.journal, self.step)
        self.journal.write({"step": self.step, **figures})
        self._tell(progress_line({"step": self.step, **figures}))

    def _note_refused(self, step: Step) -> None:
        """Record the rows that were left out, with the reasons."""
        rows = [{"step": self.step, **row} for row in step.refused]
        self.journal.refuse(rows)
        self.meter.add("refused", len(rows), 1.0 if rows else 0.0)

    def _log(self, seconds: float, steps: int, peak: float) -> dict[str, float]:
        totals = self.meter.take_totals(("tokens", "flops"))
        row = {"step": self.step, **self.meter.means(), "tokens_per_second": totals["tokens"] / seconds}
        row["seconds"] = seconds / max(steps, 1)
        row["mfu"] = totals["flops"] / seconds / (peak * self.parallel.world)
        self.journal.write(row)
        self._tell(progress_line(row))
        return row

    def _tell(self, line: str) -> None:
        if self.parallel.rank == 0:
            print(line, flush=True)
