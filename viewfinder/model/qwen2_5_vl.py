"""Qwen2.5-VL: the tower's features stand among the token embeddings of the language model.

The language model is Qwen2.5, a causal decoder with grouped-query attention and MRoPE. `model(inputs) -> logits` on
packed `ModelInputs`; no state is kept between calls: positions come with the inputs, the cache with the caller.
Parameter names are the checkpoint's.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from viewfinder.config import ModelConfig, TextConfig
from viewfinder.inputs import ModelInputs
from viewfinder.model.attention import KVCache, LayerView
from viewfinder.model.decode_layer import MAX_ROWS, DecodeLayer, run_layers
from viewfinder.model.fused import FusedLayer, whole_head
from viewfinder.model.layers import Linear, RMSNorm, SwiGLU, compute_dtype, multimodal_rope, rotate
from viewfinder.model.packed_attention import Continuations, PackedLengths, causal_attention
from viewfinder.model.parallel_linear import SummedLinear
from viewfinder.model.quantized_linear import QuantizedEmbedding, QuantizedLinear
from viewfinder.model.varlen import Segments, kernel_for, without_cudnn
from viewfinder.model.vision import VisionTower


class Qwen2_5_VL(nn.Module):
    """The whole model. Modules are `visual`, `model` and `lm_head`, as in the released checkpoints."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.kv_cache_dtype: torch.dtype | None = None
        self.visual = VisionTower(config.vision)
        self.model = TextModel(config.text)
        self.lm_head = Linear(config.text.hidden_size, config.text.vocab_size, bias=False)
        self.tie_weights()

    def tie_weights(self) -> None:
        """Make the output projection the embedding table itself, where the config says so."""
        if not self.config.text.tie_word_embeddings:
            return
        table = self.model.embed_tokens
        if isinstance(table, QuantizedEmbedding):
            self.lm_head = table.table
        else:
            self.lm_head.weight = table.weight

    def forward(
        self,
        inputs: ModelInputs,
        cache: Sequence[LayerView] | None = None,
        *,
        features: Float[Tensor, "M D"] | None = None,
        logits_at: Int[Tensor, " K"] | None = None,
    ) -> Float[Tensor, "K V"]:
        """Logits of the next token after each token, or only after those at `logits_at`.

        Args:
            inputs: packed sequences.
            cache: `KVCache.view` of what came before; the new tokens are added to it.
            features: the tower's output for these inputs, if it was computed already.
            logits_at: indices into the packed tokens.
        """
        return self.lm_head(self.hidden_states(inputs, cache, features=features, rows=logits_at))

    def decode(
        self, input_ids: Int[Tensor, " S"], positions: Int[Tensor, " S"], cache: Sequence[LayerView]
    ) -> Float[Tensor, "S V"]:
        """Logits after one more token of text of each sequence. All stays on the device: nothing waits for the host."""
        with without_cudnn(self.device):
            embedded = self.model.embed_tokens(input_ids).to(self.compute_dtype)
            return self.lm_head(self.model(embedded, positions.expand(3, -1), (), cache))

    def hidden_states(
        self,
        inputs: ModelInputs,
        cache: Sequence[LayerView] | None = None,
        *,
        features: Float[Tensor, "M D"] | None = None,
        continuations: Continuations | None = None,
        rows: Int[Tensor, " K"] | None = None,
    ) -> Float[Tensor, "K D"]:
        """Normalised hidden states, before the output projection (losses compute logits in chunks from them).

        Of all tokens, or of those at `rows`. `continuations` are the lengths of the sequences where some go on from
        others.
        """
        if features is None and inputs.pixel_values is not None:
            assert inputs.grid_thw is not None
            features = self.visual(inputs.pixel_values, inputs.grid_thw)
        with without_cudnn(self.device):
            embedded = self.embed(inputs.input_ids, features)
            return self.model(embedded, inputs.position_ids, continuations or inputs.seqlens, cache, rows)

    def embed(self, input_ids: Int[Tensor, " T"], features: Float[Tensor, "M D"] | None) -> Float[Tensor, "T D"]:
        """Token embeddings, with the tower's features at image and video places, in order.

        Ids may be on the CPU: there their places are counted without waiting for the device.
        """
        embeddings = self.model.embed_tokens(input_ids.to(self.device)).to(self.compute_dtype)
        places = (input_ids == self.config.image_token_id) | (input_ids == self.config.video_token_id)
        num_places, num_features = int(places.sum()), 0 if features is None else len(features)
        if num_places != num_features:
            raise ValueError(
                f"{num_places} media tokens stand in input_ids, but the tower made {num_features} features; scattering "
                "them would put pixels in wrong places: make both with one processor and never cut inside a media span"
            )
        if features is None:
            return embeddings
        return embeddings.masked_scatter(places[:, None].to(self.device), features.to(embeddings.dtype))

    def join_projections(self) -> None:
        """Prepare inference on a GPU, see `viewfinder.model.fused`. Replaces parameters: not while they are trained.
        Nothing is done where a layer has an adapter or quantized weights."""
        leaves = [module for module in self.model.layers.modules() if not [*module.children()]]
        if not all(type(leaf) in (Linear, SummedLinear, RMSNorm) for leaf in leaves):
            return
        self.model.fused = [
            FusedLayer(
                layer.self_attn,
                layer.mlp,
                (layer.input_layernorm, layer.post_attention_layernorm),
                self.config.text.head_dim,
            )
            for layer in self.model.layers
            if isinstance(layer, TextLayer)
        ]

    def num_parameters(self) -> int:
        """Distinct parameters; a tied output projection counts once, a weight of few bits by its numbers."""
        packed = sum(m.shape[0] * m.shape[1] for m in self.modules() if isinstance(m, QuantizedLinear))
        return packed + sum(p.numel() for p in self.parameters())

    @property
    def device(self) -> torch.device:
        return self.model.norm.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights that are not packed in few bits."""
        return self.model.norm.weight.dtype

    @property
    def cache_dtype(self) -> torch.dtype:
        """Of keys and values in a cache: as activations, unless `kv_cache_dtype` is set (int8)."""
        return self.kv_cache_dtype or self.compute_dtype

    @property
    def compute_dtype(self) -> torch.dtype:
        """Of activations: float32 where the processor cannot multiply the weights' dtype."""
        return compute_dtype(self.dtype, self.device)


