"""What decay takes from a norm against what steps add to it: the law behind each equilibrium."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def left_of_growth(time: ArrayLike) -> jax.Array:
    """(1 − e^(−x))/x: the share of steady growth that decay leaves over x times its own time.

    Example:
      >>> print(f"{left_of_growth(0.0):.1f}, {left_of_growth(2.0):.4f}")
      1.0, 0.4323
    """
    x = jnp.asarray(time, float)
    # Near zero by its series, which has a derivative there.
    near = jnp.abs(x) < 1e-4
    apart = jnp.where(near, 1.0, x)
    return jnp.where(near, 1 - x / 2 + x**2 / 6, -jnp.expm1(-apart) / apart)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("drag", "growth", "drag_power", "growth_power"),
    meta_fields=(),
)
@dataclasses.dataclass(frozen=True)
class Balance:
    """The law of the squared norm W = ‖w‖² of a scale-invariant group, seen over many steps.

        dW/dt = −2 a W^(1+q) + b W^(−p)        t in steps

    Steps that are orthogonal to w in the mean add b W^(−p) to W; decay takes the fraction a W^q of
    w. With gradients ∝ 1/‖w‖ that enter linearly, as in SGD, p = 1 and q = 0; where the size of a
    step does not depend on the gradient's, as in AdamW, Lion and Muon, p = q = 0; Adam with L2 in
    its gradient divides the decay by the gradient's size too, p = 0 and q = 1/2.

    Attributes:
      drag: a, the fraction of w that decay removes per step in the long run, over W^q.
      growth: b, what W gains per step in the long run, times W^p: E‖Δw‖² summed over all lags of
        the steps' autocorrelation.
      drag_power: q ≥ 0.
      growth_power: p ≥ 0.

    All fields may be arrays that broadcast.

    Source: p = 1, q = 0: van Laarhoven, arXiv:1706.05350; p = q = 0: Kosson et al.,
    arXiv:2305.17212. Leading order in a W^q, and in changes within the memory of the steps.

    Example:
      >>> lr, decay, moment = 0.1, 0.05, 4.0
      >>> sgd = Balance(drag=lr * decay, growth=lr**2 * moment, growth_power=1.0)
      >>> print(f"‖w‖² = {sgd.squared_norm:.3f}, reached as exp(−t/{sgd.relaxation_steps:.0f})")
      ‖w‖² = 2.000, reached as exp(−t/50)
    """

    drag: ArrayLike
    growth: ArrayLike
    drag_power: ArrayLike = 0.0
    growth_power: ArrayLike = 0.0

    @property
    def order(self) -> jax.Array:
        """1 + p + q: the power of W that decay and growth settle."""
        return 1.0 + jnp.asarray(self.growth_power) + jnp.asarray(self.drag_power)

    @property
    def squared_norm(self) -> jax.Array:
        """W at equilibrium, (b/(2a))^(1/(1+p+q)); infinite without decay."""
        return (jnp.asarray(self.growth) / (2 * jnp.asarray(self.drag))) ** (1 / self.order)

    @property
    def norm(self) -> jax.Array:
        """‖w‖ at equilibrium, √W."""
        return jnp.sqrt(self.squared_norm)

    @property
    def relaxation_steps(self) -> jax.Array:
        """Steps in which a small deviation from equilibrium falls by 1/e: 1/(2a W^q (1+p+q))."""
        drag = jnp.asarray(self.drag) * self._power(self.squared_norm)
        return 1 / (2 * drag * self.order)

    def step(self, squared_norm: ArrayLike) -> jax.Array:
        """W after one step, with the fraction a W^q held within it.

        Then W^(1+p) obeys a linear equation, which is solved exactly: for q = 0 the course over
        any number of steps is that of the differential equation.
        """
        w = jnp.asarray(squared_norm)
        order = 1.0 + jnp.asarray(self.growth_power)
        drag = jnp.asarray(self.drag) * self._power(w)
        time = 2 * order * drag
        grown = order * self.growth * left_of_growth(time)
        return (w**order * jnp.exp(-time) + grown) ** (1 / order)

    def course(self, norm: ArrayLike, steps: int | None = None) -> jax.Array:
        """‖w‖ after each step, from ‖w‖ = `norm` before the first.

        Args:
          norm: ‖w‖ at the start.
          steps: Number of steps, with the numbers of this balance held; None if their leading axis
            is time, as where the learning rate is an array over the steps.

        Returns:
          ‖w‖ after step 1, 2, ..., along a leading axis.

        Raises:
          ValueError: No number has a time axis and `steps` is None.
        """
        fields = jnp.broadcast_arrays(
            *map(jnp.asarray, (self.drag, self.growth, self.drag_power, self.growth_power))
        )
        if steps is None and fields[0].ndim == 0:
            raise ValueError(
                "the balance is the same at all times: say over how many steps, course(norm, "
                "steps=...), or make it of a learning rate that is an array over the steps."
            )
        if steps is not None:
            fields = [jnp.broadcast_to(field, (steps, *field.shape)) for field in fields]

        def advance(w: jax.Array, now: list[jax.Array]) -> tuple[jax.Array, jax.Array]:
            w = jnp.broadcast_to(Balance(*now).step(w), w.shape)
            return w, w

        shape = jnp.broadcast_shapes(jnp.shape(norm), fields[0].shape[1:])
        dtype = jnp.result_type(norm, *fields, float)
        start = jnp.broadcast_to(jnp.asarray(norm, dtype) ** 2, shape)
        _, squares = jax.lax.scan(advance, start, [field.astype(dtype) for field in fields])
        return jnp.sqrt(squares)

    def _power(self, squared_norm: jax.Array) -> jax.Array:
        return squared_norm ** jnp.asarray(self.drag_power)
