"""Averages of measures over steps: of their squares, and of what they are quotients of."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from wdjax import trees
from wdjax.tracking.measures import Measures, removed


class Moments(NamedTuple):
    """What is averaged of a step; `Measures` has the notation.

    Attributes:
      norm: ‖w‖².
      gradient_norm: ‖g‖².
      cosine: cos²(w, g).
      update_norm: ‖Δw‖².
      angle: Its square.
      turn: ‖Δw_⊥‖²/‖w‖², the squared tangent of the angle to leading order.
      with_update: ⟨w, Δw⟩.
      added: ‖Δw_⊥‖².
      removed: ‖w‖² − (‖w‖ + r)².
      effective_gradient: ‖w‖²‖g_⊥‖², whose mean is the gradient moment G of `wdjax.theory`.
    """

    norm: jax.Array
    gradient_norm: jax.Array
    cosine: jax.Array
    update_norm: jax.Array
    angle: jax.Array
    turn: jax.Array
    with_update: jax.Array
    added: jax.Array
    removed: jax.Array
    effective_gradient: jax.Array


def moments(step: Measures) -> Moments:
    """Returns the moments of one step."""
    return Moments(
        norm=step.norm**2,
        gradient_norm=step.gradient_norm**2,
        cosine=step.cosine**2,
        update_norm=step.update_norm**2,
        angle=step.angle**2,
        turn=trees.safe_divide(step.tangential_update, step.norm) ** 2,
        with_update=step.norm * step.radial_update,
        added=step.tangential_update**2,
        removed=removed(step.norm, step.radial_update),
        effective_gradient=step.effective_gradient_norm**2,
    )


def measures_of(mean: Moments) -> Measures:
    """Returns the measures that belong to averaged moments, as `average` describes."""
    norm = trees.safe_sqrt(mean.norm)
    effective_gradient = trees.safe_sqrt(mean.effective_gradient)
    return Measures(
        norm=norm,
        gradient_norm=trees.safe_sqrt(mean.gradient_norm),
        cosine=trees.safe_sqrt(mean.cosine),
        update_norm=trees.safe_sqrt(mean.update_norm),
        angle=trees.safe_sqrt(mean.angle),
        effective_lr=trees.safe_divide(trees.safe_sqrt(mean.turn), effective_gradient),
        radial_update=trees.safe_divide(mean.with_update, norm),
        tangential_update=trees.safe_sqrt(mean.added),
        effective_gradient_norm=effective_gradient,
        balance=trees.safe_divide(mean.removed, mean.added),
    )


def average(measures: dict[str, Measures], where: ArrayLike | None = None) -> dict[str, Measures]:
    """Averages measures over their leading axis, which is time.

    The theory is about second moments, so squares are averaged and quotients are formed last, with
    E the mean over the steps:

    * norms, the angle and the cosine: root mean squares. The cosine loses its sign: the mean would
      be near zero wherever the gradient's radial part is noise, and hide it;
    * radial_update: E⟨w, Δw⟩ / √E‖w‖², with its sign;
    * effective_lr: √(E(‖Δw_⊥‖²/‖w‖²) / E(‖w‖²‖g_⊥‖²)), so that steps with hardly any gradient,
      whose own quotient is anything, count for hardly anything;
    * balance: E removed / E added. Over any stretch of steps E added − E removed is exactly the
      mean change of ‖w‖² per step, which a mean of quotients knows nothing of.

    Args:
      measures: Per group, measures whose arrays have a leading axis of time, as a `lax.scan` stacks
        them and as `metrics` returns them from `ring`.
      where: Shape (time,), bool: the steps that count; None for all. A ring that is not full yet
        has rows of zeros: leave them out by `steps(state) >= 0`. Where it is nowhere true all
        measures are zero.

    Returns:
      Per group, measures without that axis.

    Raises:
      ValueError: The measures have no axis of time, or `where` has another shape than it.

    Example:
      >>> steps = Measures(*(jnp.array([3.0, 4.0]) for _ in Measures._fields))
      >>> print(f"{average({'w': steps})['w'].norm:.3f}")  # √((9 + 16) / 2)
      3.536
    """
    return {name: _average_one(name, of_group, where) for name, of_group in measures.items()}


def _average_one(name: str, measures: Measures, where: ArrayLike | None) -> Measures:
    shape = jnp.shape(measures.norm)
    if not shape:
        raise ValueError(
            f"the measures of {name!r} are single numbers; expected arrays with a leading axis of "
            "time, as of metrics recorded by tracking.ring(...) or stacked by a scan."
        )
    counted = jnp.ones(shape[0], bool) if where is None else jnp.asarray(where, bool)
    if counted.shape != shape[:1]:
        raise ValueError(
            f"where has shape {counted.shape}, and the measures of {name!r} are of {shape[0]} "
            f"steps; expected the shape {shape[:1]}."
        )
    inside = jnp.expand_dims(counted, tuple(range(1, len(shape))))

    def mean(values: jax.Array) -> jax.Array:
        total = jnp.sum(jnp.where(inside, values, jnp.zeros_like(values)), axis=0)
        return trees.safe_divide(total, jnp.sum(counted).astype(values.dtype))

    return measures_of(jax.tree.map(mean, moments(measures)))
