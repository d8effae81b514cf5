"""A GPU that is not there: tensors with their numbers on the CPU that say they are on `cuda:0`.

Inside `PretendDevice` an operation raises where its tensors are on different devices, as CUDA does, and reads of the
device by the host are counted. PyTorch itself sees "meta" tensors, whose autograd needs no driver.
"""

from collections import Counter
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CUDA, _STAND_IN = torch.device("cuda:0"), torch.device("meta")
_COPIES = {"aten::_to_copy", "aten::copy_", "aten::_copy_from"}
_ONE_KERNEL = {F.rms_norm, F.scaled_dot_product_attention}
_NO_KERNEL = {"aten::empty", "aten::empty_like", "aten::new_empty", "aten::detach", "aten::_unsafe_view", "aten::alias"}
_CPU_INDICES = {"aten::index", "aten::index_put_", "aten::index_put", "aten::_index_put_impl_"}


class PretendTensor(Tensor):
    """`data` is on the CPU."""

    data_on_cpu: Tensor

    @staticmethod
    def __new__(cls, data: Tensor) -> Self:
        with torch.inference_mode(False):  # a view of weights made outside of inference mode could not be one of them
            made = torch.Tensor._make_wrapper_subclass(
                cls, data.size(), data.stride(), data.storage_offset(), dtype=data.dtype, device=_STAND_IN
            )
        made.data_on_cpu = data
        return made

    device = property(lambda self: CUDA)  # type: ignore[assignment]

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __tensor_flatten__(self) -> tuple[list[str], None]:  # `Module.to` then keeps tied parameters tied
        return ["data_on_cpu"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, Tensor], *_: Any) -> "PretendTensor":
        return PretendTensor(parts["data_on_cpu"])

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {}, Counter())


class PretendDevice:
    """Counts by operation: `syncs`, how often the host waited for the device; `uploads`, copies to it; `launches`, the
    kernels that it started.

    Norms and attention count as one, which they are on a GPU (`_fused_rms_norm`, a fused kernel for attention).
    """

    def __init__(self) -> None:
        self.syncs: Counter[str] = Counter()
        self.uploads: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()
        self._modes = (_Named(self.launches), _Dispatch(self.syncs, self.uploads, self.launches))

    def __enter__(self) -> Self:
        for mode in self._modes:
            mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class _Named(TorchFunctionMode):
    """cuda as an argument is the stand-in before PyTorch, which would look for a driver, sees it."""

    def __init__(self, launches: Counter[str]) -> None:
        super().__init__()
        self.launches = launches

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("__get__", "__set__"):
            return func(*args, **(kwargs or {}))
        args, kwargs = tree_map(_stand_in, (args, kwargs or {}))
        if func in _ONE_KERNEL and isinstance(args[0], PretendTensor):
            before = self.launches.copy()
            made = func(*args, **kwargs)
            self.launches.clear()
            self.launches.update(before + Counter([func.__name__]))  # not the parts of which it is made on a CPU
            return made
        if func is torch.tensor and kwargs.get("device") == _STAND_IN:  # it fills a tensor without dispatch
            return PretendTensor(func(*args, **{**kwargs, "device": "cpu"}))
        return func(*args, **kwargs)


def _stand_in(value: Any) -> Any:
    is_named = isinstance(value, torch.device) and value.type == "cuda"
    return _STAND_IN if is_named or (isinstance(value, str) and value in ("cuda", "cuda:0")) else value


class _Dispatch(TorchDispatchMode):
    def __init__(self, syncs: Counter[str], uploads: Counter[str], launches: Counter[str]) -> None:
        super().__init__()
        self.syncs, self.uploads, self.launches = syncs, uploads, launches

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with self:  # in inference mode some operations come here whole, `Tensor.to` among them
            made = func.decompose(*args, **(kwargs or {}))
        if made is not NotImplemented:
            return made
        made = _run(func, args, kwargs or {}, self.syncs)
        parts = made if isinstance(made, tuple | list) else [made]
        given = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
        if func._schema.name in _COPIES and isinstance(parts[0], PretendTensor):
            self.uploads[func._schema.name] += not all(isinstance(value, PretendTensor) for value in given)
        is_kernel = not func.is_view and func._schema.name not in _NO_KERNEL
        if is_kernel and any(isinstance(part, PretendTensor) for part in parts):
            self.launches[func._schema.name] += 1
        return made


def _run(func: Any, args: Any, kwargs: dict[str, Any], syncs: Counter[str]) -> Any:
    given = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
    pretended = [value for value in given if isinstance(value, PretendTensor)]
    name = func._schema.name
    _check(name, args, given, pretended)
    goes = kwargs.get("device")
    on_device = bool(pretended) if goes is None else goes.type == "meta"
    if name == "aten::copy_":
        on_device = isinstance(args[0], PretendTensor)
    if pretended and (name in ("aten::_local_scalar_dense", "aten::nonzero") or (name in _COPIES and not on_device)):
        syncs[name] += 1
    plain_args, plain = tree_map(lambda v: v.data_on_cpu if isinstance(v, PretendTensor) else v, (args, kwargs))
    if goes is not None:
        plain["device"] = torch.device("cpu")
    known = {id(value.data_on_cpu): value for value in pretended}  # an operation in place gives back its argument

    def wrapped(value: Any) -> Any:
        if not isinstance(value, Tensor) or not on_device:
            return value
        return known[id(value)] if id(value) in known else PretendTensor(value)

    return tree_map(wrapped, func(*plain_args, **plain))


def _check(name: str, args: Any, given: list[Tensor], pretended: list[PretendTensor]) -> None:
    """The rule of CUDA: one device, but for copies, scalars (0 dimensions) and indices into a tensor of the GPU."""
    if not pretended or len(pretended) == len(given) or name in _COPIES:
        return
    if name in _CPU_INDICES and isinstance(args[0], PretendTensor):
        given = [value for value in given if value.dtype not in (torch.int64, torch.bool)]
    if any(value.ndim for value in given if not isinstance(value, PretendTensor)):
        raise RuntimeError(f"{name} has tensors on cuda:0 and on the CPU")
