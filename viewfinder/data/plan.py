"""A plan: one source and the operators its samples pass, as plain data that any worker can rebuild.

    {"source": {"name": "synth", "kinds": {"grounding": 1.0}, "count": 1000, "seed": 0, "options": {...}},
     "operators": [{"name": "exact_duplicates"}, {"name": "measure", "model": "tiny"}]}

An operator that asks a model names it (`"judge": "http://..."`); whoever runs the plan says how names are opened.

The unit of work is a shard: which rows of the source it takes is fixed, so it can be made anywhere, again, and in any
order, with the same bytes. Operators on one sample run inside it; operators that must have seen all (duplicates)
gather summaries first and decide once (`GlobalOperator`).
"""

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from viewfinder.data.sample import Sample
from viewfinder.errors import DataError, MissingMaterial, ViewfinderError
from viewfinder.messages import ChatModel

Spec = dict[str, Any]
_GONE = 10
"""Failures in a row after which the model of an operator is believed to be gone, rather than the samples bad."""
OpenModel = Callable[[str], ChatModel]
"""Gives the model of a name. An operator class lists which of its arguments are such names as `models`."""


@dataclass(frozen=True)
class Bad:
    """A row that did not become a sample: why, and the row itself as far as it can be shown."""

    reason: str
    row: Any = None


class SampleSource(Protocol):
    """Rows by number; a row gives one sample or says why not."""

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> Iterator[Sample | Bad]:
        """The rows from `start` up to `stop`, in order, exactly one result each."""
        ...


class Operator(Protocol):
    """Takes one sample and gives it changed, several, or none; `Bad` says why it went."""

    name: str
    version: int

    def __call__(self, sample: Sample) -> Iterable[Sample | Bad]: ...


@runtime_checkable
class GlobalOperator(Protocol):
    """Decides over all samples at once. `summary` must be JSON-ready and small."""

    name: str
    version: int

    def summary(self, sample: Sample) -> Any:
        """What the decision needs to know of one sample."""
        ...

    def decide(self, summaries: Sequence[Any]) -> Mapping[int, str]:
        """The positions that go, each with the reason."""
        ...


@dataclass
class Count:
    """What one operator did in one shard."""

    taken: int = 0
    given: int = 0
    seconds: float = 0.0


@dataclass
class ShardResult:
    """The samples of one shard, what was set aside, and what each operator did."""

    samples: list[Sample] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    counts: dict[str, Count] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """SampleSource and operators, ready to run. `spec` is what it was made from."""

    source: SampleSource
    operators: tuple[Any, ...]
    spec: Spec
    per_shard: int = 500

    @property
    def num_shards(self) -> int:
        return -(-len(self.source) // self.per_shard)

    @property
    def barrier(self) -> int:
        """Position of the global operator; the number of operators when there is none."""
        places = [i for i, one in enumerate(self.operators) if isinstance(one, GlobalOperator)]
        return places[0] if places else len(self.operators)

    def run(self, shard: int, dropped: Mapping[int, str] | None = None) -> ShardResult:
        """Make the samples of one shard.

        Args:
            dropped: what the global operator decided, by position among this shard's samples before it; None
                stops before that operator.
        """
        outcome = ShardResult()
        start = time.perf_counter()
        rows = list(self.source.read(shard * self.per_shard, min((shard + 1) * self.per_shard, len(self.source))))
        outcome.samples = _keep(rows, outcome.bad)
        outcome.counts["source"] = Count(len(rows), len(outcome.samples), time.perf_counter() - start)
        _apply(self.operators[: self.barrier], outcome)
        if dropped is None or self.barrier == len(self.operators):
            return outcome
        gate = self.operators[self.barrier]
        taken = len(outcome.samples)
        outcome.bad += [Bad(f"{gate.name}: {dropped[i]}", outcome.samples[i].id) for i in sorted(dropped)]
        outcome.samples = [sample for i, sample in enumerate(outcome.samples) if i not in dropped]
        outcome.counts[gate.name] = Count(taken, len(outcome.samples), 0.0)
        outcome.samples = [_marked(sample, gate) for sample in outcome.samples]
        _apply(self.operators[self.barrier + 1 :], outcome)
        return outcome


def _keep(results: Iterable[Sample | Bad], bad: list[Bad]) -> list[Sample]:
    kept: list[Sample] = []
    for result in results:
        if isinstance(result, Bad):
            bad.append(result)
        else:
            kept.append(result)
    return kept


def _marked(sample: Sample, operator: Any) -> Sample:
    return replace(sample, lineage=(*sample.lineage, f"{operator.name}@{operator.version}"))


def _apply(operators: Sequence[Operator], outcome: ShardResult) -> None:
    for operator in operators:
        start, taken = time.perf_counter(), len(outcome.samples)
        results: list[Sample | Bad] = []
        failed = 0  # in a row
        for sample in outcome.samples:
            try:
                results += [one if isinstance(one, Bad) else _marked(one, operator) for one in operator(sample)]
                failed = 0
            except MissingMaterial:
                raise
            except Exception as error:
                failed += 1
                if failed >= _GONE and getattr(operator, "models", ()):
                    raise DataError(
                        f"{operator.name} failed for {failed} samples in a row ({error}); its model seems to be gone: "
                        "start it again and run the same command, what is done stays"
                    ) from error
                kind = "" if isinstance(error, ViewfinderError) else f"{type(error).__name__}: "
                results.append(Bad(f"{operator.name}: {kind}{error}", sample.id))
        outcome.samples = _keep(results, outcome.bad)
        outcome.counts[operator.name] = Count(taken, len(outcome.samples), time.perf_counter() - start)


def build_plan(spec: Spec, open_model: OpenModel | None = None) -> Plan:
    """The plan of a specification.

    Args:
        open_model: gives the `ChatModel` of a name, for operators that ask one.

    Raises:
        DataError: a source or operator that does not exist or does not take what it is given.
    """
    from viewfinder.data.catalogue import OPERATORS, SOURCES

    source = _build(SOURCES, dict(spec["source"]), "source", open_model)
    operators = tuple(_build(OPERATORS, dict(each), "operator", open_model) for each in spec.get("operators", ()))
    gates = [one.name for one in operators if isinstance(one, GlobalOperator)]
    if len(gates) > 1:
        raise DataError(
            f"a plan may hold one operator that sees all samples, this one has {', '.join(gates)}; "
            "run them one after another"
        )
    return Plan(source, operators, spec, spec.get("per_shard", 500))


def _build(
    entries: Mapping[str, Callable[[], Callable[..., Any]]], spec: Spec, what: str, open_model: OpenModel | None
) -> Any:
    name = spec.pop("name", None)
    if name not in entries:
        raise DataError(f"there is no {what} {name!r}; there are {', '.join(entries)}")
    factory = entries[name]()
    if "licence" in spec:  # the spelling of plans of version 0.1
        spec["license"] = spec.pop("licence")
    for key in getattr(factory, "models", ()):
        if spec.get(key) is None:
            continue
        if open_model is None:
            raise DataError(f"{name} asks the model {spec[key]!r}, and this run was not told how to open models")
        spec[key] = open_model(spec[key])
    try:
        return factory(**spec)
    except TypeError as error:
        known = [key for key in inspect.signature(factory).parameters if key != "about"]
        raise DataError(
            f"the {what} {name!r} cannot be made of {spec} ({error}); its arguments are {', '.join(known) or 'none'}"
        ) from error
