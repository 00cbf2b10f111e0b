"""The audit of a training set-up: loss, parameters, batch, optimiser and the length of the run."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wdjax import trees
from wdjax.auditing.evidence import Evidence
from wdjax.auditing.linter import find_penalties, lint
from wdjax.auditing.probe import probe
from wdjax.auditing.report import Probe
from wdjax.auditing.response import motions
from wdjax.auditing.result import Audit
from wdjax.auditing.roles import parts
from wdjax.auditing.shrinking import shrunk
from wdjax.auditing.verdicts import verdicts
from wdjax.symmetry.proof import find
from wdjax.symmetry.symmetries import Symmetries
from wdjax.typing import Loss, Params

ENTRIES = 200_000
"""Of larger trees the probe is given the corners of the leaves."""


class Setup(NamedTuple):
    """A training set-up, as a function may return it for `wdjax audit module:function`.

    Attributes:
      loss: The loss.
      params: The parameters.
      batch: What else the loss takes.
      tx: The optimiser.
      steps: How many training steps will be run.
    """

    loss: Loss
    params: Params
    batch: Any
    tx: optax.GradientTransformation | optax.MultiSteps
    steps: int


def audit(
    loss: Loss,
    params: Params,
    batch: Any,
    tx: optax.GradientTransformation | optax.MultiSteps,
    *,
    steps: int,
) -> Audit:
    """Says of a training set-up what its weight decay does to which weights, and what is wrong.

    It proves from the loss which weights it does not see the scale of (`symmetry.find`), asks the
    optimiser what it does to weights (`probe`) and how it steps on noise, and puts both into the
    theory: for each norm group, whether the decay is a regulariser, a control of the learning rate,
    a balancer between weights or nothing; the norm and the angle per step that it settles to, and
    in how many steps; the effective learning rate now and then. L2 penalties that are part of the
    loss are taken out of it and count as decay. A linter then looks for faults.

    Numbers are for the gradients of this batch at these parameters: G = ‖w‖²‖g‖² changes while a
    network learns, the angle at equilibrium does not depend on it for most optimisers. They are
    for gradients without memory, and for the largest learning rate of the schedule. Parameters of
    a few steps of training give a better G than those of `init`.

    Args:
      loss: A pure function `loss(params, *batch) -> scalar`, or `-> (scalar, anything)`.
      params: The parameters, as arrays.
      batch: What else the loss takes: a plain tuple holds several arguments (a single argument
        that is a tuple itself is given as `(it,)`), anything else is one. The batch of a whole
        training step, where gradients are accumulated.
      tx: The optimiser that is to train them: any Optax transformation, or `optax.MultiSteps`.
      steps: How many training steps will be run.

    Returns:
      An `Audit`: print it, or read its `verdicts` and `findings`.

    Raises:
      ValueError: The loss is no floating-point scalar or cannot be traced, its value or gradient
        is not finite; the parameters hold something else than arrays, or no floating-point one; the
        batch holds shapes without values; `tx` is no optimiser, fails, needs more than gradients
        and params, or makes steps that are not finite; `steps` is no int of 1 or more.

    Example:
      >>> def loss(params, x):
      ...     y = x @ params["kernel"]
      ...     y = y / jnp.sqrt(jnp.mean(y**2, -1, keepdims=True))
      ...     return jnp.mean((y @ params["head"] - 1) ** 2)
      >>> kernel, x = jax.random.normal(jax.random.key(0), (2, 16, 16))
      >>> params = {"kernel": kernel, "head": x[0] / 4}
      >>> tx = optax.adamw(3e-4, weight_decay=0.1)
      >>> found = audit(loss, params, x, tx, steps=20_000)
      >>> found["kernel"].role, found["head"].role
      ('learning_rate', 'regulariser')
      >>> print(f"turns by {found['kernel'].angle:.4f} rad per step")
      turns by 0.0018 rad per step
    """
    _require_steps(steps)
    _require_arrays(params)
    args = batch if type(batch) is tuple else (batch,)
    _require_values(args)
    leaves = _values(params)
    symmetries = find(loss, params, *args)
    gradients = _gradients(loss, params, args)
    seen = _probed(tx, params, steps)
    penalties = find_penalties(loss, params, args)
    case = _Case(tx, symmetries, gradients, seen)
    if penalties.strengths:
        decaying = _with_l2(penalties.strengths, tx)
        case = _Case(
            decaying,
            find(penalties.loss, params, *args),
            _gradients(penalties.loss, params, args),
            _probed(decaying, params, steps),
        )
    moving = motions(case.tx, params, case.gradients, steps, case.symmetries.invariant)
    found = parts(case.symmetries, leaves)
    evidence = Evidence(
        loss=loss,
        params=params,
        args=args,
        steps=steps,
        symmetries=symmetries,
        probe=seen,
        gradients=gradients,
        responses={name: motion.response for name, motion in moving.items()},
        verdicts=verdicts(found, leaves, case.gradients, case.probe, moving, steps),
    )
    return Audit(evidence.verdicts, lint(evidence, tx), evidence)


class _Case(NamedTuple):
    """What verdicts are given of: a loss without L2 penalties, which count as the optimiser's."""

    tx: Any
    symmetries: Symmetries
    gradients: dict[str, np.ndarray]
    probe: Probe


