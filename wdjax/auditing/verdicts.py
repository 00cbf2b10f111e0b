"""What decay comes to for each norm group: the theory, at the numbers that were measured."""

import dataclasses
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from wdjax.auditing.evidence import GroupVerdict, Role
from wdjax.auditing.report import LeafDecay, Probe
from wdjax.auditing.response import Motion
from wdjax.auditing.roles import Part, alike, decays, held, remarks, role
from wdjax.auditing.rounding import steps_carry

NAN = float("nan")
NEAR = 1.1
"""The factor between the norm and its equilibrium that counts as near."""

NO_CLAIM = "no equilibrium is claimed"

SCALED = 0.15
"""Where E‖Δw‖² goes as a larger power of W, as with trust ratios, no power law lasts."""

LEAST_ORDER = 0.3
"""Below this 1 + p + q what is left of the law is too close to none."""


class Law(NamedTuple):
    """The law of the squared norm of one group, or of each index of it: see `theory.Balance`.

        dW/dt = −2 ρ W (W/W₀)^q + D (W/W₀)^(−p)

    Attributes:
      square: W₀, now.
      drag: ρ now.
      growth: D now, E‖Δw‖² times the autocorrelation sum.
      drag_power: q.
      growth_power: p.
      correlation: R.
    """

    square: np.ndarray
    drag: np.ndarray
    growth: np.ndarray
    drag_power: float
    growth_power: float
    correlation: float

    @property
    def order(self) -> float:
        """1 + p + q."""
        return 1 + self.growth_power + self.drag_power

    @property
    def settled(self) -> np.ndarray:
        """W at equilibrium; NaN where there is none."""
        if not self.order > LEAST_ORDER:
            return np.full(np.shape(self.square), NAN)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self.growth / (2 * self.drag * self.square)
            return np.where(share < np.inf, self.square * share ** (1 / self.order), NAN)

    @property
    def settled_drag(self) -> np.ndarray:
        """The fraction removed per step at equilibrium."""
        return self.drag * (self.settled / self.square) ** self.drag_power

    def steps_to_near(self) -> np.ndarray:
        """Steps until the norm is within 10% of its equilibrium, if it is moving there."""
        away = np.log(self.square / self.settled)
        target = np.clip(away, -2 * math.log(NEAR), 2 * math.log(NEAR))
        x = np.linspace(away, target, 400)  # ln W/W_eq
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            speed = np.exp(self.drag_power * x) - np.exp(-(1 + self.growth_power) * x)
            steps = np.abs(np.trapezoid(1 / speed, x, axis=0)) / (2 * self.settled_drag)
        return np.where(away == target, 0.0, steps)

    def grown(self, effective_steps: float) -> np.ndarray:
        """W after steps without decay."""
        power = 1 + self.growth_power
        share = self.growth / self.square * effective_steps
        if power < 0.1:
            return self.square * np.exp(share)
        return self.square * (1 + power * share) ** (1 / power)


def verdicts(
    found: tuple[Part, ...],
    params: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    probe: Probe,
    motions: Mapping[str, Motion],
    steps: int,
) -> tuple[GroupVerdict, ...]:
    """Returns what the decay does to each part.

    Args:
      found: The parts.
      params: The weights per path.
      gradients: The gradients per path.
      probe: What the optimiser does to each leaf.
      motions: How each leaf steps on noise.
      steps: The length of the run.
    """
    carried = {n for n, motion in motions.items() if _carries(motion, params[n], probe[n])}
    rates = {
        name: _rate(leaf, motions.get(name), name in carried) for name, leaf in probe.leaves.items()
    }

    def one(part: Part) -> GroupVerdict:
        what = role(part, probe, carried)
        blank = _blank(part, what, params, gradients, rates)
        notes = list(remarks(part, probe, {n: rates[n] for n in part.leaves}, carried))
        if what == "unknown" or (held(part, probe) and part.sort in ("joint", "rescaling")):
            pass
        elif part.sort in ("invariant", "joint"):
            moving = {n: motions[n] for n in part.leaves if n in motions}
            blank, more = _of_direction(part, blank, params, gradients, rates, moving, probe, steps)
            notes += more
        elif part.sort == "rescaling":
            notes.insert(0, _sides(part, params))
        return dataclasses.replace(blank, note="; ".join(notes))

    return tuple(map(one, found))


def _carries(motion: Motion, w: np.ndarray, leaf: LeafDecay) -> bool:
    """Whether the steps of a leaf carry a decay that rounds to nothing by itself."""
    return steps_carry(math.sqrt(motion.moment / np.size(w)), w, leaf.dtype)


