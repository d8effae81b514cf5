"""The language model: Qwen2.5, a causal decoder with grouped-query attention and MRoPE.

Takes embeddings, not ids, so that media features can stand among them. Query, key and value
projections have biases, all others none. Parameter names are the checkpoint's.
"""

from collections.abc import Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from viewfinder.config import TextConfig
from viewfinder.model.attention import causal_attention
from viewfinder.model.kv_cache import JointCaches, JointLayer, KVCache, LayerCache
from viewfinder.model.layers import RMSNorm, SwiGLU
from viewfinder.model.linear import Linear
from viewfinder.model.rope import multimodal_rope, rotate


class TextAttention(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        width, kv_width = config.hidden_size, config.num_key_value_heads * config.head_dim
        self.q_proj = Linear(width, width)
        self.k_proj = Linear(width, kv_width)
        self.v_proj = Linear(width, kv_width)
        self.o_proj = Linear(width, width, bias=False)

    def forward(
        self,
        x: Float[Tensor, "T D"],
        rope: tuple[Tensor, Tensor],
        seqlens: Sequence[int],
        caches: Sequence[LayerCache] | JointLayer | None,
    ) -> Float[Tensor, "T D"]:
        q, k, v = (p(x).unflatten(-1, (-1, self.head_dim)) for p in (self.q_proj, self.k_proj, self.v_proj))
        return self.o_proj(causal_attention(rotate(q, *rope), rotate(k, *rope), v, seqlens, caches))


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
        seqlens: Sequence[int],
        caches: Sequence[LayerCache] | JointLayer | None,
    ) -> Float[Tensor, "T D"]:
        x = x + self.self_attn(self.input_layernorm(x), rope, seqlens, caches)
        return x + self.mlp(self.post_attention_layernorm(x))


class TextModel(nn.Module):
    """Embeddings in, normalised hidden states out."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(TextLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        embeddings: Float[Tensor, "T D"],
        position_ids: Int[Tensor, "3 T"],
        seqlens: Sequence[int],
        caches: Sequence[KVCache] | JointCaches | None = None,
    ) -> Float[Tensor, "T D"]:
        """Run packed sequences; with `caches` (one a sequence, or one for all), after the tokens those already hold."""
        config = self.config
        cos, sin = multimodal_rope(position_ids, config.head_dim, config.rope_theta, config.mrope_section)
        rope = (cos[:, None], sin[:, None])
        hidden = embeddings
        for i, layer in enumerate(self.layers):
            hidden = layer(hidden, rope, seqlens, _layer_of(caches, i))
        return self.norm(hidden)


def _layer_of(caches: Sequence[KVCache] | JointCaches | None, i: int) -> Sequence[LayerCache] | JointLayer | None:
    if caches is None:
        return None
    return [cache.layers[i] for cache in caches] if isinstance(caches, Sequence) else caches.layers[i]
