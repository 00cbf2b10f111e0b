"""The claims of the article about the equilibrium, each checked against the measured runs.

The tolerances stand here as constants, and were written down before the first run. That run, with
the seeds 0 and 1, became a pilot, because two rules for "holds in part" turned out to ask the wrong
question, and were rewritten after it:

* `orthogonality`: at first the *largest* residual had to be below 0.1 (and the cosine below 1e-2),
  so that one measurement in 704 decided over all of them; now 99 % of them have to be below 1e-2.
* `rate_scaling`: at first √(2ηλ(1−μ)/G) with the measured G had to be met within 10 %, which is a
  law of the null model and not the claim of the article; now its slope has to be right within 0.1.

The recorded run has other seeds. Both verdicts say what they would be under the first rule. No rule
for "holds" was changed.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from wdjax import theory
from wdjax.experiments.equilibrium.config import JOINT
from wdjax.experiments.verdicts import floats, graded
from wdjax.training import Outcome, Verdict

COSINE = 1e-3  # |cos(w, ∇L)| up to which the gradient counts as orthogonal
RESIDUAL = 1e-2  # relative error of ∇L(2w) = ∇L(w)/2, in every measurement
DRIFT = 0.10  # relative change of ‖w‖² from the third to the last quarter
SLOPE = 0.05  # error of a slope of 1/2
SPREAD = 1.2  # largest over smallest of a ratio that should be one constant
ANGLE = 0.02  # relative error of the angle: of its median, and (2.5 times it) of every kernel


class Measured(NamedTuple):
    """What the claims are about, in the second half of the runs; arrays begin with (runs,).

    Attributes:
      eta: η.
      lam: λ.
      mu: μ.
      role: "grid", "no decay" or "no momentum".
      squared_norm: Mean ‖w‖² of all 3×3 kernels together.
      moment: Mean G = ‖w‖²‖g‖² of all 3×3 kernels together.
      angle_ratio: (runs, groups), rms angle per step over its prediction; NaN without decay.
    """

    eta: np.ndarray
    lam: np.ndarray
    mu: np.ndarray
    role: np.ndarray
    squared_norm: np.ndarray
    moment: np.ndarray
    angle_ratio: np.ndarray

    @property
    def grid(self) -> np.ndarray:
        """Which runs belong to the grid of (η, λ), all with the same momentum."""
        return self.role == "grid"

    @property
    def decays(self) -> np.ndarray:
        """Which runs have weight decay."""
        return self.role != "no decay"


def joint(arrays: dict[str, np.ndarray]) -> int:
    """Returns the index of the group of all 3×3 kernels."""
    return list(arrays["group"]).index(JOINT)


def kernels(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Returns which groups are single kernels."""
    return arrays["group"] != JOINT