def _rate(leaf: LeafDecay, motion: Motion | None, carried: bool) -> float:
    """The fraction of a leaf that is removed per step in the long run; negative if it grows."""
    if leaf.kind == "unknown":
        return NAN
    if not decays(leaf, carried):
        return 0.0
    if motion is not None and motion.drag > 0:
        return motion.drag
    return float(max(np.ravel(leaf.removed), key=lambda x: abs(np.nan_to_num(x))))


def _blank(
    part: Part,
    what: Role,
    params: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    rates: Mapping[str, float],
) -> GroupVerdict:
    """A verdict with what is known of any part."""
    square = sum(_square(params[n]) for n in part.leaves)
    moment = square * sum(_square(gradients[n]) for n in part.leaves)
    rate = NAN if what == "unknown" else _mean_rate(part, params, rates)
    balancing = part.sort == "rescaling"
    together = balancing and rate > 0 and what == "balancer" and alike(part, rates)
    return GroupVerdict(
        name=part.name,
        leaves=part.leaves,
        axes=part.axes,
        role=what,
        norm=math.sqrt(square),
        gradient_moment=NAN if balancing else moment,
        rate=rate,
        equilibrium_norm=NAN,
        angle=NAN,
        relaxation_steps=1 / (2 * rate) if together else NAN,
        effective_lr=NAN,
        settled_effective_lr=NAN,
    )


def _mean_rate(part: Part, params: Mapping[str, np.ndarray], rates: Mapping[str, float]) -> float:
    """What ‖w‖ loses per step; of weights against each other, the mean of those that decay."""
    among = [n for n in part.leaves if rates[n] > 0 or part.sort != "rescaling"]
    squares = [_square(params[n]) for n in among]
    if not sum(squares):
        return max((rates[n] for n in part.leaves), default=0.0)
    return float(np.average([rates[n] for n in among], weights=squares))


def _of_direction(
    part: Part,
    blank: GroupVerdict,
    params: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    rates: Mapping[str, float],
    moving: Mapping[str, Motion],
    probe: Probe,
    steps: int,
) -> tuple[GroupVerdict, list[str]]:
    """The numbers of a group whose scale the loss is blind to, and what to say of them."""
    if not blank.norm > 0:
        return blank, ["the weights are zero: their direction is not defined"]
    if not moving:
        still = all(_square(gradients[n]) == 0 for n in part.leaves)
        return blank, ["it has no gradient here, so that no equilibrium can be told"] * still
    blank, notes = _of_live(part, blank, params, gradients)
    law = _law(part, params, gradients, rates, moving)
    effective = _effective_lr(blank.norm, gradients, moving)
    power = -(1 + law.growth_power) / 2
    known = dataclasses.replace(blank, effective_lr=effective)
    if all(probe[n].kind == "sphere" for n in part.leaves):
        angle = math.sqrt(sum(m.moment for m in moving.values())) / blank.norm
        return dataclasses.replace(known, angle=angle, settled_effective_lr=effective), notes
    if math.isnan(law.correlation):
        return known, [*notes, "steps remember more of the past than was looked at: " + NO_CLAIM]
    if blank.role != "learning_rate":
        if not all(_carries(motion, params[n], probe[n]) for n, motion in moving.items()):
            return known, [*notes, "steps are below rounding, which may take them"]
        found, more = _without_decay(known, law, moving, power, steps)
        return found, notes + more
    among = [rates[n] for n in part.leaves]
    if not (min(among) > 0 and max(among) < 1 and alike(part, rates)):
        return known, notes
    if len(set(part.exponents.values())) > 1:
        return known, [*notes, "they scale by different powers of one factor: " + NO_CLAIM]
    total = float(np.nansum(law.settled))
    if law.growth_power < -SCALED or not total > 0:
        return known, [*notes, "steps scale with the norm: " + NO_CLAIM]
    alive = law.growth > 0
    longest = max(moving, key=lambda name: moving[name].moment)
    settled = dataclasses.replace(
        known,
        equilibrium_norm=math.sqrt(total),
        angle=math.sqrt(float(np.mean(2 * law.settled_drag[alive] / law.correlation))),
        relaxation_steps=float(np.median(1 / (2 * law.order * law.settled_drag[alive]))),
        settled_effective_lr=effective * (total / blank.norm**2) ** power,
        settling_steps=float(np.median(law.steps_to_near()[alive])),
        effective_steps=_effective_steps(probe[longest], moving[longest], steps),
    )
    return settled, notes


def _effective_steps(leaf: LeafDecay, motion: Motion, steps: int) -> float:
    """The steps of the run, each counted as its rate of decay relative to the largest."""
    removed = np.nan_to_num(np.abs(leaf.removed))
    if np.min(removed) >= 0.99 * np.max(removed):
        return float(steps)
    return float(np.sum(np.minimum(motion.course.at(np.arange(steps)), 1.0)))


