"""A small causal transformer over characters whose inner matrices are all scale-invariant."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class CharTransformer(nn.Module):
    """Pre-norm transformer that also normalises queries, keys and what each branch adds.

    Each block is x ← x + norm(branch(norm(x))), with attention and a ReLU MLP for branches. In the
    plain pre-norm transformer no matrix is scale-invariant by itself. Here all six of a block are:
    W_q and W_k by the normalisation of queries and keys, W_v and W_o, W_1 and W_2 by the one at
    the end of their branch, since nothing between (a mean of values, a ReLU, no bias) sees a
    positive factor either. Embeddings, gains and head are not. Norms are RMS norms.

    Source: normalised queries and keys: Henry et al., arXiv:2010.04245; a norm at the end of each
    branch: Ding et al., arXiv:2105.13290, "sandwich".

    Attributes:
      vocabulary: Number of characters.
      width: Features of the residual stream.
      heads: Number of heads; divides the width.
      blocks: Number of blocks.
      context: Largest number of characters.
      epsilon: ε of the norms.
      param_dtype: Dtype of the parameters.
    """

    vocabulary: int
    width: int = 32
    heads: int = 2
    blocks: int = 2
    context: int = 32
    epsilon: float = 1e-5
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Returns the logits (batch, length, vocabulary) of what follows each character.

        Args:
          tokens: (batch, length), whole numbers below the vocabulary.

        Raises:
          ValueError: The heads do not divide the width, or there are more characters than the
            context has room for.
        """
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"the width, {self.width}, is not a multiple of {self.heads} heads.")
        if tokens.shape[1] > self.context:
            raise ValueError(
                f"{tokens.shape[1]} characters are more than the context of {self.context}."
            )
        init = nn.initializers.normal(0.3)
        positions = self.param("positions", init, (self.context, self.width), self.param_dtype)
        embed = nn.Embed(
            self.vocabulary,
            self.width,
            embedding_init=init,
            param_dtype=self.param_dtype,
            name="embed",
        )
        x = embed(tokens) + positions[: tokens.shape[1]]
        for block in range(self.blocks):
            x = x + self._norm(f"attended_{block}")(self._attention(block, x))
            x = x + self._norm(f"passed_{block}")(self._mlp(block, x))
        return self._dense("head", self.vocabulary)(self._norm("final")(x))

    def _norm(self, name: str) -> nn.RMSNorm:
        return nn.RMSNorm(epsilon=self.epsilon, param_dtype=self.param_dtype, name=name)

    def _dense(self, name: str, features: int) -> nn.Dense:
        return nn.Dense(features, use_bias=False, param_dtype=self.param_dtype, name=name)

    def _attention(self, block: int, x: jax.Array) -> jax.Array:
        x = self._norm(f"before_attention_{block}")(x)
        by_head = (*x.shape[:2], self.heads, self.width // self.heads)
        query, key, value = (
            self._dense(f"{name}_{block}", self.width)(x).reshape(by_head) for name in "qkv"
        )
        query, key = self._norm(f"norm_q_{block}")(query), self._norm(f"norm_k_{block}")(key)
        mixed = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        return self._dense(f"o_{block}", self.width)(mixed.reshape(x.shape))

    def _mlp(self, block: int, x: jax.Array) -> jax.Array:
        x = self._norm(f"before_mlp_{block}")(x)
        hidden = nn.relu(self._dense(f"up_{block}", 4 * self.width)(x))
        return self._dense(f"down_{block}", self.width)(hidden)