def _with_l2(strengths: Mapping[str, float], tx: Any) -> optax.GradientTransformation:
    """The optimiser with (s/2)‖w‖² in its gradients instead of in the loss."""

    def add(updates: Any, params: Params) -> Any:
        weights = trees.named_leaves(params)
        given = trees.named_leaves(updates)
        added = [g + strengths[n] * weights[n] if n in strengths else g for n, g in given.items()]
        return trees.with_leaves(updates, added)

    inner = tx.gradient_transformation() if isinstance(tx, optax.MultiSteps) else tx
    return optax.chain(optax.stateless(add), inner)


def _require_steps(steps: Any) -> None:
    whole = isinstance(steps, int | np.integer) and not isinstance(steps, bool)
    if not (whole and steps >= 1):
        raise ValueError(
            f"steps is {steps!r}; expected the number of training steps, an int of 1 or more."
        )


def _require_arrays(params: Params) -> None:
    for name, leaf in trees.named_leaves(params).items():
        if not (hasattr(leaf, "dtype") or isinstance(leaf, int | float | complex)):
            raise ValueError(
                f"leaf {name!r} of the parameters is {leaf!r}, a {type(leaf).__name__}; expected "
                "arrays. Take apart what holds other things, as Equinox modules do: "
                "params, static = eqx.partition(model, eqx.is_inexact_array), and join the two "
                "in the loss by eqx.combine(params, static)."
            )


def _require_values(args: tuple) -> None:
    if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(args)):
        raise ValueError(
            "the batch holds a shape without values; expected arrays: an audit takes the gradient "
            "at them. For shapes alone there are symmetry.find and probe."
        )


def _values(params: Params) -> dict[str, np.ndarray]:
    """The floating-point leaves."""
    leaves = trees.named_leaves(params)
    abstract = [n for n, leaf in leaves.items() if isinstance(leaf, jax.ShapeDtypeStruct)]
    if abstract:
        raise ValueError(
            f"leaf {abstract[0]!r} is a shape without values; expected arrays: an audit takes the "
            "gradient at them. For shapes alone there are symmetry.find and probe."
        )
    values = {n: np.asarray(x, float) for n, x in leaves.items() if trees.is_floating(x)}
    values = {n: x for n, x in values.items() if x.size}
    _require_finite(values, "the parameters are not finite at")
    return values


def _gradients(loss: Loss, params: Params, args: tuple) -> dict[str, np.ndarray]:
    leaves = trees.named_leaves(params)
    floating = {n: jnp.asarray(x) for n, x in leaves.items() if trees.is_floating(x) and np.size(x)}

    def of(part: dict[str, jax.Array]) -> jax.Array:
        out = loss(trees.with_leaves(params, (leaves | part).values()), *args)
        return out[0] if isinstance(out, tuple | list) else out

    kind = trees.dtype(jax.eval_shape(of, floating))
    if not jnp.issubdtype(kind, jnp.floating):
        raise ValueError(
            f"the loss is of dtype {kind}; expected a floating-point scalar, which has a gradient. "
            "Give the loss that is trained, not a count or an accuracy."
        )
    value, gradient = jax.jit(jax.value_and_grad(of))(floating)
    if not np.isfinite(value):
        raise ValueError(
            f"the loss is {value} at these parameters and this batch; expected a finite number."
        )
    found = {name: np.asarray(g, float) for name, g in gradient.items()}
    _require_finite(found, "the loss is finite, but its gradient is not at")
    return found


def _require_finite(values: Mapping[str, np.ndarray], what: str) -> None:
    bad = [name for name, value in values.items() if not np.all(np.isfinite(value))]
    if bad:
        raise ValueError(f"{what} {', '.join(bad[:8])}; an audit needs finite numbers.")


def _probed(tx: Any, params: Params, steps: int) -> Probe:
    """Probes on a smaller tree where there is one that the optimiser takes."""
    small = shrunk(params, ENTRIES, ENTRIES)
    if small is not params:
        try:
            return probe(tx, small, steps=steps)
        except (ValueError, TypeError):
            # An optimiser may hold arrays of the parameters' shapes.
            pass
    try:
        return probe(tx, params, steps=steps)
    except ValueError as error:
        raise ValueError(_advised(str(error), params)) from error


def _advised(message: str, params: Params) -> str:
    """What a probe said, with advice for an audit."""
    if "gradient accumulation" in message:
        return (
            "the gradient accumulation of the optimiser is not of one constant number of "
            f"micro-steps, or not complete: {message.split('. ')[0]}. An audit takes a batch per "
            "training step: give optax.MultiSteps one number as every_k_schedule, or audit the "
            "inner optimiser."
        )
    if "failed at these parameters" not in message:
        return message
    keys = [
        name
        for name, leaf in trees.named_leaves(params).items()
        if jnp.issubdtype(trees.dtype(leaf), jax.dtypes.prng_key)
    ]
    if keys:
        advice = f"Leaf {keys[0]!r} is a PRNG key: give keys as part of the batch, or mask them."
    else:
        advice = (
            "An audit gives it gradients and params alone. One that needs more, as L-BFGS with its "
            "line search or reduce_on_plateau, cannot be audited: leave that part out, or give it "
            "what it needs by name in wdjax.probe(tx, params, value=1.0)."
        )
    return message.split("\nIf it needs")[0] + "\n" + advice
