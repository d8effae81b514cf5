"""Tensors in, tensors out: the vision tower, the language model, and their weights."""

from viewfinder.model.attention import Chunk as Chunk
from viewfinder.model.attention import KVCache as KVCache
from viewfinder.model.qwen2_5_vl import Qwen2_5_VL as Qwen2_5_VL
from viewfinder.model.weights import load_model as load_model
from viewfinder.model.weights import save_pretrained as save_pretrained
