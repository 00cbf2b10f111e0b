"""A walk through the jaxpr of a loss that computes its values and keeps account of the leaves."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wdjax import trees
from wdjax.auditing.linter.sites import Site, Sites, is_epsilon
from wdjax.auditing.linter.values import Term, Traced, Use, constant
from wdjax.jax_compat import constants, interpret, open_jaxpr, scan_split, without_dead_code
from wdjax.typing import Loss, Params

LONGEST_SCAN = 32
"""Loops of more iterations are taken as one operation, and only FEW are looked into."""

FEW = 2

INLINED = {
    **dict.fromkeys(("jit", "pjit", "remat2", "remat", "checkpoint"), "jaxpr"),
    **dict.fromkeys(("closed_call", "core_call"), "call_jaxpr"),
    **dict.fromkeys(("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"), "call_jaxpr"),
}
"""Primitives that apply a jaxpr once, and the parameter that holds it."""

LAYOUT = (
    *("reshape", "broadcast_in_dim", "transpose", "convert_element_type", "squeeze"),
    *("expand_dims", "copy", "copy_p", "reduce_precision", "rev", "sharding_constraint"),
    *("slice", "optimization_barrier", "pvary"),
)
"""Operations that change the shape, the order or the dtype of entries and nothing else."""

CONTRACTIONS = ("dot_general", "conv_general_dilated", "ragged_dot_general")
GATHERS = ("gather", "dynamic_slice")
SUMS = ("add", "sub", "add_any")


class Walked(NamedTuple):
    """What a walk has found.

    Attributes:
      loss: The value of the loss, with its terms.
      sites: The normalisations.
      uses: Per leaf, how it is used at each place where it is read.
    """

    loss: Traced
    sites: tuple[Site, ...]
    uses: dict[str, tuple[Use, ...]]


def walk(loss: Loss, params: Params, args: Sequence[Any]) -> Walked:
    """Computes a loss by its jaxpr; to be called under `jit` or another transformation."""

    def value(params: Params, *args: Any) -> Any:
        out = loss(params, *args)
        return out[0] if isinstance(out, tuple | list) and out else out

    closed = jax.make_jaxpr(value)(params, *args)
    names = tuple(trees.named_leaves(params))
    inputs = [
        Traced(jnp.asarray(leaf), leaf=name, deps=frozenset({name}))
        for name, leaf in trees.named_leaves(params).items()
    ]
    inputs += [Traced(x, data=True, raw=True) for x in jax.tree.leaves(tuple(args))]
    walker = _Walker({name: [] for name in names}, Sites())
    (out,) = walker.run(without_dead_code(closed), inputs, constants(closed))
    uses = {name: tuple(dict.fromkeys(found)) for name, found in walker.uses.items()}
    return Walked(out, tuple(walker.sites.found), uses)


@dataclasses.dataclass
class _Walker:
    """One walk.

    Attributes:
      uses: Per leaf, how it is used.
      sites: The normalisations.
    """

    uses: dict[str, list[Use]]
    sites: Sites

    def run(
        self, jaxpr: Any, inputs: Sequence[Traced], consts: Sequence[Any] | None = None
    ) -> list[Traced]:
        return interpret(jaxpr, inputs, consts, constant, self._apply)

    def _apply(self, eqn: Any, values: list[Traced]) -> list[Traced]:
        name = eqn.primitive.name
        body = eqn.params.get(INLINED[name]) if name in INLINED else None
        if body is not None and len(open_jaxpr(body).invars) == len(values):
            return self.run(body, values)
        if name == "scan" and eqn.params["length"] <= LONGEST_SCAN:
            return self._unrolled(eqn, values)
        if name == "scan":
            self._glimpse(eqn, values)
        outputs = _bound(eqn, [v.value for v in values])
        if name in LAYOUT:
            return [_moved(eqn, values[0], output) for output in outputs]
        if name != "scan":
            self._note_uses(eqn, values)
        made = self._made(eqn, name, values)
        return [dataclasses.replace(made, value=output) for output in outputs]

    def _made(self, eqn: Any, name: str, values: list[Traced]) -> Traced:
        """What holds for the results of an operation, but for the values themselves."""
        plain = Traced(
            None,
            deps=frozenset().union(*(v.deps for v in values)),
            data=any(v.data for v in values),
        )
        if name in SUMS and len(values) == 2:
            return self._sum(name, plain, values)
        if name in ("mul", "div") and (done := self.sites.divided(name, values)) is not None:
            return dataclasses.replace(plain, **done)
        if name in ("mul", "div", "neg"):
            return dataclasses.replace(plain, terms=_scaled(name, values))
        if name in ("max", "maximum") and any(v.number is not None for v in values):
            return dataclasses.replace(plain, raw=any(v.raw for v in values))
        if name in ("sqrt", "rsqrt", "pow"):
            return self.sites.root(eqn, plain, values)
        if name == "reduce_sum":
            terms = tuple(Term(_bound(eqn, [t.value])[0], t.data) for t in values[0].terms)
            return dataclasses.replace(plain, terms=terms)
        if name == "dot_general":
            return dataclasses.replace(plain, features=_features(eqn, values))
        return plain

    def _sum(self, name: str, plain: Traced, values: list[Traced]) -> Traced:
        one, other = values
        scalars = not np.ndim(one.value) and not np.ndim(other.value)
        # A penalty may be added to the loss of each example, before their mean.
        if scalars or not (one.data and other.data):
            extent = np.broadcast_shapes(np.shape(one.value), np.shape(other.value))
            terms = (*one.split, *other.times(-1.0 if name == "sub" else 1.0))
            spread = (Term(jnp.broadcast_to(t.value, extent), t.data) for t in terms)
            plain = dataclasses.replace(plain, terms=tuple(spread))
        if name != "sub" and is_epsilon(other):
            return dataclasses.replace(plain, under=one, epsilon=other.number)
        if name != "sub" and is_epsilon(one):
            return dataclasses.replace(plain, under=other, epsilon=one.number)
        return plain

    def _note_uses(self, eqn: Any, values: list[Traced]) -> None:
        kind = _kind(eqn, eqn.primitive.name)
        features = frozenset().union(*(value.features for value in values))
        for value in values:
            if value.leaf is not None:
                extent = np.shape(value.value)
                long = [axis for axis in value.axes(extent) if extent[axis] > 1]
                bias = kind == "added" and bool(long) and features.issuperset(long)
                self.uses[value.leaf].append(Use(kind, len(long), value.sliced, bias))

    def _glimpse(self, eqn: Any, values: list[Traced]) -> None:
        """Notes the uses and normalisations in the first iterations of a loop."""
        consts, carries = scan_split(eqn.params)
        held, carry = values[:consts], values[consts : consts + carries]
        order = range(eqn.params["length"])[:: -1 if eqn.params["reverse"] else 1]
        for i in order[:FEW]:
            layers = [_layer(v, i) for v in values[consts + carries :]]
            carry = self.run(eqn.params["jaxpr"], [*held, *carry, *layers])[:carries]

    def _unrolled(self, eqn: Any, values: list[Traced]) -> list[Traced]:
        consts, carries = scan_split(eqn.params)
        held, carry = values[:consts], values[consts : consts + carries]
        length = eqn.params["length"]
        order = range(length)[::-1] if eqn.params["reverse"] else range(length)
        rows: dict[int, list[Traced]] = {}
        for i in order:
            layers = [_layer(v, i) for v in values[consts + carries :]]
            out = self.run(eqn.params["jaxpr"], [*held, *carry, *layers])
            carry, rows[i] = out[:carries], out[carries:]
        stacked = [_stacked([rows[i][k] for i in range(length)]) for k in range(len(rows[0]))]
        return [*carry, *stacked]


def _bound(eqn: Any, values: list[Any]) -> list[Any]:
    """Applies the primitive of an equation to values."""
    given = eqn.primitive.get_bind_params(eqn.params)
    # Some versions of JAX hand functions over by position.
    functions, params = given if isinstance(given, tuple) else ((), given)
    out = eqn.primitive.bind(*functions, *values, **params)
    return list(out) if eqn.primitive.multiple_results else [out]


def _moved(eqn: Any, value: Traced, output: Any) -> Traced:
    """A value in another layout; of a leaf, it is known which axes are its own."""
    broadcast = eqn.primitive.name == "broadcast_in_dim" and value.leaf is not None
    own = tuple(eqn.params["broadcast_dimensions"]) if broadcast else None
    terms = tuple(Term(_bound(eqn, [t.value])[0], t.data) for t in value.terms)
    features = value.features if np.shape(output) == np.shape(value.value) else frozenset()
    return dataclasses.replace(value, value=output, own=own, terms=terms, features=features)


def _kind(eqn: Any, name: str) -> Any:
    if name in CONTRACTIONS:
        grouped = eqn.params.get("feature_group_count", 1) > 1
        return "contracted by channel" if grouped else "contracted"
    if name in GATHERS:
        return "gathered"
    if name in SUMS:
        return "added"
    return "multiplied" if name in ("mul", "div") else "other"


def _features(eqn: Any, values: list[Traced]) -> frozenset[int]:
    """The axes of a matrix product that come from its leaf."""
    (left, right), (batch, _) = eqn.params["dimension_numbers"]
    of_left = np.ndim(values[0].value) - len(left) - len(batch)
    rank = len(batch) + of_left + np.ndim(values[1].value) - len(right) - len(batch)
    if values[1].leaf is not None:
        return frozenset(range(len(batch) + of_left, rank))
    own = range(len(batch), len(batch) + of_left)
    return frozenset(own) if values[0].leaf is not None else frozenset()


def _scaled(name: str, values: list[Traced]) -> tuple[Term, ...]:
    """The terms of a multiple of a value by what is no parameter and no data."""
    if name == "neg":
        return values[0].times(-1.0)
    one, other = values
    if np.ndim(one.value) or np.ndim(other.value):
        return ()
    if other.is_fixed:
        return one.times(other.value if name == "mul" else 1 / other.value)
    return other.times(one.value) if one.is_fixed and name == "mul" else ()


def _layer(value: Traced, index: int) -> Traced:
    sliced = value.sliced or value.leaf is not None
    return dataclasses.replace(value, value=value.value[index], sliced=sliced, own=None)


def _stacked(rows: list[Traced]) -> Traced:
    first, deps = rows[0], frozenset().union(*(row.deps for row in rows))
    return Traced(jnp.stack([row.value for row in rows]), deps=deps, data=first.data, raw=first.raw)
