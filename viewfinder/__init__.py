"""Viewfinder: a complete, open Qwen2.5-VL whose answers can be checked against the pixel and the second."""

__version__ = "0.1.0"
