"""How strongly weights are coupled into gradients: found by cancelling them with a gradient.

An optimiser that adds s d(w) to the gradient (d(w) = w for L2, the sign of w for L1) sees nothing
at the gradient −a d(w) with a = s, and for an odd rule the opposite at s(1 + δ) and s(1 − δ). That
holds whatever the rule does with its gradient: no knowledge of it is needed.

Where the rule has a memory, the response is read from the step *after*, at zero gradient and zero
weights, where decoupled decay is silent. Where it has none, it is read from the step itself, and
decoupled decay is told apart by gradients so large that the coupled part is lost beside them.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from wdjax.auditing.blackbox import BlackBox, Vectors, numpy_step
from wdjax.auditing.observations import Materials, after, fraction, norm
from wdjax.typing import PyTree

LEAST, MOST = 1e-12, 1e6
"""The strengths searched, in either sign."""

HALVINGS = 60
"""LEAST · (MOST / LEAST)^(2^−60) is LEAST in float64."""

REPLACES = 0.75
"""A step that puts the weights elsewhere whatever they are, as one that keeps their norm, removes
the fraction 1 of them, and is odd around the gradient that brings them to zero."""

Direction = Callable[[np.ndarray], np.ndarray]
Strengths = dict[str, float]
Response = Callable[[Strengths, Vectors], Vectors]


class Coupling(NamedTuple):
    """A coupling that was found in one leaf.

    Attributes:
      strength: s.
      rate: The decoupled decay ρ beside it.
    """

    strength: float
    rate: float


def couplings(
    box: BlackBox,
    state: PyTree,
    given: Materials,
    names: Iterable[str],
    direction: Direction,
    *,
    by_memory: bool,
) -> dict[str, Coupling]:
    """Returns the coupling of each of the leaves in which weights cancel along `direction`."""
    names = tuple(names)
    if not names:
        return {}
    search = _Search(box, state, given, direction)
    rates = dict.fromkeys(names, 0.0) if by_memory else search.saturated_rates(names)
    names = tuple(rates)
    response = search.memory if by_memory else search.beside(rates)
    strengths = _roots(response, given.weights, direction, names)
    found = _confirmed(response, given, strengths)
    if by_memory:
        rates = search.rates_beside({name: strengths[name] for name in found})
    return {
        n: Coupling(strengths[n], rates[n]) for n in found if n in rates and rates[n] < REPLACES
    }


class _Search:
    """The calls: each leaf gets the gradient −a d(x), the leaves not named get none."""

    def __init__(
        self, box: BlackBox, state: PyTree, given: Materials, direction: Direction
    ) -> None:
        self.box, self.state, self.given, self.direction = box, state, given, direction
        self.silence = after(box, state, given.zero, given.zero, given.zero)

    def gradient(self, a: Strengths, x: Vectors) -> Vectors:
        return {n: -a.get(n, 0.0) * self.direction(v) for n, v in x.items()}

    def update(self, a: Strengths, x: Vectors) -> Vectors:
        return numpy_step(self.box, self.state, self.gradient(a, x), x)

    def memory(self, a: Strengths, x: Vectors) -> Vectors:
        left = after(self.box, self.state, self.gradient(a, x), x, self.given.zero)
        return {n: left[n] - self.silence[n] for n in a}

    def beside(self, rates: Strengths) -> Response:
        def response(a: Strengths, x: Vectors) -> Vectors:
            update = self.update(a, x)
            return {n: update[n] + rates[n] * x[n] for n in a}

        return response

    def saturated_rates(self, names: Iterable[str]) -> Strengths:
        """ρ where the rule bounds its steps: what is left of the updates at ±a for a huge a.

        Leaves whose step grows with a are left out: there the two decays are one function.
        """
        w, huge = self.given.weights, dict.fromkeys(names, 1e9)
        there, farther = (self.update(_times(huge, f), w) for f in (1.0, 2.0))
        bounded = [n for n in huge if norm(farther[n]) < 1.5 * norm(there[n])]
        trials = ((1.0, w), (1.0, self.given.other))
        return self.rates_around(dict.fromkeys(bounded, 0.0), huge, trials)

    def rates_beside(self, strengths: Strengths) -> Strengths:
        """ρ as what is left of the updates around a = s; only for leaves where that is all."""
        # Not at other weights: some rules remember the first ones and step from there.
        trials = ((0.5, self.given.weights), (0.125, self.given.weights))
        return self.rates_around(strengths, strengths, trials)

    def rates_around(
        self, middle: Strengths, shift: Strengths, trials: Sequence[tuple[float, Vectors]]
    ) -> Strengths:
        """ρ if (u(a + pδ) + u(a − pδ)) / 2 = −ρ x for each of the trials (p, x)."""
        rates: Strengths = {}
        refuted: set[str] = set()
        for part, x in trials:
            more = self.update({n: a + part * shift[n] for n, a in middle.items()}, x)
            less = self.update({n: a - part * shift[n] for n, a in middle.items()}, x)
            for n in middle:
                left, size = (more[n] + less[n]) / 2, norm(more[n]) + norm(less[n])
                rate = rates.setdefault(n, _or_nothing(left, x[n], more[n]))
                if norm(left + rate * x[n]) > 1e-6 * size:
                    refuted.add(n)
        return {n: rate for n, rate in rates.items() if n not in refuted}


def _roots(response: Response, w: Vectors, direction: Direction, names: Iterable[str]) -> Strengths:
    """The strength at which the response along `direction` changes its sign, by halving."""

    def along(a: Strengths) -> Strengths:
        vectors = response(a, w)
        return {n: float(np.vdot(vectors[n], direction(w[n]))) for n in a}

    none = along(dict.fromkeys(names, 0.0))
    # The weights at no gradient answer as the gradient +d(w) does where s > 0.
    alone = along(dict.fromkeys(names, -MOST))
    sign = {n: math.copysign(1.0, none[n] * math.copysign(1.0, alone[n])) for n in none}
    low, high = dict.fromkeys(sign, LEAST), dict.fromkeys(sign, MOST)
    for _ in range(HALVINGS):
        middle = {n: float(np.sqrt(low[n] * high[n])) for n in sign}
        values = along({n: sign[n] * middle[n] for n in sign})
        for n in sign:
            before = values[n] * none[n] > 0
            low[n], high[n] = (middle[n], high[n]) if before else (low[n], middle[n])
    return {n: sign[n] * float(np.sqrt(low[n] * high[n])) for n in sign}


def _confirmed(response: Response, given: Materials, strengths: Strengths) -> set[str]:
    """The leaves whose response is opposite at s(1 ± δ), in every entry and for other weights."""
    confirmed = set(strengths)
    for x, shift in ((given.weights, 0.5), (given.other, 0.5), (given.other, 0.125)):
        more = response(_times(strengths, 1 + shift), x)
        less = response(_times(strengths, 1 - shift), x)
        for n in strengths:
            size = norm(more[n]) + norm(less[n])
            if not (size > 0 and norm(more[n] + less[n]) <= 1e-6 * size):
                confirmed.discard(n)
    return confirmed


def _times(strengths: Strengths, factor: float) -> Strengths:
    return {n: factor * s for n, s in strengths.items()}


def _or_nothing(left: np.ndarray, w: np.ndarray, update: np.ndarray) -> float:
    """The fraction of w that `left` removes; 0 if it is rounding beside the updates it is left of.

    Optimisers that add up gradients in float32 round them by 1e-7.
    """
    rate = fraction(left, w)
    return rate if abs(rate) * norm(w) > 1e-6 * norm(update) else 0.0
