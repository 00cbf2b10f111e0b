"""Residual networks in the style of He et al. for CIFAR, with a normalisation of choice."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from wdjax.models.norms import make_norm
from wdjax.typing import Params, PyTree

WIDTHS = (16, 32, 64)

# Truncated normal with variance 1/fan_in: the sum of squares of a kernel is its number of features.
KERNEL_INIT = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")


class ResNet(nn.Module):
    """ResNet-(6n+2) of He et al. (arXiv:1512.03385), section 4.2, for images of any size.

    Each convolution is followed by a normalisation, the projections of the shortcuts too, so every
    convolution kernel is scale-invariant. The first block of *each* of the three stages has a 1×1
    projection, as in the official TensorFlow model that `L2 Regularization and Batch Norm` (Jane
    Street, 2019) trained: 22 convolutions for depth 20, with a sum of squares of 800 at init.

    Attributes:
      depth: 6n + 2, with n blocks of two convolutions in each of three stages.
      classes: Number of outputs.
      norm: "batch", "layer" or "group"; see `make_norm`.
      epsilon: ε of the normalisations.
      param_dtype: Dtype of the parameters.
      convolution: Stands in for `lax.conv_general_dilated`, for example `patch_convolution`.
    """

    depth: int = 20
    classes: int = 10
    norm: str = "batch"
    epsilon: float = 1e-5
    param_dtype: Any = jnp.float32
    convolution: Callable[..., jax.Array] = lax.conv_general_dilated

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> jax.Array:
        """Returns the logits (batch, classes) of images (batch, height, width, channels).

        Args:
          images: NHWC images.
          train: Whether batch norm uses the statistics of this batch.

        Raises:
          ValueError: The depth is not 6n + 2, or the norm is unknown.
        """
        if self.depth < 8 or self.depth % 6 != 2:
            raise ValueError(f"depth is {self.depth}; expected 6n + 2: 8, 14, 20, 32 ...")
        conv = partial(
            nn.Conv,
            use_bias=False,
            kernel_init=KERNEL_INIT,
            param_dtype=self.param_dtype,
            conv_general_dilated=self.convolution,
        )
        norm = make_norm(self.norm, train=train, epsilon=self.epsilon, param_dtype=self.param_dtype)
        x = nn.relu(norm()(conv(WIDTHS[0], (3, 3))(images)))
        for stage, width in enumerate(WIDTHS):
            for block in range((self.depth - 2) // 6):
                strides = (2, 2) if stage > 0 and block == 0 else (1, 1)
                shortcut = norm()(conv(width, (1, 1), strides)(x)) if block == 0 else x
                x = nn.relu(norm()(conv(width, (3, 3), strides)(x)))
                x = norm()(conv(width, (3, 3))(x))
                x = nn.relu(x + shortcut)
        pooled = jnp.mean(x, axis=(1, 2))
        return nn.Dense(self.classes, param_dtype=self.param_dtype)(pooled)


def kernels_3x3(params: Params) -> PyTree:
    """A mask of the 3×3 convolution kernels: the `w` of Labatie (2020), figure 2."""
    return jax.tree.map(lambda leaf: leaf.ndim == 4 and leaf.shape[:2] == (3, 3), params)


def convolution_kernels(params: Params) -> PyTree:
    """A mask of all convolution kernels."""
    return jax.tree.map(lambda leaf: leaf.ndim == 4, params)
