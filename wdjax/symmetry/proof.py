"""Finds every scale symmetry of a loss from its jaxpr."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from wdjax import trees
from wdjax.jax_compat import constants, shape_of, without_dead_code
from wdjax.symmetry.dead.leaves import dead_leaves
from wdjax.symmetry.prover.contractions import CONTRACTIONS
from wdjax.symmetry.prover.control import CONTROL
from wdjax.symmetry.prover.decompositions import DECOMPOSITIONS
from wdjax.symmetry.prover.elementwise import ELEMENTWISE
from wdjax.symmetry.prover.layout import Layout
from wdjax.symmetry.prover.loops import LOOPS
from wdjax.symmetry.prover.pieces import PIECES
from wdjax.symmetry.prover.structural import STRUCTURAL
from wdjax.symmetry.prover.values import Value, invariant, zero
from wdjax.symmetry.prover.walk import Rule, Walk, line_of
from wdjax.symmetry.solve import Leaves, solve
from wdjax.symmetry.symmetries import Assumption, Symmetries
from wdjax.typing import Loss, Params

RULES: dict[str, Rule] = {
    **ELEMENTWISE,
    **STRUCTURAL,
    **PIECES,
    **CONTRACTIONS,
    **DECOMPOSITIONS,
    **CONTROL,
    **LOOPS,
}
WALKS = 8
"""The most walks, in each of which the indices are told apart that the one before asked for."""


def find(loss: Loss, params: Params, *args: Any, exact: bool = False) -> Symmetries:
    """Finds every scaling of the parameters that the loss does not see, from its jaxpr alone.

    Each entry i of each leaf ℓ is multiplied by exp(d_ℓ + f_ℓ[i]), with an unknown degree d_ℓ and
    an unknown function f_ℓ of the index. Each operation then needs something of them (a sum: terms
    that scale alike; an exponential: an argument that does not scale), which are linear equations.
    The symmetries are the null space of all equations, in exact rational arithmetic.

    What is found is proved, up to the assumptions that the result names: an ε of a normalisation (a
    constant of at most 1e-3 beside a value that scales) is taken for zero, and the large negative
    number of a mask for −∞. What is not found may still be there: an operation without a rule is
    taken to need values that do not scale, and is named in `unknown`. A custom derivative is
    believed to be that of its function, and a mask to leave something of each row. No name of a
    parameter plays a part.

    Args:
      loss: A pure function `loss(params, *args) -> scalar`, or `-> (scalar, anything)`.
      params: The parameters, or `jax.ShapeDtypeStruct`s in their place. Leaves that are not real
        floating-point are held fixed.
      *args: What else the loss takes; arrays or `jax.ShapeDtypeStruct`s.
      exact: Whether to take no constant for another number.

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
    idle, masks = _dead(jaxpr, consts, len(leaves), exact=exact)
    layouts = {
        index: Layout.whole(index, trees.shape(leaf))
        for index, (name, leaf) in enumerate(leaves.items())
        if floating[name] and used[index] and index not in idle
    }
    walk, layouts = _walked(jaxpr, consts, layouts, idle, exact=exact)
    named = Leaves(
        names=tuple(leaves),
        layouts=layouts,
        unused=tuple(n for i, n in enumerate(leaves) if floating[n] and not used[i]),
        dead=tuple(n for i, n in enumerate(leaves) if i in idle),
    )
    return solve(walk, named, masks)


def _walked(
    jaxpr: Any,
    consts: Sequence[Any],
    layouts: dict[int, Layout],
    idle: frozenset[int],
    *,
    exact: bool,
) -> tuple[Walk, dict[int, Layout]]:
    """Returns a walk in which all indices are told apart that need be, and the layouts it had."""
    for _ in range(WALKS):
        walk = Walk(RULES, exact=exact)
        inputs = [
            layouts[index].value(walk) if index in layouts else _held(shape_of(var), index in idle)
            for index, var in enumerate(jaxpr.invars)
        ]
        (value,) = walk.run(jaxpr, inputs, consts)
        walk.need_invariant(value, "the value of the loss")
        finer = {
            index: layout.telling(sorted(place for leaf, place in walk.requests if leaf == index))
            for index, layout in layouts.items()
        }
        if finer == layouts:
            break
        walked, layouts = layouts, finer
    else:
        layouts = walked  # what the last walk asked for has not been walked with
    return walk, layouts


def _dead(
    jaxpr: Any, consts: Sequence[Any], count: int, *, exact: bool
) -> tuple[frozenset[int], list[Assumption]]:
    """Returns which leaves are dead, and the numbers that were taken for −∞ to say so."""
    dead, masks = dead_leaves(jaxpr, consts, count)
    if exact and masks:
        return frozenset(), []
    return dead, [Assumption(number, "is infinite", line_of((eqn,))) for number, eqn in masks]


def _held(shape: tuple[int, ...], dead: bool) -> Value:
    """An input that is not scaled. A dead leaf may as well be zero, which fits every factor."""
    return zero(shape) if dead else invariant(shape)


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
