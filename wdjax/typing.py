"""Names for the types that pass between the parts of wdjax."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import optax

PyTree: TypeAlias = Any
"""Any nesting of dicts, lists, tuples, NamedTuples or registered nodes."""

Params: TypeAlias = PyTree
"""A PyTree of arrays: the weights of a model."""

Loss: TypeAlias = Callable[..., jax.Array]
"""`loss(params, *args) -> scalar`, pure."""

Mask: TypeAlias = PyTree | Callable[[Params], PyTree]
"""As in Optax: booleans in the structure of the parameters (or a prefix of it), or a function of
the parameters that returns them."""

Rate: TypeAlias = optax.ScalarOrSchedule
"""A number, a scalar array, or an Optax schedule `step -> number`."""

GroupValues: TypeAlias = dict[str, jax.Array]
"""One array per norm group, keyed by the group's name; its shape is that of the group's norms."""
