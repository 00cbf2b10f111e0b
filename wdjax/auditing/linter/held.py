"""The decays that an optimiser is made of, found in the functions that it is closed over.

On a sphere decay leaves no trace in weights and updates, so that these have to be asked. Known are
the decays of Optax and of wdjax, and `optax.masked`, `optax.partition`, `optax.MultiSteps` and
`optax.inject_hyperparams` around them.
"""

import functools
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
import optax

from wdjax import trees
from wdjax.typing import Params, PyTree

DECAYS = {
    "add_decayed_weights": "weight_decay",
    "cautious_decay": "rate",
    "coupled_l1": "strength",
    "joint_decay": "rate",
}
"""Transformations that decay, and the variable with their number."""


def held_decays(tx: Any, params: Params) -> Iterator[tuple[Any, frozenset[str]]]:
    """Yields the number, or the schedule, of each decay that is not zero, and its leaves.

    Example:
      >>> params = {"kernel": np.ones(2), "bias": np.ones(1)}
      >>> tx = optax.adamw(0.1, weight_decay=0.01, mask={"kernel": True, "bias": False})
      >>> [(number, sorted(names)) for number, names in held_decays(tx, params)]
      [(0.01, ['kernel'])]
    """
    yield from _decays((tx.init, tx.update), params, frozenset(trees.named_leaves(params)), {})


def _decays(
    part: Any, params: Params, names: frozenset[str], seen: dict[int, Any]
) -> Iterator[tuple[Any, frozenset[str]]]:
    if id(part) in seen:
        return
    seen[id(part)] = part  # held, so that no other object gets its id
    if isinstance(part, optax.GradientTransformation):
        part = (part.init, part.update)
    if isinstance(part, functools.partial):
        part = (part.func, *part.args, *part.keywords.values())
    if isinstance(part, optax.MultiSteps):
        part = part.gradient_transformation
    if inspect.ismethod(part):
        part = tuple(getattr(part.__self__, "__dict__", {}).values())
    if isinstance(part, Sequence) and not isinstance(part, str | bytes):
        for item in part:
            yield from _decays(item, params, names, seen)
    elif getattr(part, "__closure__", None):
        yield from _decays_of_function(part, params, names, seen)


def _decays_of_function(
    function: Any, params: Params, names: frozenset[str], seen: dict[int, Any]
) -> Iterator[tuple[Any, frozenset[str]]]:
    contents = map(_contents, function.__closure__)
    held = dict(zip(function.__code__.co_freevars, contents, strict=True))
    maker = function.__qualname__.split(".")[0]
    # What makes the state may hold the number, too.
    number = held.get(DECAYS.get(maker, "")) if "init" not in function.__name__ else None
    if number is not None and (callable(number) or np.any(np.asarray(number))):
        yield number, names
    if held.get("mask") is not None:
        names &= _chosen(held["mask"], params, True)
    if maker == "inject_hyperparams" and "numeric_hps" in held:
        # Schedules are taken for some number: what matters is whether it is zero.
        numbers = dict.fromkeys(held["sched_hps"], 1.0) | held["numeric_hps"]
        inner = held["inner_factory"](**held["other_hps"], **numbers)
        yield from _decays(inner, params, names, seen)
        return
    if maker == "partition" and "transforms" in held and "param_labels" in held:
        for label, piece in held["transforms"].items():
            inside = names & _chosen(held["param_labels"], params, label)
            yield from _decays(piece, params, inside, seen)
        return
    for item in held.values():
        yield from _decays(item, params, names, seen)


def _chosen(labels: Any, params: Params, wanted: Any) -> frozenset[str]:
    """The leaves with a label; all of them if it cannot be told which those are."""
    tree: PyTree = labels(params) if callable(labels) else labels
    try:
        given = jax.tree.broadcast(tree, params)
    except ValueError:
        return frozenset(trees.named_leaves(params))
    return frozenset(name for name, label in trees.named_leaves(given).items() if label == wanted)


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None
