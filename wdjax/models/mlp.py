"""A multi-layer perceptron with a normalisation behind each hidden layer."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from wdjax.models.norms import make_norm


class MLP(nn.Module):
    """Dense → norm → ReLU for each hidden width, then a Dense head.

    The hidden kernels are scale-invariant (per output channel with batch norm, as a whole with
    layer norm); the head is not.

    Attributes:
      widths: Features of the hidden layers.
      classes: Number of outputs.
      norm: "batch", "layer" or "group"; see `make_norm`.
      epsilon: ε of the normalisations.
      param_dtype: Dtype of the parameters.
    """

    widths: tuple[int, ...] = (128, 128)
    classes: int = 10
    norm: str = "layer"
    epsilon: float = 1e-5
    param_dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, inputs: jax.Array, *, train: bool) -> jax.Array:
        """Returns the logits (batch, classes) of inputs (batch, ...), flattened.

        Args:
          inputs: One example per row, of any further shape.
          train: Whether batch norm uses the statistics of this batch.
        """
        norm = make_norm(self.norm, train=train, epsilon=self.epsilon, param_dtype=self.param_dtype)
        x = inputs.reshape(len(inputs), -1)
        for width in self.widths:
            x = nn.Dense(width, use_bias=False, param_dtype=self.param_dtype)(x)
            x = nn.relu(norm()(x))
        return nn.Dense(self.classes, param_dtype=self.param_dtype)(x)
