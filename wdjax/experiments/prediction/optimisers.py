"""The optimisers of the prediction experiment, each with its theory."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.typing import ArrayLike

from wdjax import theory, transforms
from wdjax.theory.optimiser import Equilibrium
from wdjax.typing import Params, PyTree

MOMENTUM, B1, B2, LION_B2, MUON_MOMENTUM = 0.9, 0.9, 0.999, 0.95, 0.95

Shape = tuple[int, ...]


class Method(NamedTuple):
    """One optimiser.

    Attributes:
      learning_rate: η, at the peak of a schedule. It sets the size of the weights and, at a given
        rate of decay, nothing else: chosen so that they settle near the size that they start with.
      memory: 1 − μ where decay passes through a buffer without dampening, so that it acts 1/(1−μ)
        times; 1 elsewhere.
      make: (η, λ) to the transformation.
      predict: (η, λ, shape of the kernel) to what theory says; η may be an array.
      follow: From (η of each step, λ, ‖w‖, and the statistics of the gradients) to ‖w‖ after each
        step of a run from its start, where theory knows better than the balance; else None.
    """

    learning_rate: float
    memory: float
    make: Callable[[ArrayLike, float], optax.GradientTransformation]
    predict: Callable[[ArrayLike, float, Shape], Equilibrium]
    follow: Callable[..., jax.Array] | None = None

    def weight_decay(self, rate: float) -> float:
        """λ with which the fraction `rate` of a weight is removed per step in the long run."""
        return rate * self.memory / self.learning_rate


def matrix_shape(shape: Shape) -> tuple[int, int]:
    """Returns (in, out) of a kernel as Muon takes it: all axes but the last, and the last."""
    return math.prod(shape[:-1]), shape[-1]


def _sgd(momentum: float, nesterov: bool = False, learning_rate: float = 0.3) -> Method:
    buffer = momentum or None
    return Method(
        learning_rate,
        1 - momentum,
        lambda lr, decay: transforms.sgd_l2(jnp.asarray(lr), decay, buffer, nesterov=nesterov),
        lambda lr, decay, _: theory.sgd(lr, decay, momentum, nesterov=nesterov),
    )


def _muon(lr: ArrayLike, decay: float) -> optax.GradientTransformation:
    return optax.contrib.muon(
        jnp.asarray(lr),
        beta=MUON_MOMENTUM,
        weight_decay=decay,
        muon_weight_dimension_numbers=_as_matrices,
    )


def _as_matrices(params: Params) -> PyTree:
    def of(leaf: jax.Array) -> optax.contrib.MuonDimensionNumbers:
        return optax.contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), (leaf.ndim - 1,))

    return jax.tree.map(of, params)


def _muon_theory(lr: ArrayLike, decay: float, shape: Shape) -> Equilibrium:
    fan_in, fan_out = matrix_shape(shape)
    small, large = sorted((fan_in, fan_out))
    return theory.muon(
        lr,
        decay,
        MUON_MOMENTUM,
        aspect=large / small,
        scale=max(1.0, fan_out / fan_in) ** 0.5,
        response=theory.polar.newton_schulz(small),
    )


def _adamw_course(
    lr: jax.Array, decay: float, norm: ArrayLike, *, size: float, gradient_moment: ArrayLike
) -> jax.Array:
    """With the memory of v, which takes 1/(1−β₂) steps to follow ‖w‖."""
    return theory.adam_course(
        lr, lr * decay, B1, B2, size=size, norm=norm, gradient_moment=gradient_moment
    ).norm


METHODS = {
    "SGD": _sgd(0.0, learning_rate=3.0),
    "heavy-ball": _sgd(MOMENTUM),
    "Nesterov": _sgd(MOMENTUM, nesterov=True),
    "AdamW": Method(
        0.01,
        1.0,
        lambda lr, decay: transforms.adamw(jnp.asarray(lr), B1, B2, 1e-15, weight_decay=decay),
        lambda lr, decay, _: theory.adamw(lr, decay, B1),
        _adamw_course,
    ),
    "Lion": Method(
        0.002,
        1.0,
        lambda lr, decay: optax.lion(lr, B1, LION_B2, weight_decay=decay),
        lambda lr, decay, _: theory.lion(lr, decay, B1, LION_B2),
    ),
    "Muon": Method(0.015, 1.0, _muon, _muon_theory),
}
