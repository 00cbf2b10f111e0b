"""How fast groups turn and settle, against the length of the run: WD301 to WD303."""

import math
from collections.abc import Iterator

import numpy as np

from wdjax.auditing.evidence import GroupVerdict
from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.finding import Finding
from wdjax.auditing.linter.words import listed, span

UNEQUAL = 2.0
"""Angles per step that differ by more than this are taken for different."""

STEADY = 0.9
"""A learning rate that stays above this share of its largest is constant."""

FALL = 1.5
"""By how much the effective learning rate has to fall for it to be said."""


def short_run(case: Case) -> Iterator[Finding]:
    """Finds groups that the run does not bring to their equilibrium."""
    total = case.evidence.steps
    late = [v for v in case.turning if v.relaxation_steps > total * _share(case, v)]
    if not late:
        return
    names = tuple(dict.fromkeys(name for verdict in late for name in verdict.leaves))
    rates = span(verdict.rate for verdict in late)
    share = min(_share(case, verdict) for verdict in late)
    scheduled = f", which the schedule makes worth {share * total:.0f}" if share < 0.99 else ""
    yield Finding(
        "WD301",
        "warning",
        names,
        f"{listed(names)}: norms take {span(v.relaxation_steps for v in late)} steps to settle at "
        f"a decay of {rates} per step, and the run has {total}{scheduled}: how fast they turn is "
        "up to the initial norm and not to the decay",
        f"Raise the decay about {_factor(late, total * share):.2g} times (the angle per step at "
        "equilibrium is √(2·rate/R)), train longer, or set the angle itself with "
        "wdjax.transforms.on_sphere.",
    )


def _factor(late: list[GroupVerdict], total: float) -> float:
    return 3 * max(verdict.relaxation_steps for verdict in late) / total


def _share(case: Case, verdict: GroupVerdict) -> float:
    """What the decay takes over the run, relative to what it would at its largest rate."""
    leaf = case.leaves[verdict.leaves[0]]
    removed = np.nan_to_num(np.abs(leaf.removed))
    if len(removed) < 3 or not np.any(removed):
        return 1.0
    mean = np.trapezoid(removed[1:], leaf.steps[1:]) / np.ptp(leaf.steps[1:])
    return float(mean / np.max(removed))


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
