"""How ‖w‖ gets to its equilibrium under constant settings, in closed form.

Under a schedule `Balance.course` takes the differential equation step by step.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from wdjax.scalars import require_rate
from wdjax.theory.balance import Balance, left_of_growth


def norm_after(balance: Balance, norm: ArrayLike, steps: ArrayLike) -> jax.Array:
    """‖w‖ after t steps of constant settings, from ‖w‖ = `norm` before the first.

    With W = ‖w‖², and a, b and p of the balance (q = 0):

        W(t)^(1+p) = e^(−2(1+p)a t) W(0)^(1+p) + (1 − e^(−2(1+p)a t)) b/(2a)

    which without decay is W(0)^(1+p) + (1+p) b t: ‖w‖⁴ grows linearly under SGD, ‖w‖² under
    optimisers with normalised steps.

    Args:
      balance: The law of ‖w‖², with `drag_power` 0.
      norm: ‖w‖ before the first step.
      steps: t ≥ 0. All arguments broadcast, so that an array of steps gives a curve.

    Raises:
      ValueError: `norm` or t is NaN, infinite or negative, or the balance has a drag power, for
        which there is no closed form: take `balance.course`.

    Source: van Laarhoven, arXiv:1706.05350, as the solution of the differential equation.

    Example:
      >>> law = Balance(drag=5e-3, growth=0.04, growth_power=1.0)
      >>> norms = norm_after(law, 4.0, steps=jnp.array([0, 50, 1000]))
      >>> print([f"{norm:.3f}" for norm in norms])
      ['4.000', '3.136', '1.414']
    """
    require_rate("norm", norm)
    require_rate("steps", steps)
    if not isinstance(balance.drag_power, Tracer) and np.any(np.asarray(balance.drag_power) > 0):
        raise ValueError(
            f"the drag goes with a power {balance.drag_power} of ‖w‖², for which there is no "
            "closed form: take balance.course(norm, steps)."
        )
    order = balance.order
    time = 2 * order * jnp.asarray(balance.drag) * jnp.asarray(steps)
    start = jnp.asarray(norm) ** (2 * order) * jnp.exp(-time)
    grown = order * jnp.asarray(balance.growth) * jnp.asarray(steps) * left_of_growth(time)
    return (start + grown) ** (1 / (2 * order))
