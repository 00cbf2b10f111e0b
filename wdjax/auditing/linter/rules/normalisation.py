"""What the ε and the statistics of normalisations do to decay: WD501 to WD503."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from wdjax import trees
from wdjax.auditing.evidence import GroupVerdict
from wdjax.auditing.linter.case import Case
from wdjax.auditing.linter.finding import Finding
from wdjax.auditing.linter.sites import Site
from wdjax.auditing.linter.words import listed
from wdjax.theory.curvature import sphere_curvature
from wdjax.theory.instability import protecting_epsilon, threshold_norm

LOST = 0.1
"""The share of v + ε that ε may have while the loss counts as blind to the scale."""


def large_epsilon(case: Case) -> Iterator[Finding]:
    """Finds normalisations whose ε is not small beside the variance, now or at equilibrium."""
    found: list[tuple[float, Site, float, tuple[str, ...]]] = []
    for site in case.sites:
        leaves = tuple(sorted(_of(case, site)))
        if site.given or not leaves:
            continue
        variance = site.variance * min(_shrink(case, leaves), 1.0) ** 2
        share = site.epsilon / (variance + site.epsilon)
        if share > LOST:
            found.append((share, site, variance, tuple(filter(case.is_matrix, leaves)) or leaves))
    if not found:
        return
    names = tuple(dict.fromkeys(name for *_, leaves in found for name in leaves))
    share, site, variance, worst = max(found, key=lambda entry: entry[0])
    when = "" if variance == site.variance else " at the norm that the decay leads to in the run"
    yield Finding(
        "WD501",
        "warning",
        names,
        f"{listed(names)}: behind {listed(worst)} ε = {site.epsilon:.2g} is {share:.0%} of "
        f"variance plus ε{when} (variance {variance:.2g} there, {site.variance:.2g} now; "
        f"{site.line}): the loss sees the scale, and what is said of invariant weights does not "
        "hold",
        f"Set the epsilon of the normalisation below {variance * LOST / 10:.1g}, or decay less.",
    )


def _shrink(case: Case, leaves: tuple[str, ...]) -> float:
    """‖w‖ where the run takes it over ‖w‖ now, of the group that sets the variance; 1 if not known.

    If the loss is blind to the scale of a group that a variance depends on, then the variance goes
    as the square of that scale.
    """
    ratios = [
        max(verdict.equilibrium_norm / verdict.norm, _decayed(case, verdict))
        for verdict in case.turning
        if set(verdict.leaves) <= set(leaves)
        and verdict.norm > 0
        and math.isfinite(verdict.equilibrium_norm)
    ]
    return math.prod(ratios)


def _decayed(case: Case, verdict: GroupVerdict) -> float:
    """What decay alone leaves of a norm after the run: it does not get nearer to equilibrium."""
    worth = case.evidence.steps * case.share(verdict.leaves[0])
    return math.exp(-min(verdict.rate * worth, 700.0)) if verdict.rate > 0 else 1.0


def small_epsilon(case: Case) -> Iterator[Finding]:
    """Finds groups that decay will bring to where the steps are no longer stable.

    The loss is blind to the group's scale, so that its curvature is h/‖w‖². Steps of size η are
    stable up to η h/‖w‖² = 2(1 + μ). If decay brings ‖w‖ below that within the run, if the noise
    of the gradients does not hold it above, and if ε does not bound the curvature there, then the
    norm is thrown up again and again: periodic instability. h and the noise are those of the given
    parameters and batch.

    Source: Lobacheva et al., arXiv:2106.15739.
    """
    unstable = [found for v in case.turning if (found := _unstable(case, v)) is not None]
    if not unstable:
        return
    leaves = tuple(dict.fromkeys(name for found in unstable for name in found.verdict.leaves))
    first = min(unstable, key=lambda found: found.after)
    yield Finding(
        "WD502",
        "warning",
        leaves,
        f"{listed(leaves)}: decay brings the norm of {first.verdict.name} from "
        f"{first.verdict.norm:.3g} below {first.edge:.2g} in about {first.after:.2g} steps, where "
        f"steps are no longer stable (curvature {first.curvature:.2g} at norm 1): neither the "
        f"noise of the gradients holds it above nor ε = {first.epsilon:.1g}; expect jumps of the "
        "loss, again and again",
        "Lower the learning rate or the decay, or keep the norm with wdjax.transforms.on_sphere; "
        f"or raise the epsilon of every normalisation to about {first.protecting:.1g}: so small "
        "weights are then seen by the loss (WD501), and it holds them up.",
    )


class _Unstable(NamedTuple):
    """A group that becomes unstable.

    Attributes:
      verdict: The verdict on it.
      curvature: h.
      edge: The norm below which it is unstable.
      after: In so many steps.
      epsilon: ε.
      protecting: The ε that would be enough.
    """

    verdict: GroupVerdict
    curvature: float
    edge: float
    after: float
    epsilon: float
    protecting: float


def _unstable(case: Case, verdict: GroupVerdict) -> _Unstable | None:
    eta, momentum = _linear_step(case, verdict)
    site = next((s for s in case.sites if _of(case, s) >= set(verdict.leaves)), None)
    if not (eta > 0 and verdict.rate > 0 and verdict.norm > 0) or site is None or site.given:
        return None
    params, args = case.evidence.params, case.evidence.args
    mask = trees.with_leaves(params, [n in verdict.leaves for n in trees.named_leaves(params)])
    curvature = float(sphere_curvature(case.penalties.loss, params, *args, mask=mask))
    if not curvature > 0:
        return None
    variance = site.variance / verdict.norm**2
    protecting = float(protecting_epsilon(eta, curvature, variance, momentum))
    edge = float(
        threshold_norm(eta, curvature, momentum, norm_epsilon=site.epsilon, unit_variance=variance)
    )
    # Decay alone brings it there in time, and the noise of the gradients does not stop it before.
    after = math.log(max(verdict.norm / edge, 1.0)) / verdict.rate if edge else math.inf
    if after > case.evidence.steps or verdict.equilibrium_norm >= edge:
        return None
    return _Unstable(verdict, curvature, edge, after, site.epsilon, protecting)


def _of(case: Case, site: Site) -> set[str]:
    return set(site.leaves) - set(case.symmetries.dead)


def _linear_step(case: Case, verdict: GroupVerdict) -> tuple[float, float]:
    """η and μ of an optimiser that is linear in its gradients; NaN of another one.

    From E‖Δw‖² = η² E‖g‖²/(1 − μ²) and R = (1 + μ)/(1 − μ).
    """
    known = [case.evidence.responses.get(name) for name in verdict.leaves]
    responses = [response for response in known if response is not None]
    if len(responses) < len(known) or any(r.degree < 0.5 for r in responses):
        return math.nan, math.nan
    correlation = max(responses[0].correlation, 1.0)
    momentum = (correlation - 1) / (correlation + 1)
    square = sum(float(np.sum(case.evidence.gradients[n] ** 2)) for n in verdict.leaves)
    moment = sum(response.step_moment for response in responses)
    if not square > 0:
        return math.nan, math.nan
    return math.sqrt(moment * (1 - momentum**2) / square), momentum


def given_statistics(case: Case) -> Iterator[Finding]:
    """Finds weights that decay in a loss which is normalised by statistics from outside."""
    sites = [site for site in case.sites if site.given]
    fed = dict.fromkeys(name for site in sites for name in sorted(site.leaves))
    names = [n for n in fed if n in case.leaves and case.decays(n) and case.is_matrix(n)]
    if not names:
        return
    yield Finding(
        "WD503",
        "warning",
        tuple(names),
        f"{listed(names)}: decays in a loss that divides by given statistics, as batch norm does "
        f"in evaluation mode ({sites[0].line}): there the loss sees the scale of these weights, "
        "and the decay shrinks what the network computes",
        "Train, and audit, with the statistics of the batch (train=True, "
        "use_running_average=False); if they are to stay frozen, leave these weights out of the "
        "decay.",
    )
