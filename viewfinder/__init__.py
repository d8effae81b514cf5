"""Viewfinder: a complete, open Qwen2.5-VL whose answers can be checked against the pixel and the second.

`load` and `Viewfinder` are the front door. They are imported when first asked for, so that parts that need no
model (`viewfinder.outputs`, `viewfinder.media`) load without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from viewfinder.chat import Viewfinder as Viewfinder
    from viewfinder.chat import load as load

__version__ = "0.1.0"
__all__ = ["Viewfinder", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from viewfinder import chat

        return getattr(chat, name)
    raise AttributeError(f"module 'viewfinder' has no attribute {name!r}")
