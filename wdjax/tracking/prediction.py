"""What the theory predicts of each norm group, next to what was measured."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wdjax import trees
from wdjax.groups import Group, GroupsLike, resolve
from wdjax.theory.optimiser import Equilibrium, GradientStatistics
from wdjax.tracking.measures import Measures
from wdjax.typing import Params


class Quantities(NamedTuple):
    """What can be predicted of a norm group and measured; each has the shape of its norms.

    Attributes:
      norm: ‖w‖.
      angle: Root-mean-square angle per step, in radians.
      effective_lr: η/‖w‖², or η/‖w‖ where the size of the steps does not depend on the gradient's,
        as `wdjax.theory` has it.
    """

    norm: jax.Array
    angle: jax.Array
    effective_lr: jax.Array


class Comparison(NamedTuple):
    """What `predicted` returns; printed, it is a table.

    Attributes:
      predicted: Per group, what it settles to.
      measured: Per group, what was measured.
    """

    predicted: dict[str, Quantities]
    measured: dict[str, Quantities]

    @property
    def ratio(self) -> dict[str, Quantities]:
        """Measured over predicted; 1 where the theory holds."""
        return jax.tree.map(jnp.divide, self.measured, self.predicted)

    def __str__(self) -> str:
        """A line per group: measured / predicted, averaged over the indices of the group."""
        head = ["measured / predicted", *Quantities._fields]
        rows = [head, *([name, *self._cells(name)] for name in self.predicted)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    def _cells(self, name: str) -> list[str]:
        pairs = zip(self.measured[name], self.predicted[name], strict=True)
        return [f"{np.mean(found):.4g} / {np.mean(expected):.4g}" for found, expected in pairs]


def predicted(
    equilibrium: Equilibrium,
    measures: dict[str, Measures],
    params: Params,
    groups: GroupsLike = None,
) -> Comparison:
    """Sets what an optimiser's theory predicts beside what was measured of each norm group.

    The theory is told the gradient moment G = E(‖w‖²‖g‖²) that was measured, and the size and rank
    of each group. No constant is fitted. The predictions are for groups whose scale the loss does
    not see, in equilibrium under the learning rate given. The angle depends on neither the
    gradients' size nor, under SGD, on their noise; the norm and the effective learning rate take
    gradients without memory, and a G that does not change within the relaxation time.

    Args:
      equilibrium: The theory of the optimiser, such as `wdjax.theory.sgd(lr, weight_decay)`.
      measures: From `metrics`: averages over many steps, as recorded by `ema`, or averaged by
        `average` from a `ring`. Those of a single step fluctuate.
      params: The parameters, or `jax.ShapeDtypeStruct`s in their place.
      groups: The norm groups to compare, such as `Symmetries`; None for one per floating leaf. Each
        must be among those that were measured.

    Raises:
      ValueError: A group was not measured, or its measures have another shape than its norms, as
        those of a ring that are not averaged.

    Example:
      >>> from wdjax import theory, tracking, transforms
      >>> tx = transforms.sgd_l2(0.1, weight_decay=5e-3)
      >>> tx = tracking.tracked(tx, record=tracking.ema(0.99))
      >>> params = {"w": jnp.ones((8, 4))}
      >>> state = tx.init(params)
      >>> for gradient in jax.random.normal(jax.random.key(0), (9, 8, 4)):
      ...     updates, state = tx.update({"w": gradient}, state, params)
      >>> found = predicted(theory.sgd(0.1, 5e-3), tracking.metrics(state), params)
      >>> print(f"{found.predicted['w'].angle:.4f}")
      0.0316
    """
    resolved = resolve(groups, params)
    leaves = trees.named_leaves(params)
    for group in resolved:
        _require_measured(group, measures, leaves)
    theory = {g.name: _statistics(g, measures[g.name], leaves) for g in resolved}
    return Comparison(
        {name: _predicted_one(equilibrium, known) for name, known in theory.items()},
        {n: _measured_one(equilibrium, known, measures[n]) for n, known in theory.items()},
    )


def _predicted_one(equilibrium: Equilibrium, known: GradientStatistics) -> Quantities:
    norm = equilibrium.norm(**known)
    like = jnp.zeros_like(norm)
    return Quantities(
        norm=norm,
        angle=like + equilibrium.angle,
        effective_lr=like + equilibrium.effective_lr(**known),
    )


def _measured_one(
    equilibrium: Equilibrium, known: GradientStatistics, measures: Measures
) -> Quantities:
    # A step goes as ‖w‖^(−p), so that its share of the weight is η/‖w‖^(1+p).
    power = 1 + jnp.asarray(equilibrium.balance(**known).growth_power)
    effective_lr = jnp.asarray(equilibrium.learning_rate) / measures.norm**power
    return Quantities(measures.norm, measures.angle, effective_lr)


def _statistics(
    group: Group, measures: Measures, leaves: dict[str, jax.Array]
) -> GradientStatistics:
    shapes = [_normed_shape(leaves[member.leaf], member.axes) for member in group.members]
    return GradientStatistics(
        gradient_moment=measures.effective_gradient_norm**2,
        size=sum(map(math.prod, shapes)),
        rank=sum(map(_rank, shapes)),
    )


def _rank(shape: tuple[int, ...]) -> int:
    """The rank of the matrix (all other axes, last axis), as Flax orders those of a kernel."""
    return min(math.prod(shape[:-1]), math.prod(shape[-1:]))


def _normed_shape(leaf: jax.Array, kept: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what one norm is taken over."""
    return tuple(size for axis, size in enumerate(trees.shape(leaf)) if axis not in kept)


def _require_measured(
    group: Group, measures: dict[str, Measures], leaves: dict[str, jax.Array]
) -> None:
    if group.name not in measures:
        raise ValueError(
            f"norm group {group.name!r} was not measured; what was: "
            f"{', '.join(sorted(measures)) or '(nothing)'}. Give `predicted` groups that `tracked` "
            "was given too."
        )
    member = group.members[0]
    shape = trees.shape(leaves[member.leaf])
    expected, given = (
        tuple(shape[axis] for axis in member.axes),
        jnp.shape(measures[group.name].norm),
    )
    if given != expected:
        raise ValueError(
            f"the measures of norm group {group.name!r} have shape {given}, and its norms "
            f"{expected}. Average over time first: tracking.average(metrics(state), "
            "where=tracking.steps(state) >= 0)."
        )
