"""An Optax wrapper that records the measures of each step in its state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from wdjax.groups import GroupsLike, extract, norms, operands, resolve
from wdjax.tracking.measures import Measures, measure
from wdjax.trees import is_placeholder
from wdjax.typing import Params, PyTree


class TrackedState(NamedTuple):
    """State of `tracked`; its structure, shapes and dtypes never change.

    Attributes:
      inner_state: State of the wrapped transformation.
      measures: Per group, the `Measures` of the last step; before the first, ‖w‖ and zeros.
    """

    inner_state: optax.OptState
    measures: dict[str, Measures]


def tracked(
    inner: optax.GradientTransformation, groups: GroupsLike = None
) -> optax.GradientTransformationExtraArgs:
    """Wraps a transformation and records what each of its steps does to each norm group.

    The updates pass unchanged. The gradients measured are those that enter `inner`, so wrap the
    whole optimiser: then they are the gradients of the loss, before clipping and coupled decay,
    and the updates are the steps that the weights take.

    Works under jit, scan and vmap, and under `pmap` and `shard_map` with replicated parameters.
    For parameters sharded inside `shard_map` give the groups an `axis_name`.

    Args:
      inner: Any Optax transformation.
      groups: The norm groups; None for one per floating leaf. Groups may share leaves (a leaf by
        itself, and in the norm of the whole network). Leaves that are not floating-point have no
        norm and are left out.

    Returns:
      A transformation whose state is a `TrackedState`; read it with `metrics`.

    Raises:
      ValueError: At init, if a group does not fit the parameters; at update, if params are
        missing, of another structure than the updates, or an update in a group is None.

    Example:
      >>> tx = tracked(optax.sgd(0.1))
      >>> params = {"w": jnp.array([2.0, 0.0])}
      >>> _, state = tx.update({"w": jnp.array([0.0, 3.0])}, tx.init(params), params)
      >>> print(f"{metrics(state)['w'].angle:.4f}")
      0.1489
    """
    inner = optax.with_extra_args_support(inner)

    def init_fn(params: Params) -> TrackedState:
        if is_placeholder(params):
            # One leaf: the measures are not shaped like parameters.
            return TrackedState(inner.init(params), 0)  # pyright: ignore[reportArgumentType]
        resolved = resolve(groups, params)
        of_weights = norms(resolved, extract(resolved, params))
        return TrackedState(inner.init(params), jax.tree.map(_before_first_step, of_weights))

    def update_fn(
        updates: PyTree, state: PyTree, params: Params | None = None, **extra_args
    ) -> tuple[PyTree, TrackedState]:
        resolved, w, g = operands("tracked", groups, updates, params)
        steps, inner_state = inner.update(updates, state.inner_state, params, **extra_args)
        return steps, TrackedState(inner_state, measure(resolved, w, g, extract(resolved, steps)))

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _before_first_step(norm: jax.Array) -> Measures:
    zero = jnp.zeros_like(norm)
    return Measures(norm, zero, zero, zero, zero, zero)


def metrics(state: optax.OptState) -> dict[str, Measures]:
    """Returns the measures of the last step, per norm group, from anywhere in an optimiser state.

    Args:
      state: The state of an optimiser that contains `tracked` once, at any depth.

    Raises:
      ValueError: The state contains no `TrackedState`, or more than one.
    """
    found = [node for node in jax.tree.leaves(state, is_leaf=_is_tracked) if _is_tracked(node)]
    if len(found) != 1:
        raise ValueError(
            f"the optimiser state holds {len(found)} tracked transformations; expected one. Wrap "
            "the whole optimiser: wdjax.tracked(optax.chain(...))."
        )
    return found[0].measures


def _is_tracked(node: object) -> bool:
    return isinstance(node, TrackedState)
