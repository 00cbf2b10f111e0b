"""Finds every scale symmetry of a loss from its jaxpr."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from wdjax import trees
from wdjax.jax_compat import constants, shape_of, without_dead_code
from wdjax.symmetry.prover.control import CONTROL
from wdjax.symmetry.prover.elementwise import ELEMENTWISE
from wdjax.symmetry.prover.structural import STRUCTURAL
from wdjax.symmetry.prover.values import Axis, AxisUnknown, Digit, Value, invariant
from wdjax.symmetry.prover.walk import Rule, Walk
from wdjax.symmetry.symmetries import Splits, Symmetries, solve
from wdjax.typing import Loss, Params

RULES: dict[str, Rule] = {**ELEMENTWISE, **STRUCTURAL, **CONTROL}
WALKS = 8
"""Walks until no axis has to be cut any finer; two are usual."""


def find(loss: Loss, params: Params, *args: Any, exact: bool = False) -> Symmetries:
    """Finds every scaling of the parameters that the loss does not see, from its jaxpr alone.

    Each leaf ℓ is multiplied by c^{d_ℓ} with an unknown degree d_ℓ, and along each of its axes by
    unknown factors. Each operation then needs something of them (a sum: terms that scale alike; an
    exponential: an argument that does not scale), which is one linear equation. The symmetries are
    the null space of all equations, in exact rational arithmetic.

    What is found is proved, up to the assumptions that the result names: an ε of a normalisation (a
    constant of at most 1e-3 beside a value that scales) is taken for zero. What is not found may
    still be there: an operation without a rule is taken to need values that do not scale, and is
    named in `unknown`. No name of a parameter plays a part.

    Args:
      loss: A pure function `loss(params, *args) -> scalar`, or `-> (scalar, anything)`.
      params: The parameters, or `jax.ShapeDtypeStruct`s in their place. Leaves that are not real
        floating-point are held fixed.
      *args: What else the loss takes; arrays or `jax.ShapeDtypeStruct`s.
      exact: Whether to take no ε for zero.

    Raises:
      ValueError: The loss is not a scalar, cannot be traced, or branches in Python on a value; or
        there is no floating-point parameter.

    Example:
      >>> import jax.numpy as jnp
      >>> def loss(params, x):
      ...     y = x @ params["kernel"] + params["bias"]
      ...     y = y / jnp.sqrt(jnp.mean(y**2, -1, keepdims=True) + 1e-6)
      ...     return jnp.mean(jnp.tanh(y @ params["head"]))
      >>> shapes = {"kernel": (8, 16), "bias": (16,), "head": (16,)}
      >>> params = {k: jax.ShapeDtypeStruct(s, "float32") for k, s in shapes.items()}
      >>> found = find(loss, params, jax.ShapeDtypeStruct((32, 8), "float32"))
      >>> found.joint
      ({'bias': 1, 'kernel': 1},)
    """
    leaves = trees.named_leaves(params)
    floating = {name: trees.is_floating(leaf) for name, leaf in leaves.items()}
    if not any(floating.values()):
        raise ValueError(
            "the parameters hold no floating-point leaf, so there is nothing to scale. They hold: "
            f"{', '.join(leaves) or '(nothing)'}."
        )
    jaxpr, consts, used = _trace(loss, params, args)
    splits: Splits = {}
    for _ in range(WALKS):
        walk = Walk(RULES, exact=exact)
        inputs = [
            _leaf(index, trees.shape(leaf), splits)
            if floating[name]
            else invariant(trees.shape(leaf))
            for index, (name, leaf) in enumerate(leaves.items())
        ]
        rest = [invariant(shape_of(var)) for var in jaxpr.invars[len(leaves) :]]
        (value,) = walk.run(jaxpr, [*inputs, *rest], consts)
        walk.need_zero(value.degree or {}, "the value of the loss")
        if not _refine(splits, walk.splits, leaves):
            break
    return solve(walk, leaves, floating, splits, used)


def _trace(
    loss: Loss, params: Params, args: Sequence[Any]
) -> tuple[Any, tuple[Any, ...], tuple[bool, ...]]:
    """Returns the jaxpr of the loss alone, its constants, and which leaves it uses."""

    def value(params: Params, *args: Any) -> Any:
        out = loss(params, *args)
        return out[0] if isinstance(out, tuple | list) and out else out

    try:
        traced, shape = jax.make_jaxpr(value, return_shape=True)(params, *args)
    except jax.errors.ConcretizationTypeError as error:
        raise ValueError(
            "the loss branches in Python on a value, or needs a number where it has only a shape: "
            f"use jnp.where or lax.cond. {error}"
        ) from error
    except TypeError as error:
        raise ValueError(
            f"the loss could not be traced; expected a scalar of it. {error}"
        ) from error
    if getattr(shape, "shape", None) != ():
        raise ValueError(
            f"the loss returned {shape}; expected a scalar, or a tuple that begins with one."
        )
    body = without_dead_code(traced)
    read = {id(atom) for eqn in body.eqns for atom in eqn.invars} | {id(a) for a in body.outvars}
    count = len(jax.tree.leaves(params))
    used = tuple(id(var) in read for var in body.invars[:count])
    return body, constants(traced), used


def _closed(closed: Any, live: Any) -> Any:
    return (
        closed.replace(jaxpr=live)
        if hasattr(closed, "jaxpr") and closed.jaxpr is not closed
        else live
    )


def _leaf(
    index: int, shape: tuple[int, ...], splits: dict[tuple[int, int], tuple[int, ...]]
) -> Value:
    """The value of a leaf: one unknown degree, and one unknown per digit of each axis."""

    def axis(number: int, size: int) -> Axis:
        sizes = splits.get((index, number), (size,))
        return tuple(
            Digit(part, {AxisUnknown(index, number, place): 1} if part > 1 else {})
            for place, part in enumerate(sizes)
        )

    return Value({index: 1}, tuple(axis(number, size) for number, size in enumerate(shape)))


def _refine(
    splits: Splits,
    wanted: dict[AxisUnknown, set[int]],
    leaves: dict[str, Any],
) -> bool:
    """Cuts the digits of leaf axes as the walk asked; returns whether anything changed."""
    shapes = [trees.shape(leaf) for leaf in leaves.values()]
    changed = False
    for unknown, cuts in sorted(wanted.items(), reverse=True):
        key = (unknown.leaf, unknown.axis)
        sizes = list(splits.get(key, (shapes[unknown.leaf][unknown.axis],)))
        pieces = _cut(sizes[unknown.digit], cuts)
        if len(pieces) > 1:
            sizes[unknown.digit : unknown.digit + 1] = pieces
            splits[key] = tuple(sizes)
            changed = True
    return changed


def _cut(size: int, cuts: set[int]) -> list[int]:
    """Sizes of the pieces of a digit that is cut where the product behind is in `cuts`."""
    pieces, behind = [], size
    for cut in sorted(cuts, reverse=True):
        if cut < behind and behind % cut == 0:
            pieces.append(behind // cut)
            behind = cut
    return [*pieces, behind]


def register_rule(primitive: str) -> Callable[[Rule], Rule]:
    """Registers a rule for a primitive, by its name; for use as a decorator.

    A rule is `rule(walk, eqn, *values) -> value`, or a list of values if the primitive has several
    outputs. It says how the outputs scale when the inputs do, and asks by `walk.need_...` for what
    the primitive needs. A wrong rule proves what is not so: `wdjax.symmetry.check` finds it out.
    """

    def register(rule: Rule) -> Rule:
        RULES[primitive] = rule
        return rule

    return register