def late(values: np.ndarray) -> np.ndarray:
    """Returns the chunks of the second half; values are (runs, chunks, ...)."""
    return values[:, values.shape[1] // 2 :]


def claimed_angle(eta: np.ndarray, lam: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Returns √(2ηλ/(1+μ)), the claim; the exact `theory.sgd(...).angle` is ≤ 0.04 % above it."""
    return np.asarray(jnp.sqrt(2 * jnp.asarray(eta) * lam / (1 + jnp.asarray(mu))))


def equilibrium(arrays: dict[str, np.ndarray]) -> Measured:
    """Averages the second half of each run."""
    eta, lam, mu = (
        arrays[name].astype(float) for name in ("learning_rate", "weight_decay", "momentum")
    )
    together = joint(arrays)
    angle = np.sqrt(np.mean(late(arrays["angle"]) ** 2, axis=1))
    predicted = claimed_angle(eta, lam, mu)
    return Measured(
        eta=eta,
        lam=lam,
        mu=mu,
        role=arrays["role"],
        squared_norm=late(arrays["squared_norm"])[:, :, together].mean(axis=1),
        moment=late(arrays["gradient_moment"])[:, :, together].mean(axis=1),
        angle_ratio=angle / np.where(lam > 0, predicted, np.nan)[:, None],
    )


def orthogonality(arrays: dict[str, np.ndarray]) -> Verdict:
    """⟨w, ∇L⟩ = 0 and ∇L(cw) = ∇L(w)/c along the whole run."""
    cosines = arrays["cosine"][:, :, kernels(arrays)]
    cosine = np.sqrt(np.mean(cosines**2, axis=1)).max()
    residuals = arrays["inverse_scaling_residual"]
    largest, median = residuals.max(), np.median(residuals)
    small = float(np.mean(residuals <= RESIDUAL))
    holds = bool(cosine <= COSINE and largest <= RESIDUAL)
    first_rule = graded(holds, cosine <= 10 * COSINE and largest <= 10 * RESIDUAL)
    return Verdict(
        claim="The gradient is orthogonal to w and scales as 1/‖w‖, along the whole run.",
        predicted="cos(w, ∇L) = 0 and ‖2∇L(2w) − ∇L(w)‖/‖∇L(w)‖ = 0",
        measured=(
            f"rms cosine at most {cosine:.1e} (worst kernel and run); residual below {RESIDUAL:g} "
            f"in {small:.1%} of {residuals.size} measurements, median {median:.1e}, largest "
            f"{largest:.1e}"
        ),
        outcome=graded(holds, cosine <= COSINE and small >= 0.99),
        because=(
            "Likely the ε of the batch norms: where the variance of a channel is as small as ε, "
            "scaling changes its output, and a ReLU behind it can switch. The record "
            "`equilibrium-epsilon`, of a run with --epsilon 1e-10, tells. Under the rule that was "
            "written before the pilot run: "
            f"{first_rule}."
        ),
        numbers=floats(
            {
                "cosine": cosine,
                "share_of_small_residuals": small,
                "median_residual": median,
                "largest_residual": largest,
            }
        ),
        of="S17",
    )


def growth(arrays: dict[str, np.ndarray]) -> Verdict:
    """Without decay ‖w‖ grows and the effective learning rate falls; with decay ‖w‖ settles."""
    squared = arrays["squared_norm"][:, :, joint(arrays)]
    decays = arrays["role"] != "no decay"
    free = squared[~decays]
    grows = bool(np.all(np.diff(free, axis=1) > 0))
    growth_factor = (free[:, -1] / free[:, 0]).min()
    law = _growth_over_law(arrays)
    quarter = squared.shape[1] // 4
    third, last = squared[:, -2 * quarter : -quarter], squared[:, -quarter:]
    drift = np.abs(np.log(last.mean(axis=1) / third.mean(axis=1)))[decays]
    settled = float(np.mean(drift <= DRIFT))
    return Verdict(
        claim="Without decay ‖w‖ grows and η/‖w‖² falls for ever; with decay ‖w‖ settles.",
        predicted="λ = 0: ‖w‖² rises in every chunk; λ > 0: no drift in the second half",
        measured=(
            f"λ = 0: ‖w‖² {'rises in every chunk' if grows else 'does not rise in every chunk'}, "
            f"by {growth_factor:.2f}× at least over the run (‖w‖⁴ by {law.min():.2f} to "
            f"{law.max():.2f} times 2η²G/(1−μ)² per step); λ > 0: drift at most {drift.max():.1%}, "
            f"within {DRIFT:.0%} in {settled:.0%} of the runs"
        ),
        outcome=graded(grows and settled == 1, grows and settled >= 0.5),
        because=(
            "Likely runs that are too short for their relaxation time (1−μ)/(4ηλ), or a gradient "
            "moment G that still changes as the network learns, so that the equilibrium moves."
        ),
        numbers=floats(
            {
                "growth": growth_factor,
                "growth_over_law": law.mean(),
                "drift": drift.max(),
                "settled": settled,
            }
        ),
        of="S7",
    )


def _growth_over_law(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Growth of ‖w‖⁴ in the runs without decay, from chunk to chunk, over what theory says."""
    free = np.flatnonzero(arrays["role"] == "no decay")
    squared = arrays["squared_norm"][free, :, joint(arrays)]
    moment = arrays["gradient_moment"][free, :, joint(arrays)]
    steps = np.diff(arrays["step"])
    between = (moment[:, 1:] + moment[:, :-1]) / 2
    per_step = theory.coupled_sgd.growth_without_decay(
        arrays["learning_rate"][free, None],
        arrays["momentum"][free, None],
        gradient_moment=between,
    )
    return (squared[:, -1] ** 2 - squared[:, 0] ** 2) / np.sum(np.asarray(per_step) * steps, axis=1)


def norm_scaling(arrays: dict[str, np.ndarray]) -> Verdict:
    """‖w‖² at equilibrium scales as √(η/λ): slope over the grid, and the ratio of figure 2."""
    m = equilibrium(arrays)
    quotient = m.eta[m.grid] / m.lam[m.grid]
    product = m.eta[m.grid] * m.lam[m.grid]
    slope, error = _slope(quotient, m.squared_norm[m.grid])
    ratio = m.squared_norm[m.grid] / np.sqrt(quotient)
    spread = float(ratio.max() / ratio.min())
    fixed = _largest_spread_at_fixed_product(product, ratio)
    right_slope = abs(slope - 0.5) <= SLOPE
    on_product, on_quotient = (_slope(x, m.moment[m.grid])[0] for x in (product, quotient))
    return Verdict(
        claim="‖w‖² at equilibrium scales as √(η/λ); ‖w‖²/√(η/λ) is the same for all (η, λ).",
        predicted="slope 0.5 of log ‖w‖² on log(η/λ); ratio ‖w‖²/√(η/λ) constant",
        measured=(
            f"slope {slope:.3f} ± {error:.3f}; ratio from {ratio.min():.2f} to {ratio.max():.2f} "
            f"({spread:.2f}×) over the grid, within {fixed:.2f}× where ηλ is the same"
        ),
        outcome=graded(right_slope and spread <= SPREAD, right_slope and fixed <= SPREAD),
        because=(
            "‖w‖² = √(ηG/(2λ(1−μ))), and the gradient moment G is not the same for all (η, λ): "
            f"over this grid its slope is {on_product:.2f} on ηλ and {on_quotient:.2f} on η/λ. "
            "Likely because ηλ sets the effective learning rate, and so where training goes; and "
            "because head, gains and biases train at η itself, without decay."
        ),
        numbers=floats(
            {
                "slope": slope,
                "slope_error": error,
                "spread": spread,
                "spread_at_fixed_product": fixed,
                "moment_on_product": on_product,
                "moment_on_quotient": on_quotient,
            }
        ),
        of="S9",
    )


def rate_scaling(arrays: dict[str, np.ndarray]) -> Verdict:
    """The effective learning rate η/‖w‖² scales as √(ηλ)."""
    m = equilibrium(arrays)
    product = m.eta[m.grid] * m.lam[m.grid]
    effective = m.eta[m.grid] / m.squared_norm[m.grid]
    slope, error = _slope(product, effective)
    settled = theory.sgd(m.eta[m.grid], m.lam[m.grid], m.mu[m.grid])
    known = settled.effective_lr(gradient_moment=m.moment[m.grid])
    known_slope, _ = _slope(product, np.asarray(known))
    off = np.abs(effective / np.asarray(known) - 1).max()
    holds = bool(abs(slope - 0.5) <= SLOPE)
    return Verdict(
        claim="The effective learning rate η/‖w‖² scales as √(ηλ).",
        predicted="slope 0.5 of log(η/‖w‖²) on log(ηλ)",
        measured=(
            f"slope {slope:.3f} ± {error:.3f}; √(2ηλ(1−μ)/G) with the measured gradient moment G "
            f"of each run has slope {known_slope:.3f} and is met within {off:.1%}"
        ),
        outcome=graded(holds, abs(slope - 0.5) <= 2 * SLOPE),
        because=(
            "These are the measurements of the claim on ‖w‖² once more. Most of the difference is "
            f"that G changes with ηλ: with its G, theory gives the slope {known_slope:.3f}. The "
            "rest is likely the correlation of successive gradients, which that theory leaves out. "
            "Under the rule that was written before the pilot run: "
            f"{graded(holds, slope > 0 and bool(off <= 0.1))}."
        ),
        numbers=floats(
            {
                "slope": slope,
                "slope_error": error,
                "slope_with_known_moment": known_slope,
                "error_with_known_moment": off,
            }
        ),
        of="S10",
    )


def scale(arrays: dict[str, np.ndarray]) -> Verdict:
    """The scale of the equilibrium, in a network of which not every parameter is scale-invariant.

    The rule was added when the record was known; it asks what `norm_scaling` asks, or at least that
    theory is met with the measured G of each run.
    """
    m = equilibrium(arrays)
    settled = theory.sgd(m.eta[m.decays], m.lam[m.decays], m.mu[m.decays])
    law = np.asarray(settled.norm(gradient_moment=m.moment[m.decays])) ** 2
    off = m.squared_norm[m.decays] / law
    within = bool(off.max() <= SPREAD and off.min() >= 1 / SPREAD)
    powers = norm_scaling(arrays)
    return Verdict(
        claim="Although head, gains and biases are not scale-invariant, the kernels have the "
        "equilibrium of the argument.",
        predicted="‖w‖² = √(ηG/(2λ(1−μ))), and so √(η/λ) times a constant",
        measured=(
            f"‖w‖² is {off.min():.3f} to {off.max():.3f} times this, with the measured gradient "
            f"moment G of each run (that √(η/λ) alone decides: {powers.outcome})"
        ),
        outcome=graded(within and powers.outcome == Outcome.HOLDS, within),
        because="The balance is met, but its constant depends on η and λ: " + powers.because,
        numbers=floats({"lowest": off.min(), "highest": off.max()}),
        of="S18",
    )


def angle(arrays: dict[str, np.ndarray]) -> Verdict:
    """The angle per step equals √(2ηλ/(1+μ)), with no fitted constant, for each kernel."""
    m = equilibrium(arrays)
    ratio = m.angle_ratio[np.ix_(m.decays, kernels(arrays))]
    together = m.angle_ratio[m.decays, joint(arrays)]
    median, low, high = np.median(ratio), ratio.min(), ratio.max()
    plain = np.median(m.angle_ratio[np.ix_(m.role == "no momentum", kernels(arrays))])
    worst = np.abs(ratio - 1).max()
    return Verdict(
        claim="The angle per step is √(2ηλ/(1+μ)), with no fitted constant, for each kernel.",
        predicted="measured over predicted = 1 for every kernel, setting and seed",
        measured=(
            f"median {median:.3f}, from {low:.3f} to {high:.3f} over {ratio.shape[1]} kernels in "
            f"{len(ratio)} runs (without momentum: median {plain:.3f}); all 3×3 kernels together: "
            f"from {together.min():.3f} to {together.max():.3f}"
        ),
        outcome=graded(
            abs(median - 1) <= ANGLE and worst <= 2.5 * ANGLE,
            abs(median - 1) <= 2.5 * ANGLE,
        ),
        because=(
            "The formula needs only ⟨w, ∇L⟩ = 0 and a ‖w‖² that stays; a kernel that is still "
            "shrinking turns by less, and one that grows by more."
        ),
        numbers=floats(
            {"median": median, "lowest": low, "highest": high, "without_momentum": plain}
        ),
        of="S7",
    )


CLAIMS: tuple[Callable[[dict[str, np.ndarray]], Verdict], ...] = (
    orthogonality,
    growth,
    norm_scaling,
    rate_scaling,
    angle,
    scale,
)


def check(arrays: dict[str, np.ndarray]) -> tuple[Verdict, ...]:
    """Returns the verdicts on all claims; what holds needs no reason."""
    verdicts = [claim(arrays) for claim in CLAIMS]
    return tuple(
        dataclasses.replace(verdict, because="") if verdict.outcome == Outcome.HOLDS else verdict
        for verdict in verdicts
    )


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Least-squares slope of log y on log x, and its standard error (0 for two points)."""
    u, v = np.log(x) - np.mean(np.log(x)), np.log(y) - np.mean(np.log(y))
    spread = np.sum(u**2)
    if spread == 0:
        return 0.0, 0.0
    slope = np.sum(u * v) / spread
    error = np.sqrt(np.sum((v - slope * u) ** 2) / max(len(u) - 2, 1) / spread)
    return float(slope), float(error)


def _largest_spread_at_fixed_product(product: np.ndarray, ratio: np.ndarray) -> float:
    """Largest over smallest ratio among the runs of one ηλ (and of several η/λ); the worst ηλ."""
    nearest = np.round(np.log(product), 3)
    same = [ratio[nearest == value] for value in np.unique(nearest)]
    return float(max(values.max() / values.min() for values in same))
