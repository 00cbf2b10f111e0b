"""Which weights share a scale that the loss is blind to, and what decay is for them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np

from wdjax.auditing.evidence import Role
from wdjax.auditing.report import LeafDecay, Probe
from wdjax.symmetry.families import Exponents
from wdjax.symmetry.symmetries import Symmetries

STUCK = 0.99
"""From this share of entries that rounding leaves as they are, a decay does nothing."""


class Part(NamedTuple):
    """Leaves that belong together.

    Attributes:
      name: Their paths.
      leaves: Paths.
      sort: "invariant" (the loss is blind to the scale of one leaf), "joint" (of several together),
        "rescaling" (to a scaling of some against others), "dead", "unused" or "seen".
      axes: The axes of an invariant leaf along each index of which this is so.
      exponents: Of joint leaves and rescalings, {path: exponent}.
    """

    name: str
    leaves: tuple[str, ...]
    sort: Literal["invariant", "joint", "rescaling", "dead", "unused", "seen"]
    axes: tuple[int, ...] = ()
    exponents: Exponents = {}  # noqa: RUF012 (a NamedTuple's default is not shared state)


def parts(symmetries: Symmetries, floating: Collection[str]) -> tuple[Part, ...]:
    """Sorts the floating-point leaves, in their own order.

    A leaf that scales together with some leaves and against others is in a part of each.
    """
    together = [_of(group, "joint", " + ") for group in symmetries.joint]
    against = [_of(pair, "rescaling", " against ") for pair in symmetries.rescalings]
    taken = {leaf for part in (*together, *against) for leaf in part.leaves}
    alone = [_alone(symmetries, name) for name in floating if name not in taken]
    order = {name: i for i, name in enumerate(symmetries.leaves)}
    return tuple(sorted((*alone, *together, *against), key=lambda part: order[part.leaves[0]]))


def role(part: Part, probe: Probe, carried: Collection[str] = ()) -> Role:
    """Says what the decay of a part is.

    Args:
      part: The part.
      probe: What the optimiser does.
      carried: The leaves whose steps are so large that no decay is lost in rounding.
    """
    leaves = [probe[name] for name in part.leaves]
    if any(leaf.kind == "unknown" for leaf in leaves):
        return "unknown"
    if not any(leaf.decays for leaf in leaves):
        return "not_decayed"
    acting = any(decays(leaf, leaf.name in carried) for leaf in leaves)
    if part.sort in ("dead", "unused") or not acting:
        return "nothing"
    if held(part, probe):
        return "regulariser"
    if part.sort == "rescaling":
        return "balancer"
    to_point = all(leaf.kind in ("initial", "average") for leaf in leaves if leaf.decays)
    return "regulariser" if part.sort == "seen" or to_point else "learning_rate"


def held(part: Part, probe: Probe) -> list[str]:
    """The leaves that nothing moves, where others move that share a scaling with them.

    The others cannot take part in the scaling alone: the loss sees theirs.
    """
    still = [name for name in part.leaves if probe[name].kind == "frozen"]
    return still if len(still) < len(part.leaves) else []


def decays(leaf: LeafDecay, carried: bool = False) -> bool:
    """Whether something is removed from a leaf that rounding does not take back."""
    if not leaf.decays:
        return False
    return carried or not lost(leaf)


def lost(leaf: LeafDecay) -> bool:
    """Whether rounding takes back all that a step at zero gradient removes."""
    removing = leaf.removed != 0
    if leaf.stuck is None or leaf.doubtful or not np.any(removing):
        return False
    return bool(np.min(leaf.stuck[removing]) >= STUCK)


def remarks(
    part: Part, probe: Probe, rates: Mapping[str, float], carried: Collection[str] = ()
) -> Iterator[str]:
    """What else there is to say of the decay of a part, in words.

    Args:
      part: The part.
      probe: What the optimiser does.
      rates: The fraction that is removed per step of each of its leaves.
      carried: The leaves whose steps are so large that no decay is lost in rounding.
    """
    leaves = [probe[name] for name in part.leaves]
    kinds = {leaf.kind for leaf in leaves}
    yield from _rounded(leaves, carried)
    yield from _extreme(leaves, rates)
    if part.sort in ("dead", "unused"):
        yield (
            "the loss does not depend on it" if part.sort == "dead" else "the loss does not read it"
        )
    if "sphere" in kinds:
        yield "steps keep its norm"
    if "frozen" in kinds:
        yield _still(part, probe)
    if "unknown" in kinds:
        yield f"not understood: {next(leaf.note for leaf in leaves if leaf.kind == 'unknown')}"
    if kinds & {"initial", "average"}:
        yield "drawn to its initial values" if "initial" in kinds else "drawn to its own average"
    if "cautious" in kinds:
        yield "acts on about half of the entries at a time (with momentum, a little less)"
    if kinds & {"l1", "coupled_l1"} and part.sort in ("invariant", "joint"):
        yield "L1 takes more of small entries, so that it turns the direction too"
    if part.sort in ("joint", "rescaling") and not kinds & {"unknown", "frozen"}:
        yield from _unequal(part, rates)


def alike(part: Part, rates: Mapping[str, float]) -> bool:
    """Whether all leaves of a part decay at the same rate, to one percent."""
    values = [rates[name] for name in part.leaves]
    return max(values) - min(values) <= 0.01 * max(values)


def _rounded(leaves: Collection[LeafDecay], carried: Collection[str]) -> Iterator[str]:
    """What rounding does to the decay."""
    gone = [leaf for leaf in leaves if leaf.decays and lost(leaf)]
    if any(leaf.name not in carried for leaf in gone):
        yield "what it removes per step is lost in rounding"
    if dithered := [leaf.dtype for leaf in gone if leaf.name in carried]:
        yield (
            f"in {dithered[0]} the decay alone would round to nothing: it acts on average, as it "
            "is added to steps that are larger than a unit in the last place"
        )


def _extreme(leaves: Collection[LeafDecay], rates: Mapping[str, float]) -> Iterator[str]:
    """What to say of a rate that no equilibrium goes with."""
    if any(rates[leaf.name] < 0 for leaf in leaves):
        yield "it adds to the weights: the decay has the wrong sign"
    largest = max(leaves, key=lambda leaf: np.nan_to_num(rates[leaf.name]))
    rate = rates[largest.name]
    if largest.kind == "rate" and rate >= 2:
        yield f"w ← (1 − {rate:.3g}) w does not shrink: beyond 2 it diverges"
    elif rate >= 1:
        yield f"it removes {rate:.3g} times the weight per step, which overshoots zero"


def _still(part: Part, probe: Probe) -> str:
    """What it means that something does not move."""
    still = held(part, probe)
    if not still or part.sort not in ("joint", "rescaling"):
        return "no gradient moves it"
    return f"{_listed(still)} does not move, so that the loss sees the scale of what is left"


def _unequal(part: Part, rates: Mapping[str, float]) -> Iterator[str]:
    """What follows if leaves that scale together, or against each other, do not decay alike."""
    if alike(part, rates):
        return
    values = [rates[name] for name in part.leaves]
    resting = [name for name in part.leaves if not rates[name]]
    if resting:
        each = f"{_listed(resting)} without decay"
    else:
        each = f"from {min(values):.3g} to {max(values):.3g} per step"
    if part.sort == "joint":
        yield (
            f"they do not decay alike ({each}), so that decay shifts weight from one to another "
            "and changes the function; no equilibrium is claimed"
            + (": what does not decay may grow on" if resting else "")
        )
    elif resting:
        yield f"they do not decay alike ({each}): scale moves to what does not decay"
    else:
        yield f"they do not decay alike ({each}): under SGD they rest where rate × norm² is equal"


def _listed(names: list[str], most: int = 3) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def _of(exponents: Exponents, sort: Literal["joint", "rescaling"], link: str) -> Part:
    up = " + ".join(n for n, exponent in exponents.items() if exponent > 0)
    down = " + ".join(n for n, exponent in exponents.items() if exponent < 0)
    return Part(link.join(filter(None, (up, down))), tuple(exponents), sort, (), exponents)


def _alone(symmetries: Symmetries, name: str) -> Part:
    if name in symmetries.invariant:
        return Part(name, (name,), "invariant", symmetries.invariant[name])
    if name in symmetries.dead:
        return Part(name, (name,), "dead")
    return Part(name, (name,), "unused" if name in symmetries.unused else "seen")
