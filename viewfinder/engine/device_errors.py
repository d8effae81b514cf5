"""Errors after which a device serves nobody any more."""

from viewfinder.errors import RanksError


def is_device_lost(error: BaseException) -> bool:
    """Whether this is an error of the GPU, such as an illegal access: it stays until the process ends, so every later
    request would fail too; so does each after the loss of a process that has a part of the model. Running out of memory
    is none ("CUDA out of memory")."""
    return isinstance(error, RanksError) or (isinstance(error, RuntimeError) and "CUDA error" in str(error))


def raise_if_lost(error: Exception) -> None:
    if is_device_lost(error):
        raise error
