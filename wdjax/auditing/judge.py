"""From what was seen at one sampled step to what the optimiser does to each leaf there."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from wdjax.auditing.blackbox import BlackBox
from wdjax.auditing.coupling import Coupling, Direction, couplings
from wdjax.auditing.observations import (
    Instant,
    Materials,
    Seen,
    after,
    fraction,
    norm,
    parallel,
    same,
    scaled,
)

Kind: TypeAlias = Literal[
    "none",
    "rate",
    "cautious",
    "coupled_l2",
    "coupled_l1",
    "coupled_and_decoupled",
    "l1",
    "buffered",
    "initial",
    "average",
    "sphere",
    "frozen",
    "unknown",
]

DRIFTS = "at zero gradient it drifts, whatever the weights are"

RESCALES = "at zero gradient only: a gradient rescales the decay together with the step"
DEPENDS = "at zero gradient: beside a gradient the step depends on the weights in another way too"


class Finding(NamedTuple):
    """What one leaf suffers at one sampled step.

    Attributes:
      kind: As in `wdjax.auditing.LeafDecay`; "initial" also where it takes `anchors` to say to
        which point the leaf is drawn.
      rate: ρ.
      strength: s of a coupled decay.
      amount: What is taken from each entry's size whatever that is.
      sure: False if a coupled decay may hide behind this one: an optimiser without memory that is
        linear in its gradient makes no difference.
      note: What else is to be said.
    """

    kind: Kind
    rate: float = 0.0
    strength: float = 0.0
    amount: float = 0.0
    sure: bool = True
    note: str = ""


def judge(
    box: BlackBox, instant: Instant, given: Materials, seen: Mapping[str, Seen]
) -> dict[str, Finding]:
    """Returns a finding per leaf; makes further calls where the calls of `observe` leave doubt."""
    found = {n: finding for n, leaf in seen.items() if (finding := _at_once(leaf)) is not None}
    rest = [n for n in seen if n not in found]
    kept = [n for n in rest if seen[n].remembers_weights]
    # What remembers gradients but not weights has no weights in its gradients.
    direct = [n for n in rest if not seen[n].remembers_gradients and n not in kept]
    found |= _coupled(box, instant, given, kept, by_memory=True)
    found |= _coupled(box, instant, given, direct, by_memory=False)
    found |= _buffered(box, instant, given, seen, [n for n in kept if n not in found])
    return found | {n: _otherwise(seen[n]) for n in rest if n not in found}


def _at_once(leaf: Seen) -> Finding | None:
    if not leaf.finite:
        return Finding("unknown", note="updates at zero gradient or zero weights are not finite")
    if leaf.linear and leaf.draws and norm(leaf.held) <= 1e-9 * abs(leaf.rate) * norm(leaf.w):
        return Finding("initial", leaf.rate) if leaf.additive else _drawn(leaf)
    if leaf.remembers_weights:
        return None
    if leaf.rests:
        return Finding("none", note=DRIFTS if leaf.draws else "") if leaf.blind else _cautious(leaf)
    if leaf.draws:
        return _drawn(leaf)
    if leaf.linear and (leaf.additive or leaf.odd_part_additive):
        return Finding("rate", leaf.rate, sure=leaf.remembers_gradients)
    return None


def _drawn(leaf: Seen) -> Finding:
    if not leaf.linear:
        return Finding("unknown", note="updates at zero gradient and zero weights are not zero")
    # A point that the weights are drawn to pulls weights at zero along one line.
    if leaf.w.size > 1 and not parallel(leaf.turned, leaf.at_zero):
        return Finding("unknown", leaf.rate, note=f"{DRIFTS}, beside a decay by a fraction")
    note = "drawn to a point in its state that is neither zero nor where the weights have been"
    return Finding("unknown", leaf.rate, note=note)


def _cautious(leaf: Seen) -> Finding | None:
    """Decay of some entries: those that the update, or the gradient, makes smaller anyway."""
    removed = max(float(np.max(np.abs(change / leaf.w))) for _, change in leaf.pulled)
    rate = removed if leaf.rests else leaf.rate
    # After another gradient an update with momentum does not go where the gradient does.
    shown = leaf.stirred if any(norm(change) > 0 for _, change in leaf.stirred) else leaf.pulled
    trials = ((leaf.pulled, leaf.w, rate), (shown, leaf.w, None), (leaf.pulled_x, leaf.x, rate))
    if rate == 0 or not all(_all_or_nothing(*trial) for trial in trials):
        return None
    active = [_active(leaf, change) for _, change in shown]
    chosen = np.concatenate([np.ravel(entries) for entries in active])
    if np.all(chosen) or not np.any(chosen):
        return None
    steps = {
        "the update": [base for base, _ in shown],
        "the gradient's descent": [-push for push in leaf.pushes],
    }
    for what, directions in steps.items():
        nearer = [direction * leaf.w < 0 for direction in directions]
        if all(map(np.array_equal, active, nearer)):
            return Finding("cautious", rate, note=f"only entries that {what} brings nearer to zero")
        if all(map(np.array_equal, active, (~entries for entries in nearer))):
            return Finding("cautious", rate, note=f"only entries that {what} takes away from zero")
    return Finding("unknown", rate, note="removes a fraction of some entries and nothing of others")


def _active(leaf: Seen, change: np.ndarray) -> np.ndarray:
    removed = np.abs(change / leaf.w)
    return removed > np.max(removed) / 2


def _all_or_nothing(
    pulled: tuple[tuple[np.ndarray, np.ndarray], ...], w: np.ndarray, rate: float | None
) -> bool:
    """Whether each entry loses one and the same fraction, or nothing."""
    for base, change in pulled:
        size = float(np.max(np.abs(change / w))) if rate is None else rate
        expected = np.where(np.abs(change) > size * np.abs(w) / 2, -size * w, 0.0)
        if not same(change, expected, norm(base)):
            return False
    return True


def _coupled(
    box: BlackBox, instant: Instant, given: Materials, names: Iterable[str], *, by_memory: bool
) -> dict[str, Finding]:
    def search(wanted: Iterable[str], direction: Direction) -> dict[str, Coupling]:
        return couplings(box, instant.clean, given, wanted, direction, by_memory=by_memory)

    l2 = search(names, np.asarray)
    l1 = search([n for n in names if n not in l2], np.sign)
    both = {
        n: Finding("coupled_and_decoupled" if c.rate else "coupled_l2", c.rate, c.strength)
        for n, c in l2.items()
    }
    return both | {n: Finding("coupled_l1", c.rate, c.strength) for n, c in l1.items()}


def _buffered(
    box: BlackBox,
    instant: Instant,
    given: Materials,
    seen: Mapping[str, Seen],
    names: Iterable[str],
) -> dict[str, Finding]:
    """Weights that are added to a momentum buffer, and not to the gradient that enters it."""
    names = tuple(names)
    if not names:
        return {}
    weights = (given.weights, scaled(given.weights, 2.0), given.other)
    left = [after(box, instant.clean, given.zero, x, given.zero) for x in weights]

    def linear(n: str) -> bool:
        memories = [memory[n] - seen[n].turned for memory in left]
        kept = fraction(memories[0], weights[0][n])
        return all(same(m, -kept * x[n]) for m, x in zip(memories, weights, strict=True))

    note = "added to the momentum buffer itself, behind what scales the gradient"
    return {
        n: Finding("buffered", seen[n].rate, note=note)
        for n in names
        if seen[n].linear and norm(seen[n].at_zero) == 0 and linear(n)
    }


def _otherwise(leaf: Seen) -> Finding:
    if leaf.remembers_weights:
        return Finding("unknown", note="weights enter its memory, but not as L2 or L1 decay")
    if leaf.rests:
        return Finding("unknown", note="nothing at zero gradient, but a step depends on weights")
    if leaf.linear and (cautious := _cautious(leaf)) is not None:
        return cautious
    if leaf.linear:
        return Finding("rate", leaf.rate, note=RESCALES if _rescaled(leaf) else DEPENDS)
    if (amount := _amount(leaf)) is not None:
        return Finding("l1", amount=amount, sure=leaf.remembers_gradients)
    return Finding("unknown", note="updates at zero gradient are not proportional to weights")


def _rescaled(leaf: Seen) -> bool:
    """Whether a step at a gradient and weights is a sum of the step without weights and weights."""
    for base, change in leaf.pulled:
        parts = np.stack([np.ravel(base), np.ravel(leaf.w)], axis=1)
        parts = parts / np.maximum(np.linalg.norm(parts, axis=0), 1e-300)
        whole = np.ravel(base + change)
        factors = np.linalg.lstsq(parts, whole, rcond=None)[0]
        if not same(parts @ factors, whole, norm(base)):
            return False
    return True


def _amount(leaf: Seen) -> float | None:
    """C if u(0, x) = −c sign(x) for all weights that were tried."""
    amount = -float(np.mean(leaf.at_w * np.sign(leaf.w)))
    pairs = ((leaf.at_w, leaf.w), (leaf.at_2w, leaf.w), (leaf.at_x, leaf.x))
    pairs += ((leaf.at_minus_w, -leaf.w),)
    return amount if amount and all(same(u, -amount * np.sign(x)) for u, x in pairs) else None
