"""How much successive gradients hang together, measured inside the optimiser."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from wdjax.groups import GroupsLike, extract, inner_products, resolve
from wdjax.typing import Params, PyTree


class MemoryState(NamedTuple):
    """State of `gradient_memory`.

    Attributes:
      buffer: m, per leaf of the groups.
      product: ⟨g, m⟩ per group in the last step, with m from before it.
    """

    buffer: dict[str, jax.Array]
    product: dict[str, jax.Array]


def gradient_memory(decay: float, groups: GroupsLike) -> optax.GradientTransformation:
    """Lets gradients pass, and keeps ⟨g_t, m_t⟩ with m_t = Σ_{k≥1} μ^(k−1) g_{t−k}.

    Args:
      decay: μ.
      groups: The norm groups.

    Example:
      >>> tx = gradient_memory(0.5, None)
      >>> state = tx.init({"w": jnp.ones(2)})
      >>> for _ in range(3):
      ...     _, state = tx.update({"w": jnp.ones(2)}, state, {"w": jnp.ones(2)})
      >>> print(products(state)["w"])  # 2 (1 + 1/2)
      3.0
    """

    def init(params: Params) -> MemoryState:
        resolved = resolve(groups, params)
        buffer = jax.tree.map(jnp.zeros_like, extract(resolved, params))
        return MemoryState(buffer, inner_products(resolved, buffer, buffer))

    def update(
        updates: PyTree, state: MemoryState, params: Params | None = None
    ) -> tuple[PyTree, MemoryState]:
        resolved = resolve(groups, params)
        gradients = extract(resolved, updates)
        product = inner_products(resolved, gradients, state.buffer)
        buffer = jax.tree.map(lambda m, g: decay * m + g, state.buffer, gradients)
        return updates, MemoryState(buffer, product)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def products(state: Any) -> dict[str, jax.Array]:
    """Returns ⟨g, m⟩ of the last step, from anywhere in an optimiser state."""

    def is_memory(node: object) -> bool:
        return isinstance(node, MemoryState)

    found = [node for node in jax.tree.leaves(state, is_leaf=is_memory) if is_memory(node)]
    return found[0].product
