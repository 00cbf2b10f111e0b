"""What the steps of an optimiser at zero gradient come to in the parameters' own dtypes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax.auditing.blackbox import BlackBox, Vectors
from wdjax.typing import PyTree

SHARE = 0.01
"""The share of entries from which on something is said."""

MOST_STEPS = 20_000
"""Steps in which a remainder that is kept has to show, which it does for rates above 4e-7 in
bfloat16."""


HALF = 0.5
"""Steps of this many units in the last place, or more, carry a decay that is far below them."""


class Rounding(NamedTuple):
    """What rounding does to one leaf.

    Attributes:
      stuck: Per sampled step the share of entries that stay as they are; zero where remainders are
        kept and add up to steps.
      doubtful: Whether it is not known if remainders are kept: the decay is too slow to tell.
    """

    stuck: np.ndarray
    doubtful: bool


def roundings(
    box: BlackBox, w: Vectors, counts: np.ndarray, removed: dict[str, np.ndarray]
) -> dict[str, Rounding]:
    """Says of leaves what rounding does to them.

    Entries that are zero have nothing to lose and are not counted. To be called under the settings
    of JAX that the training has: they decide the dtypes.

    Args:
      box: The optimiser.
      w: The weights in their own dtypes.
      counts: The sampled steps.
      removed: Per leaf and sampled step the fraction that a step at zero gradient removes; leaves
        that do not decay are left out.
    """
    w = {name: jnp.asarray(value) for name, value in w.items()}
    zero = jax.tree.map(jnp.zeros_like, w)
    state, done = box.init(w), 0
    shares = {name: np.zeros(len(counts)) for name in removed}
    fastest: dict[str, tuple[float, int, PyTree]] = {}
    for i, count in enumerate(counts):
        state, done = box.advance(state, count - done, zero, w), count
        updates, _ = box.step(state, zero, w)
        moved: Any = optax.apply_updates(w, updates)
        for name, rates in removed.items():
            shares[name][i] = _share(np.asarray(moved[name] == w[name]), np.asarray(w[name] != 0))
            rate = abs(float(rates[i]))
            if shares[name][i] >= SHARE and rate > fastest.get(name, (0.0,))[0]:
                fastest[name] = (rate, i, state)
    found = {name: Rounding(share, False) for name, share in shares.items()}
    for at in {i for _, i, _ in fastest.values()}:
        here = {name: now for name, (_, i, now) in fastest.items() if i == at}
        eps = {name: float(jnp.finfo(w[name].dtype).eps) for name in here}
        sums = {name: _sums(counts, removed[name], int(counts[at])) for name in here}
        # At one unit in the last place of any number, a remainder that is kept has shown.
        steps = max(int(np.searchsorted(sums[name], eps[name])) for name in here) + 1
        kept = _carried(box, next(iter(here.values())), w, zero, steps)
        for name in here:
            told = sums[name][-1] >= eps[name] / 2
            share = shares[name] * (not kept[name])
            found[name] = Rounding(share, not kept[name] and not told)
    return found


def steps_carry(step: float, w: np.ndarray, dtype: str) -> bool:
    """Says whether steps are large enough for a decay that is lost in rounding by itself.

    Step and decay are added before the sum is rounded. Steps that vary by half a unit in the last
    place, or more, dither it: on average the whole of the decay comes through.

    Args:
      step: Root-mean-square size of an entry's step.
      w: The weights; half of those that are not zero are to be carried.
      dtype: The name of their dtype.

    Example:
      >>> steps_carry(1e-3, np.full(3, 0.1), "bfloat16"), steps_carry(1e-5, np.ones(3), "bfloat16")
      (True, False)
    """
    sizes = np.abs(w[w != 0])
    if not sizes.size:
        return False
    octave = np.exp2(np.floor(np.log2(np.median(sizes))))
    return step >= HALF * float(jnp.finfo(dtype).eps) * float(octave)


def _sums(counts: np.ndarray, removed: np.ndarray, start: int) -> np.ndarray:
    """What the decay comes to after 1 to MOST_STEPS steps: between samples on straight lines."""
    along = np.arange(start, start + MOST_STEPS)
    return np.cumsum(np.interp(along, counts, np.abs(removed)))


def _carried(
    box: BlackBox, state: PyTree, w: Vectors, zero: Vectors, steps: int
) -> dict[str, bool]:
    """Whether lost remainders add up to steps, as where an optimiser keeps float32 copies.

    Where they do not, what stays in one step at zero gradient stays in all.
    """

    def follow(_: int, carry: tuple[Vectors, PyTree]) -> Any:
        updates, after = box.step(carry[1], zero, carry[0])
        return optax.apply_updates(carry[0], updates), after

    late: Any = jax.jit(lambda x, now: jax.lax.fori_loop(0, steps, follow, (x, now)))(w, state)[0]
    early: Any = follow(0, (w, state))[0]
    return {n: bool(np.mean(np.asarray((late[n] != w[n]) & (early[n] == w[n]))) > SHARE) for n in w}


def _share(stays: np.ndarray, counted: np.ndarray) -> float:
    return float(np.sum(stays & counted) / max(np.sum(counted), 1))
