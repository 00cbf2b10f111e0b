"""What any Optax optimiser does to weights, found by calling it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax import trees
from wdjax.auditing.blackbox import BlackBox, Vectors, black_box, micro_step, require_working
from wdjax.auditing.course import along_the_schedule
from wdjax.auditing.observations import Materials
from wdjax.auditing.report import LeafDecay, Probe
from wdjax.auditing.rounding import Rounding, roundings
from wdjax.typing import Params

SAMPLES = 9
MOST_MICRO_STEPS = 10_000


def probe(
    tx: optax.GradientTransformation | optax.MultiSteps,
    params: Params,
    *,
    steps: int | Sequence[int] = 1000,
    micro_steps: int | None = None,
    **extra_args: Any,
) -> Probe:
    """Says what an optimiser does to each leaf beside following the gradient, and how fast.

    It calls `tx.init` and `tx.update` only, so it tells what the optimiser does and not what it is
    called (of the state it reads one thing, the counters of gradient accumulation): decoupled decay
    w ← w − ρ_t w with its rate ρ_t, L2 or L1 coupled into the gradient g ← g + s d(w) with its
    strength s, both at once, cautious decay, decay toward the initial weights or an average, steps
    on a sphere, or none of these. At a sampled step t it takes the optimiser's state after t steps
    with zero gradients and zero weights, and from there
    * ρ from the updates at zero gradient, at four weights, and with two gradients;
    * s as the a at which a gradient −a d(w) cancels the weights, by halving, for all entries and
      for two sets of weights: that works through any rule that is odd in its gradient;
    * a sphere from ‖w + u‖ = ‖w‖ at random gradients.

    What happens between sampled steps alone, as a decay every tenth step, may not be seen. Values
    are random, of the size of `params`, and float64 (but for what the optimiser itself rounds);
    `stuck` alone comes from the values and dtypes of `params` themselves. A probe takes two or
    three times `steps` updates to advance the schedules, up to some hundred more per sampled step,
    and up to 20,000 where rounding stops a slow decay, to see if remainders are kept. It holds some
    thirty copies of the parameters in float64: of a large model probe a small one of the same kind.

    Args:
      tx: Any Optax transformation whose updates are added to the weights, or `optax.MultiSteps`.
      params: The parameters: arrays, or `jax.ShapeDtypeStruct`.
      steps: The number of training steps (9 of them are sampled), or the steps to sample.
      micro_steps: Calls of `update` per training step, for gradient accumulation; None to have
        it found where `optax.MultiSteps` or `optax.apply_every` stands anywhere in `tx`, else 1.
      **extra_args: What `tx.update` needs besides, such as `value=1.0`.

    Returns:
      A `Probe`, with a `LeafDecay` per floating-point leaf.

    Raises:
      ValueError: `tx` is no optimiser; no sampled step, a negative one or one that is no int;
        `micro_steps` below 1 or no whole number of accumulations; parameters without a
        floating-point leaf or with a complex one, an optimiser whose update fails (with what it
        said) or whose state changes its structure.

    Example:
      >>> params = {"kernel": jnp.ones((2, 3)), "bias": jnp.zeros(3)}
      >>> tx = optax.adamw(1e-3, weight_decay=0.1, mask={"kernel": True, "bias": False})
      >>> print(probe(tx, params, steps=10))
      bias    no decay
      kernel  removes the fraction 0.0001 per step
      >>> tx = optax.chain(optax.add_decayed_weights(5e-4), optax.adam(1e-3))
      >>> print(f'{probe(tx, params, steps=10)["kernel"].strengths[0]:.9f}')
      0.000500000
    """
    _require_optimiser(tx)
    counts = _counts(steps)
    floating = _floating(params)
    _require_micro_steps(micro_steps)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        given = _materials(floating, rng)
        box = box_of_training(tx, params, micro_steps, extra_args, given.weights)
        leaves = along_the_schedule(box, given, counts, rng)
    own = _own_values(floating, given.weights)
    rounded = {}
    removed = {n: v.removed for n, v in leaves.items() if v.decays and own[n].dtype != np.float64}
    if removed:
        box = box_of_training(tx, params, micro_steps, extra_args, own)
        rounded = roundings(box, own, counts, removed)
    return Probe({n: _with_rounding(v, own[n], rounded.get(n)) for n, v in leaves.items()}, counts)


def box_of_training(
    tx: optax.GradientTransformation | optax.MultiSteps,
    params: Params,
    micro_steps: int | None,
    extra_args: dict[str, Any],
    w: Vectors,
) -> BlackBox:
    """Wraps an optimiser for whole training steps, with gradient accumulation counted.

    Raises:
      ValueError: It fails at the weights w, or never completes an accumulation.
    """
    concrete = _concrete(params)
    tx = tx.gradient_transformation() if isinstance(tx, optax.MultiSteps) else tx
    once = black_box(tx, concrete, 1, extra_args)
    require_working(once, w)
    cycle = _cycle(once, w)
    if micro_steps is not None and micro_steps % cycle:
        raise ValueError(
            f"micro_steps is {micro_steps}, but after so many calls the gradient accumulation is "
            f"not complete: the number of micro-steps is another one, {cycle}. Leave "
            "micro_steps out to have it found."
        )
    return (
        once if (calls := micro_steps or cycle) == 1 else black_box(tx, concrete, calls, extra_args)
    )


def _counts(steps: int | Sequence[int]) -> np.ndarray:
    """The sampled steps, in order."""
    if isinstance(steps, int | np.integer) and not isinstance(steps, bool) and steps >= 1:
        return np.unique(np.round(np.linspace(0, steps - 1, SAMPLES)).astype(int))
    listed = isinstance(steps, Sequence | np.ndarray) and not isinstance(steps, str | bytes)
    counts = np.asarray(steps) if listed else np.zeros(0)
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or not len(counts) or counts.min() < 0:
        raise ValueError(
            f"steps is {steps!r}; expected a number of training steps, an int of 1 or more, or the "
            "steps to sample, ints of which none is negative."
        )
    return np.unique(counts.astype(int))


def _floating(params: Params) -> dict[str, Any]:
    """The leaves that can decay."""
    leaves = trees.named_leaves(params)
    for name, leaf in leaves.items():
        if jnp.issubdtype(trees.dtype(leaf), jnp.complexfloating):
            raise ValueError(
                f"leaf {name!r} is complex; expected real leaves. Probe the optimiser on its real "
                "and imaginary parts, as optax.contrib.split_real_and_imaginary has them."
            )
    floating = {n: v for n, v in leaves.items() if trees.is_floating(v) and np.prod(trees.shape(v))}
    if not floating:
        raise ValueError(
            f"the parameters have no floating-point leaf: {', '.join(leaves) or '(no leaf)'}. "
            "Give the tree of weights that the optimiser is to update."
        )
    return floating


def _require_micro_steps(given: int | None) -> None:
    whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
    if given is not None and not (whole and given >= 1):
        raise ValueError(
            f"micro_steps is {given!r}; expected an int, 1 or more calls per training step."
        )


def _require_optimiser(tx: Any) -> None:
    if isinstance(tx, type) or not (hasattr(tx, "init") and hasattr(tx, "update")):
        call = ", and call it first, as in optax.adam(1e-3)" if callable(tx) else ""
        raise ValueError(
            f"tx is {tx!r}, which has no init and update; expected an optax.GradientTransformation "
            f"or an optax.MultiSteps. Give the optimiser itself{call}."
        )


def _cycle(box: BlackBox, w: Vectors) -> int:
    """The calls of `update` until gradient accumulations have a step complete; 1 without any."""
    zero = {name: np.zeros_like(value) for name, value in w.items()}
    state = box.init(w)
    for count in range(1, MOST_MICRO_STEPS + 1):
        state = box.step(state, zero, w)[1]
        if micro_step(state) == 0:
            return count
    raise ValueError(
        f"after {MOST_MICRO_STEPS} calls of update the gradient accumulation in the optimiser has "
        "not completed a step. Probe the inner optimiser, or one that accumulates less."
    )


def _concrete(params: Params) -> Params:
    """Puts zeros in the place of `jax.ShapeDtypeStruct`."""

    def value(leaf: Any) -> Any:
        abstract = isinstance(leaf, jax.ShapeDtypeStruct)
        return jnp.zeros(leaf.shape, leaf.dtype) if abstract else leaf

    return jax.tree.map(value, params)


def _materials(floating: dict[str, Any], rng: np.random.Generator) -> Materials:
    sizes = {name: _size(leaf) for name, leaf in floating.items()}

    def normal(factor: float = 1.0) -> Vectors:
        return {
            name: factor * size * np.asarray(rng.normal(size=trees.shape(floating[name])))
            for name, size in sizes.items()
        }

    zero = {name: np.zeros(trees.shape(leaf)) for name, leaf in floating.items()}
    return Materials(normal(), normal(1.7), normal(), normal(1.3), zero)


def _size(leaf: Any) -> float:
    """The root mean square of a leaf's entries; 1 if it has no values or they are zero."""
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return 1.0
    size = float(np.sqrt(np.mean(np.asarray(leaf, float) ** 2)))
    return size if size > 0 and np.isfinite(size) else 1.0


def _own_values(floating: dict[str, Any], drawn: Vectors) -> Vectors:
    """The leaves themselves; random values where they are abstract or zero."""

    def own(name: str, leaf: Any) -> jax.Array:
        dtype = jax.dtypes.canonicalize_dtype(trees.dtype(leaf))
        abstract = isinstance(leaf, jax.ShapeDtypeStruct) or not np.any(np.asarray(leaf))
        return jnp.asarray(drawn[name] if abstract else leaf, dtype)

    return {name: own(name, leaf) for name, leaf in floating.items()}


def _with_rounding(leaf: LeafDecay, own: jax.Array, rounding: Rounding | None) -> LeafDecay:
    shares = 0.0 if rounding is None else rounding.stuck
    stuck = np.where(leaf.decays & (leaf.removed != 0), shares, 0.0)
    doubtful = rounding is not None and rounding.doubtful
    return dataclasses.replace(leaf, dtype=str(own.dtype), stuck=stuck, doubtful=doubtful)