class TextAttention(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        width, q_width = config.hidden_size, config.num_attention_heads * config.head_dim
        kv_width = config.num_key_value_heads * config.head_dim
        self.q_proj = Linear(width, q_width)
        self.k_proj = Linear(width, kv_width)
        self.v_proj = Linear(width, kv_width)
        self.o_proj = Linear(q_width, width, bias=False)

    def forward(
        self,
        x: Float[Tensor, "T D"],
        rope: tuple[Tensor, Tensor],
        seqlens: PackedLengths,
        cache: LayerView | None,
        rows: Int[Tensor, " K"] | None = None,
    ) -> Float[Tensor, "K D"]:
        k, v = (p(x).unflatten(-1, (-1, self.head_dim)) for p in (self.k_proj, self.v_proj))
        k = rotate(k, *rope)
        if cache is not None and rows is not None and not len(rows):  # a part of a prompt, all for later parts
            cache.write(torch.stack((k, v), dim=1))
            return x[rows]
        q = rotate(self.q_proj(x).unflatten(-1, (-1, self.head_dim)), *rope)
        seen = causal_attention(q, k, v, seqlens) if cache is None else cache.attend(q, k, v)
        return self.o_proj(seen if rows is None else seen[rows])


class TextLayer(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.self_attn = TextAttention(config)
        self.mlp = SwiGLU(config.hidden_size, config.intermediate_size, bias=False)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        x: Float[Tensor, "T D"],
        rope: tuple[Tensor, Tensor],
        seqlens: PackedLengths,
        cache: LayerView | None,
        rows: Int[Tensor, " K"] | None = None,
    ) -> Float[Tensor, "K D"]:
        """All tokens in; out come all, or those at `rows`. The others then give only their keys and values."""
        seen = self.self_attn(self.input_layernorm(x), rope, seqlens, cache, rows)
        x = (x if rows is None else x[rows]) + seen
        return x + self.mlp(self.post_attention_layernorm(x))


class TextModel(nn.Module):
    """Embeddings in, normalised hidden states out. `is_led`: other processes run parts of it, told from Python."""

    is_led = False

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(TextLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.fused: list[FusedLayer] | None = None
        self._decoding: list[DecodeLayer] = []  # None in a copy

    def forward(
        self,
        embeddings: Float[Tensor, "T D"],
        position_ids: Int[Tensor, "3 T"],
        seqlens: PackedLengths,
        cache: Sequence[LayerView] | None = None,
        rows: Int[Tensor, " K"] | None = None,
    ) -> Float[Tensor, "K D"]:
        """Run packed sequences; with `cache` (one view a layer), after the tokens that it holds already.

        With `rows`, the last layer is computed for these tokens alone, but for the keys and values of all.
        """
        config = self.config
        cos, sin = multimodal_rope(position_ids, config.head_dim, config.rope_theta, config.mrope_section)
        hidden, rows_of = embeddings, [None] * (len(self.layers) - 1) + [rows]
        if cache is not None and self.is_fused:
            rope = whole_head(cos, sin)
            for fused, view, asked in zip(self.fused or (), cache, rows_of, strict=True):
                hidden = fused(hidden, rope, view, asked)
            return self.norm(hidden)
        if cache is not None and (decoding := self._decode_layers(hidden, cache)):
            hidden = run_layers(decoding, hidden, (cos, sin), cache)
            return self.norm(hidden if rows is None else hidden[rows])
        rope = (cos[:, None], sin[:, None])
        if cache is None and not isinstance(seqlens, Segments) and kernel_for(hidden) is not None:
            device = hidden.device
            seqlens = seqlens.segments(device) if isinstance(seqlens, Continuations) else Segments.of(seqlens, device)
        for i, layer in enumerate(self.layers):
            hidden = layer(hidden, rope, seqlens, None if cache is None else cache[i], rows_of[i])
        return self.norm(hidden)

    def make_cache(self, num_blocks: int, block_size: int, dtype: torch.dtype) -> KVCache:
        """Memory for the keys and values of these layers, on their device."""
        return KVCache(self.config, num_blocks, block_size, dtype=dtype, device=self.norm.weight.device)

    def least_room(self, num_bytes: int) -> int:
        """Of the bytes that are free for a cache, the fewest on any device that has a part of these layers."""
        return num_bytes

    def _decode_layers(self, hidden: Float[Tensor, "T D"], cache: Sequence[LayerView]) -> list[DecodeLayer]:
        """The layers in C for these few tokens, none where they cannot serve."""
        if not 0 < len(hidden) <= MAX_ROWS or hidden.device.type != "cpu" or torch.is_grad_enabled():
            return []
        if cache[0].paged is None:
            return []
        dtype = hidden.dtype
        if not self._decoding or not all(layer and layer.is_current(dtype) for layer in self._decoding):
            fits = all(DecodeLayer.fits(layer, dtype) for layer in self.layers)
            self._decoding = [DecodeLayer(x, self.config.head_dim, dtype) for x in self.layers] if fits else []
        return self._decoding

    @property
    def is_fused(self) -> bool:
        """Whether inference takes the joined projections: they were made, and no layer was changed since."""
        return bool(self.fused) and not torch.is_grad_enabled() and all(layer.is_current for layer in self.fused or ())