def _of_live(
    part: Part,
    blank: GroupVerdict,
    params: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
) -> tuple[GroupVerdict, list[str]]:
    """Leaves indices out that have no gradient, as rows of an embedding that a batch lacks."""
    if not part.axes:
        return blank, []
    (name,) = part.leaves
    square, gradient = (_squares(x[name], part.axes) for x in (params, gradients))
    live = gradient > 0
    if np.all(live):
        return blank, []
    note = (
        f"{np.sum(~live)} of {live.size} indices have no gradient in this batch: numbers are of "
        "the others, as if every batch held them"
    )
    return dataclasses.replace(blank, norm=math.sqrt(float(np.sum(square[live])))), [note]


def _without_decay(
    known: GroupVerdict, law: Law, moving: Mapping[str, Motion], power: float, steps: int
) -> tuple[GroupVerdict, list[str]]:
    if known.role == "regulariser":
        return known, []
    longest = max(moving.values(), key=lambda motion: motion.moment)
    share = float(np.mean(longest.course.at(np.arange(steps)) ** 2))
    grown = float(np.sum(law.grown(share * steps)))
    factor = (grown / known.norm**2) ** power
    note = "the norm grows"
    if 1 + law.growth_power > LEAST_ORDER:
        late = longest.course.at(np.arange(steps // 10, steps))
        course = "as 1/√steps in the end" if np.min(late) >= 0.9 else "with it"
        note += f", and the effective learning rate falls {course}"
    return dataclasses.replace(known, settled_effective_lr=known.effective_lr * factor), [note]


def _law(
    part: Part,
    params: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    rates: Mapping[str, float],
    moving: Mapping[str, Motion],
) -> Law:
    weights = np.array([motion.moment for motion in moving.values()])

    def mean(of: str) -> float:
        return float(np.average([getattr(m, of) for m in moving.values()], weights=weights))

    correlation, p, q = (mean(of) for of in ("correlation", "growth_power", "drag_power"))
    if part.sort == "joint":
        # Of leaves that do not decay alike the drag is that of now, and no equilibrium is told.
        square = sum(_square(params[n]) for n in part.leaves)
        drag = sum(rates[n] * _square(params[n]) for n in part.leaves) / square
        growth = float(np.sum(weights)) * correlation
        square, drag, growth = (np.array([x]) for x in (square, drag, growth))
        return Law(square, drag, growth, q, p, correlation)
    (name,) = part.leaves
    motion = moving[name]
    square, gradient = (_squares(x[name], part.axes) for x in (params, gradients))
    alive = (gradient > 0) & (square > 0)
    square, relative = square[alive], gradient[alive] / np.mean(gradient[alive])
    # The motion is that of noise in all indices: what steps have by themselves, the live ones have
    # a part of, and what goes with the gradient all.
    share = np.mean(gradient > 0)
    growth = motion.moment * correlation * relative**motion.degree * share ** (1 - motion.degree)
    drag = rates[name] * (relative / share) ** (motion.drag_degree / 2)
    return Law(square, drag, growth / np.sum(relative**motion.degree), q, p, correlation)


def _effective_lr(
    norm: float, gradients: Mapping[str, np.ndarray], moving: Mapping[str, Motion]
) -> float:
    """η/‖w‖² where steps go with the gradient; where they are normalised, η/‖w‖."""
    squares = np.array([_square(gradients[n]) for n in moving])
    sizes = np.array([np.size(gradients[n]) for n in moving])
    degree = np.average([m.degree for m in moving.values()], weights=squares)
    if degree >= 0.5:
        steps = [m.immediate**2 for m in moving.values()]
        return math.sqrt(float(np.average(steps, weights=squares))) / norm**2
    steps = [m.sustained**2 for m in moving.values()]
    return math.sqrt(float(np.average(steps, weights=sizes))) / norm


def _sides(part: Part, params: Mapping[str, np.ndarray]) -> str:
    """The weighted squared norms that decay makes equal."""

    def side(sign: int) -> str:
        sizes = [
            float(abs(e)) * _square(params[n]) for n, e in part.exponents.items() if sign * e > 0
        ]
        return f"{math.sqrt(sum(sizes)):.3g}"

    zero = ": one side starts at zero" if "0" in (side(1), side(-1)) else ""
    return f"norms {side(1)} and {side(-1)} now{zero}"


def _squares(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    summed = tuple(axis for axis in range(np.ndim(x)) if axis not in axes)
    return np.atleast_1d(np.sum(np.square(np.asarray(x, float)), axis=summed))


def _square(x: np.ndarray) -> float:
    return float(np.sum(np.square(np.asarray(x, float))))
