"""An Optax wrapper that records the measures of its steps in its state."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from wdjax.groups import GroupsLike, extract, norms, operands, resolve
from wdjax.tracking.measures import Measures, measure
from wdjax.tracking.recorders import Record, Recorder, last, require_count
from wdjax.trees import is_placeholder
from wdjax.typing import Params, PyTree


class TrackedState(NamedTuple):
    """State of `tracked`; its structure, shapes and dtypes never change.

    Attributes:
      inner_state: State of the wrapped transformation.
      step: int32 scalar, the number of steps done.
      record: What the recorder keeps.
    """

    inner_state: optax.OptState
    step: jax.Array
    record: Any


def tracked(
    inner: optax.GradientTransformation,
    groups: GroupsLike = None,
    record: Recorder | None = None,
    every: int = 1,
) -> optax.GradientTransformationExtraArgs:
    """Wraps a transformation and records what its steps do to each norm group.

    The updates pass unchanged. The gradients measured are those that enter `inner`, so wrap the
    whole optimiser: then they are the gradients of the loss, before clipping and coupled decay,
    and the updates are the steps that the weights take.

    Works under jit, scan and vmap, and under `pmap` and `shard_map` with replicated parameters.
    For parameters sharded inside `shard_map` give the groups an `axis_name`.

    Args:
      inner: Any Optax transformation.
      groups: The norm groups, also `Symmetries` as `wdjax.symmetry.find` returns them; None for one
        per floating leaf. Groups may share leaves (a leaf by itself, and in the norm of the whole
        network). Leaves that are not floating-point have no norm and are left out.
      record: What to keep: `last()`, `ema(decay)`, `ring(length)` or another `Recorder`; None for
        `last()`.
      every: Steps 0, every, 2·every, ... are measured; at the others nothing is computed. (Where
        `vmap` batches the state itself, the choice becomes a selection, and all are computed.)

    Returns:
      A transformation whose state is a `TrackedState`; read it with `metrics` and `steps`.

    Raises:
      ValueError: `every` is not a whole number from 1 on, or `record` is no `Recorder`; at init, if
        a group does not fit the parameters or `inner` is `optax.MultiSteps` (put `tracked` inside
        of it); at update, if params are missing, of another structure
        than the updates, or an update in a group is None.

    Example:
      >>> tx = tracked(optax.sgd(0.1))
      >>> params = {"w": jnp.array([2.0, 0.0])}
      >>> _, state = tx.update({"w": jnp.array([0.0, 3.0])}, tx.init(params), params)
      >>> print(f"{metrics(state)['w'].angle:.4f}")
      0.1489
    """
    inner = optax.with_extra_args_support(inner)
    require_count("every", every)
    recorder = last() if record is None else _require_recorder(record)

    def init_fn(params: Params) -> TrackedState:
        if is_placeholder(params):
            # One leaf: the record is not shaped like parameters.
            return TrackedState(inner.init(params), 0, 0)  # pyright: ignore[reportArgumentType]
        resolved = resolve(groups, params)
        inner_state = _require_whole_steps(inner.init(params))
        of_weights = norms(resolved, extract(resolved, params))
        before = {name: _before_first_step(norm) for name, norm in of_weights.items()}
        return TrackedState(inner_state, jnp.zeros((), jnp.int32), recorder.init(before))

    def update_fn(
        updates: PyTree, state: PyTree, params: Params | None = None, **extra_args
    ) -> tuple[PyTree, TrackedState]:
        resolved, _, _ = operands("tracked", groups, updates, params)
        taken, inner_state = inner.update(updates, state.inner_state, params, **extra_args)

        def recorded() -> Any:
            w, g, change = (extract(resolved, tree) for tree in (params, updates, taken))
            return recorder.update(state.record, state.step, measure(resolved, w, g, change))

        new = recorded() if every == 1 else _if(state.step % every == 0, recorded, state.record)
        return taken, TrackedState(inner_state, jnp.asarray(optax.safe_increment(state.step)), new)

    return optax.GradientTransformationExtraArgs(init_fn, update_fn)


def _if(due: jax.Array, recorded: Callable[[], Any], record: Any) -> Any:
    if isinstance(due, Tracer):
        return jax.lax.cond(due, recorded, lambda: record)
    # Outside of jit a `cond` would be compiled anew at each step.
    return recorded() if due else record


def _require_whole_steps(inner_state: PyTree) -> PyTree:
    if isinstance(inner_state, optax.MultiStepsState):
        raise ValueError(
            "tracked was put around optax.MultiSteps, where most steps are zero and each gradient "
            "is that of a part of the batch; put it inside: optax.MultiSteps(tracked(tx), k)."
        )
    return inner_state


def _require_recorder(record: Recorder) -> Recorder:
    if not isinstance(record, Recorder):
        raise ValueError(
            f"record is {record!r}; expected a recorder: tracking.last(), tracking.ema(0.99), "
            "tracking.ring(256) or a tracking.Recorder."
        )
    return record


def _before_first_step(norm: jax.Array) -> Measures:
    # Each zero is an array of its own: a buffer can be donated only once.
    zeros = {field: jnp.zeros_like(norm) for field in Measures._fields}
    return Measures(**(zeros | {"norm": norm}))


def metrics(state: optax.OptState) -> dict[str, Measures]:
    """Returns what was recorded, per norm group, from anywhere in an optimiser state.

    That are the measures of the last step, or averages of the steps, or arrays with a leading axis
    of time, as `tracked` was told by `record`.

    Args:
      state: The state of an optimiser that contains `tracked` once, at any depth; also the
        `opt_state` of an `nnx.Optimizer`.

    Raises:
      ValueError: The state contains no `TrackedState`, or more than one.
    """
    return _record(state).measures


def steps(state: optax.OptState) -> jax.Array:
    """Returns the number of the step, or the numbers of the steps, that `metrics` returns.

    Steps count from 0, as Optax's schedules do. −1 stands for a step that was not recorded yet; an
    average has the number of the last step in it.

    Args:
      state: As for `metrics`.

    Returns:
      int32, a scalar, or of shape (length,) for a ring.

    Raises:
      ValueError: The state contains no `TrackedState`, or more than one.

    Example:
      >>> tx = tracked(optax.sgd(0.1), every=10)
      >>> print(steps(tx.init({"w": jnp.ones(2)})))
      -1
    """
    return _record(state).steps


def _record(state: optax.OptState) -> Record:
    found = [node for node in jax.tree.leaves(state, is_leaf=_is_tracked) if _is_tracked(node)]
    if len(found) != 1:
        raise ValueError(
            f"the optimiser state holds {len(found)} tracked transformations; expected one. Wrap "
            "the whole optimiser: wdjax.tracked(optax.chain(...))."
        )
    return jax.tree.map(_unwrapped, found[0].record, is_leaf=_is_no_container)


def _is_tracked(node: object) -> bool:
    return isinstance(node, TrackedState)


def _is_no_container(node: object) -> bool:
    return not isinstance(node, tuple | dict | list)


def _unwrapped(leaf: PyTree) -> jax.Array:
    """Returns the array inside a node of one leaf: `nnx.Optimizer` makes a Variable of each."""
    inside = jax.tree.leaves(leaf)
    return inside[0] if len(inside) == 1 else leaf
