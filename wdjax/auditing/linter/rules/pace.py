"""How fast groups turn and settle, against the length of the run: WD301 to WD304."""

import math
from collections.abc import Iterator

import numpy as np

from wdjax.auditing.evidence import GroupVerdict
from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.finding import Finding
from wdjax.auditing.linter.words import largest, listed, span

UNEQUAL = 2.0
"""Angles per step that differ by more than this are taken for different."""

STEADY = 0.9
"""A learning rate that stays above this share of its largest is constant."""

BESIDE = ("rate", "cautious", "coupled_and_decoupled")
"""Kinds of decay whose rate is a fraction of the weight, whatever the gradient."""

FALL = 1.5
"""By how much the effective learning rate has to fall for it to be said."""


WORTH = 0.9
"""A schedule that takes less than this share of the decay away is not spoken of."""


def short_run(case: Case) -> Iterator[Finding]:
    """Finds groups that the run does not bring to their equilibrium."""
    worth = {v: case.evidence.steps * case.share(v.leaves[0]) for v in case.turning}
    late = [v for v in worth if v.relaxation_steps > worth[v]]
    on_the_way = [v for v in worth if v not in late and v.settling_steps > worth[v]]
    if late:
        times = span(v.relaxation_steps for v in late)
        short = min(worth[v] for v in late)
        factor = 3 * max(v.relaxation_steps for v in late) / short
        yield Finding(
            "WD301",
            "warning",
            _leaves(late),
            f"{listed(_leaves(late))}: norms take {times} steps to settle at a decay of "
            f"{span(v.rate for v in late)} per step, and the run has {_length(case, short)}: how "
            "fast they turn is up to the initial norm and not to the decay",
            f"Raise the decay about {factor:.2g} times (the angle per step at equilibrium is "
            "√(2·rate/R)), train longer, or set the angle itself with wdjax.transforms.on_sphere.",
        )
    if on_the_way:
        times = span(v.settling_steps for v in on_the_way)
        short = min(worth[v] for v in on_the_way)
        yield Finding(
            "WD301",
            "note",
            _leaves(on_the_way),
            f"{listed(_leaves(on_the_way))}: norms are within 10% of their equilibrium after "
            f"{times} steps, and the run has {_length(case, short)}: it ends on the way there",
            "If the angle per step at equilibrium is what you want, start with the norms nearer to "
            "theirs, raise the decay or train longer; else nothing.",
        )


def _leaves(verdicts: list[GroupVerdict]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for verdict in verdicts for name in verdict.leaves))


def _length(case: Case, worth: float) -> str:
    total = case.evidence.steps
    scheduled = f", which the schedule makes worth {worth:.0f}" if worth < WORTH * total else ""
    return f"{total}{scheduled}"


def overshooting(case: Case) -> Iterator[Finding]:
    """Finds decay that takes the whole of a weight, or more, in one step."""
    rates = {n: largest(case.leaves[n].rates) for n in case.decaying}
    names = [n for n in rates if case.leaves[n].kind in BESIDE and rates[n] >= 1]
    if not names:
        return
    most = max(rates[name] for name in names)
    then = "diverges" if most > 2 else "erases the weights or throws them over zero"
    yield Finding(
        "WD304",
        "warning",
        tuple(names),
        f"{listed(names)}: a step removes {span(rates[name] for name in names)} times the weight: "
        f"w ← (1 − {most:.3g}) w {then}",
        "Lower it far below 1. Decoupled decay in optax.adamw is multiplied by the learning rate, "
        "wdjax.transforms.decoupled_decay(rate) is not: lr·weight_decay is its rate.",
    )


def unequal_speeds(case: Case) -> Iterator[Finding]:
    """Finds groups that turn at different speeds at equilibrium."""
    known = [v for v in case.turning if v.angle > 0 and math.isfinite(v.angle)]
    if not known:
        return
    slow, fast = min(known, key=lambda v: v.angle), max(known, key=lambda v: v.angle)
    if fast.angle <= UNEQUAL * slow.angle:
        return
    slower = [v for v in known if v.angle * UNEQUAL < fast.angle]
    yield Finding(
        "WD302",
        "warning",
        tuple(dict.fromkeys(name for verdict in slower for name in verdict.leaves)),
        f"{slow.name} turns by {slow.angle:.2g} rad per step at equilibrium and {fast.name} by "
        f"{fast.angle:.2g}, {fast.angle / slow.angle:.2g} times as fast; one learning rate cannot "
        "suit both",
        "Give all groups the same product of learning rate and decay under one optimiser; under "
        "two optimisers choose rates ρ with equal √(2ρ/R).",
    )


def undecayed_under_a_constant_rate(case: Case) -> Iterator[Finding]:
    """Finds groups without decay whose effective learning rate falls as they grow."""
    falls = {group: fall for group in case.groups if (fall := _undecayed(case, group)) >= FALL}
    for severity in ("warning", "note"):
        chosen = [group for group in falls if (len(group) > 1) == (severity == "note")]
        if not chosen:
            continue
        names = tuple(dict.fromkeys(name for group in chosen for name in group))
        known = [falls[group] for group in chosen if math.isfinite(falls[group])]
        by = f" by {span(known)} times over {case.evidence.steps} steps" if known else ""
        common = "common scale" if severity == "note" else "scale"
        yield Finding(
            "WD303",
            severity,
            names,
            f"{listed(names)}: the loss does not see their {common}, and they do not decay: each "
            "step makes them longer, and under the constant learning rate the effective one falls"
            f"{by}, as 1/√t in the long run",
            "Decay them (the norm then settles), or lower the learning rate as you want it to "
            "fall, or keep the norms: wdjax.transforms.on_sphere(tx, groups).",
        )


def _undecayed(case: Case, group: tuple[str, ...]) -> float:
    """How many times smaller the effective learning rate of a free group gets; 1 for others."""
    kinds = {case.leaves[n].kind for n in group if n in case.leaves}
    free = kinds == {"none"} and not any(case.decays(name) for name in group)
    if not free or set(group) & set(case.frozen) or case.steps is None:
        return 1.0
    constant = all(_constant(case.steps.course[name]) for name in group)
    return _fall(case, group) if constant else 1.0


def _constant(course: np.ndarray) -> bool:
    """Whether steps stay as large as they were once, from the first half of the run on."""
    late = course[int(np.argmax(course >= STEADY)) :]
    return bool(len(late) > len(course) / 2 and np.min(late) >= STEADY)


def _fall(case: Case, group: tuple[str, ...]) -> float:
    """How many times smaller the effective learning rate is at the end; infinite if not known."""
    for verdict in case.evidence.verdicts:
        if set(verdict.leaves) == set(group) and verdict.role == "not_decayed":
            fall = verdict.effective_lr / verdict.settled_effective_lr
            return fall if math.isfinite(fall) else math.inf
    return math.inf
