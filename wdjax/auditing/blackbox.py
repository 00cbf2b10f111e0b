"""An Optax optimiser as a black box: gradients and weights in, updates out, nothing else seen."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax import trees
from wdjax.typing import Params, PyTree

Vectors: TypeAlias = dict[str, Any]
"""One array per floating-point leaf, keyed by its path."""


@dataclasses.dataclass(frozen=True)
class BlackBox:
    """The calls that experiments make; each is compiled once.

    Attributes:
      init: The optimiser's state for weights.
      step: State, gradients and weights to the updates of one training step and the next state.
      advance: State, a number of training steps, gradients and weights to the state after them,
        with both held fixed.
    """

    init: Callable[[Vectors], PyTree]
    step: Callable[[PyTree, Vectors, Vectors], tuple[Vectors, PyTree]]
    advance: Callable[[PyTree, int, Vectors, Vectors], PyTree]


def black_box(
    tx: optax.GradientTransformation,
    params: Params,
    micro_steps: int,
    extra_args: dict[str, Any],
) -> BlackBox:
    """Wraps `tx`; only the floating-point leaves of `params` are given values from outside.

    A training step is `micro_steps` calls of `tx.update`, whose updates are added. An update that
    is None counts as zero.
    """
    update = optax.with_extra_args_support(tx).update

    def weights(x: Vectors) -> PyTree:
        leaves = trees.named_leaves(params)
        return trees.with_leaves(params, [x.get(name, leaf) for name, leaf in leaves.items()])

    def gradients(g: Vectors) -> PyTree:
        leaves = trees.named_leaves(params)
        return trees.with_leaves(params, [g.get(n, _no_gradient(v)) for n, v in leaves.items()])

    def init(x: Vectors) -> PyTree:
        return jax.tree.map(jnp.asarray, tx.init(weights(x)))

    def call(state: PyTree, g: Vectors, x: Vectors) -> tuple[Vectors, PyTree]:
        updates, after = update(gradients(g), state, weights(x), **extra_args)
        given = trees.named_leaves(updates)
        chosen = {name: given.get(name, jnp.zeros_like(value)) for name, value in x.items()}
        return chosen, _like(after, state)

    def step(state: PyTree, g: Vectors, x: Vectors) -> tuple[Vectors, PyTree]:
        def again(_: int, carry: tuple[Vectors, PyTree]) -> tuple[Vectors, PyTree]:
            updates, after = call(carry[1], g, x)
            return jax.tree.map(jnp.add, carry[0], updates), after

        first = call(state, g, x)
        return first if micro_steps == 1 else jax.lax.fori_loop(1, micro_steps, again, first)

    @jax.jit
    def advance(state: PyTree, count: int, g: Vectors, x: Vectors) -> PyTree:
        return jax.lax.fori_loop(0, count, lambda _, now: step(now, g, x)[1], state)

    return BlackBox(init, jax.jit(step), advance)


def require_working(box: BlackBox, x: Vectors) -> None:
    """Raises ValueError if a call of the optimiser fails, with what it said."""
    try:
        jax.eval_shape(box.step, box.init(x), x, x)
    except Exception as error:
        raise ValueError(
            f"the optimiser failed at these parameters: {type(error).__name__}: {error}\nIf it "
            "needs more than gradients and params, give that by name: probe(tx, params, value=1.0)."
        ) from error


def micro_step(state: PyTree) -> int:
    """Returns how far any gradient accumulation in a state is from the start of its cycle.

    Found are `optax.MultiSteps` and `optax.apply_every`, wherever they stand.
    """
    found = (_micro_steps(part) for part in jax.tree.leaves(state, is_leaf=_accumulates))
    return max(found, default=0)


def _accumulates(part: Any) -> bool:
    return isinstance(part, optax.MultiStepsState | optax.ApplyEvery)


def _micro_steps(part: Any) -> int:
    if isinstance(part, optax.MultiStepsState):
        # What is inside may accumulate, too.
        return max(int(np.max(part.mini_step, initial=0)), micro_step(part.inner_opt_state))
    return int(np.max(part.count, initial=0)) if isinstance(part, optax.ApplyEvery) else 0


def _like(after: PyTree, state: PyTree) -> PyTree:
    """Keeps the dtypes of a state, which a few optimisers widen in float64."""
    if jax.tree.structure(after) != jax.tree.structure(state):
        raise ValueError(
            f"update changes the structure of the state, from {jax.tree.structure(state)} to "
            f"{jax.tree.structure(after)}, so that it cannot be advanced. Probe the optimiser "
            "without the part that does so."
        )
    return jax.tree.map(_in_dtype_of, after, state)


def _no_gradient(leaf: Any) -> Any:
    is_key = jnp.issubdtype(trees.dtype(leaf), jax.dtypes.prng_key)
    return leaf if is_key else jnp.zeros_like(leaf)


def _in_dtype_of(new: Any, old: Any) -> Any:
    is_key = jnp.issubdtype(old.dtype, jax.dtypes.prng_key)
    return new if is_key else jnp.asarray(new, old.dtype)


def numpy_step(box: BlackBox, state: PyTree, g: Vectors, x: Vectors) -> Vectors:
    """Returns the updates of one step as float64 NumPy arrays."""
    return {name: np.asarray(u, float) for name, u in box.step(state, g, x)[0].items()}
