"""Decay that is lost: below the precision of the weights, or on a sphere: WD401 and WD402."""

from collections.abc import Iterator

import numpy as np

from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.finding import Finding
from wdjax.auditing.linter.words import listed, span
from wdjax.auditing.rounding import steps_carry

PRECISE = (
    "Keep the weights in float32 and cast them in the loss; or "
    "wdjax.transforms.master_weights(tx), or wdjax.transforms.stochastic_rounding(key) at the end "
    "of the chain."
)

MOST = 0.5
"""The share of entries from which on a decay counts as lost."""


def below_precision(case: Case) -> Iterator[Finding]:
    """Finds decay that rounding takes away."""
    lost = [name for name in case.decaying if _lost(case, name)]
    carried = [name for name in lost if _carried(case, name)]
    for doubtful in (False, True):
        names = [n for n in lost if case.leaves[n].doubtful is doubtful and n not in carried]
        if not names:
            continue
        leaf = case.leaves[names[0]]
        removed = span(float(np.max(np.abs(case.leaves[name].removed))) for name in names)
        doubt = "; whether the optimiser keeps the remainder is not known" if doubtful else ""
        yield Finding(
            "WD401",
            "note" if doubtful else "warning",
            tuple(names),
            f"{listed(names)}: a step removes {removed} of the weights, which {leaf.dtype} rounds "
            "away where no gradient moves them, and their steps are too small to carry it: lost "
            f" in {max(_share(case, name) for name in names):.0%} of the entries{doubt}",
            PRECISE,
        )
    if carried:
        leaf = case.leaves[carried[0]]
        removed = span(float(np.max(np.abs(case.leaves[name].removed))) for name in carried)
        yield Finding(
            "WD401",
            "note",
            tuple(carried),
            f"{listed(carried)}: a step removes {removed} of the weights, less than {leaf.dtype} "
            f"resolves; steps of {span(case.step(name) for name in carried)} an entry are added "
            "before rounding and carry it on average, but no longer when the learning rate is low",
            PRECISE,
        )


def _share(case: Case, name: str) -> float:
    stuck = case.leaves[name].stuck
    return 0.0 if stuck is None else float(np.max(stuck, initial=0.0))


def _lost(case: Case, name: str) -> bool:
    """Whether most entries stay where the decay is strongest: later it may fade as it should."""
    leaf = case.leaves[name]
    if leaf.stuck is None or not len(leaf.stuck):
        return False
    strongest = int(np.argmax(np.nan_to_num(np.abs(leaf.removed))))
    return float(leaf.stuck[strongest]) >= MOST


def _carried(case: Case, name: str) -> bool:
    """Whether the steps are so large that decay, though below rounding, acts on average."""
    return steps_carry(
        case.step(name), np.asarray(case.weights[name], float), case.leaves[name].dtype
    )


def decay_on_a_sphere(case: Case) -> Iterator[Finding]:
    """Finds decay in or behind steps that keep a norm."""
    inside = case.decay_on_sphere
    if inside:
        yield Finding(
            "WD402",
            "warning",
            inside,
            f"{listed(inside)}: its steps keep the norm, and there is weight decay among them: "
            "after a projection to the tangent it does nothing, and without one it changes the "
            "length of the step",
            "Leave decay out of the inner optimiser: weight_decay=0.0 in optax.adamw, or "
            "optax.adam. How fast the weights turn is set by the learning rate alone.",
        )
    behind = case.decay_behind_sphere
    if behind:
        yield Finding(
            "WD402",
            "warning",
            tuple(behind),
            f"{listed(behind)}: a step without gradient removes {span(behind.values())} once and "
            "nothing more in the steps after it: the decay stands behind a step that returns to "
            "its own radius, so that all it does is to hold the norm beside that",
            "Take the decay out of the chain, or keep it and take out what keeps the norm.",
        )
