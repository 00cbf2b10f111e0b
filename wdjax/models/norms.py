"""The normalisation layers that the models can be built with."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax

NORMS = ("batch", "layer", "group")
MOMENTUM = 0.9
"""What the running averages of batch norm keep of themselves in a step."""


def make_norm(
    norm: str, *, train: bool, epsilon: float, param_dtype: Any
) -> Callable[[], Callable[[jax.Array], jax.Array]]:
    """Returns a constructor of normalisation layers, with gain and bias.

    Args:
      norm: "batch" (per channel over the batch; each output channel of the kernel before it is
        scale-invariant), "layer" (per example over everything; the kernel is invariant as a whole)
        or "group" (per example and group of channels; 8 groups).
      train: Whether batch norm takes its statistics from the batch or from running averages.
      epsilon: ε, added to the variance.
      param_dtype: Dtype of gain, bias and running averages.

    Raises:
      ValueError: The norm has another name.
    """
    settings = {"epsilon": epsilon, "param_dtype": param_dtype}
    if norm == "batch":
        return partial(nn.BatchNorm, use_running_average=not train, momentum=MOMENTUM, **settings)
    if norm == "layer":
        return partial(nn.GroupNorm, num_groups=1, **settings)
    if norm == "group":
        return partial(nn.GroupNorm, num_groups=8, **settings)
    raise ValueError(f"norm is {norm!r}; expected one of {', '.join(map(repr, NORMS))}.")
