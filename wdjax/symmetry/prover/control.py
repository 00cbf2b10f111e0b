"""Rules of operations that hold jaxprs of their own, other than loops: calls and branches."""

from typing import Any

from wdjax.jax_compat import open_jaxpr, shape_of
from wdjax.symmetry.prover.elementwise import meet
from wdjax.symmetry.prover.growth import lasting
from wdjax.symmetry.prover.structural import resized
from wdjax.symmetry.prover.values import Value
from wdjax.symmetry.prover.walk import Rule, Walk


def call(name: str) -> Rule:
    """A jaxpr that is applied once."""
    return lambda walk, eqn, *values: walk.run(eqn.params[name], values)


def cond(walk: Walk, eqn: Any, which: Value, *values: Value) -> list[Value]:
    """All branches have to give values that scale alike."""
    walk.need_invariant(which, "a branch depends on a value that scales")
    branches = [walk.run(branch, values) for branch in eqn.params["branches"]]
    why = "branches give values that scale differently"
    return [meet(walk, results, why) for results in zip(*branches, strict=True)]


def shard_map(walk: Walk, eqn: Any, *values: Value) -> list[Value]:
    """The body sees shards: along axes that are sharded nothing may vary."""
    body = open_jaxpr(eqn.params["jaxpr"])
    why = "an axis is sharded inside shard_map"
    inside = [
        resized(walk, value, shape_of(var), why)
        for value, var in zip(values, body.invars, strict=True)
    ]
    first = walk.fresh()
    results = lasting(walk, walk.run(body, inside), (), first)
    return [
        resized(walk, value, shape_of(out), why)
        for value, out in zip(results, eqn.outvars, strict=True)
    ]


CONTROL: dict[str, Rule] = {
    **dict.fromkeys(("jit", "pjit", "remat2", "remat", "checkpoint"), call("jaxpr")),
    **dict.fromkeys(("closed_call", "core_call", "custom_jvp_call"), call("call_jaxpr")),
    **dict.fromkeys(("custom_vjp_call", "custom_vjp_call_jaxpr"), call("call_jaxpr")),
    "cond": cond,
    "shard_map": shard_map,
}
