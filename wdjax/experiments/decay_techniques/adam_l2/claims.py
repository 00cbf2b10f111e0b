"""The rules by which `adam-l2` judges the article; written down before the default run."""

from collections.abc import Callable

import numpy as np

from wdjax.experiments.decay_techniques.adam_l2.quadratics import FAMILIES, OPTIMUM
from wdjax.experiments.experiment import Arrays
from wdjax.experiments.verdicts import graded, slope, verdict
from wdjax.training import Verdict

ROUNDING = 1e-12  # relative difference of weights that counts as rounding in float64
PLACE = 0.03  # error of a resting place, in units of the optimum w*
SLOPE = 0.05  # error of a slope of −1 or 0
CUBE = 0.03  # error of a slope of −1/3 or −1/2
RATE = 0.02  # relative error of a decay rate
FRACTION = 0.05  # relative error of the median fraction removed per step
START = 4  # first record of what is left that counts: after 50 steps momentum has filled
HALF = 1.1  # largest over smallest time to the half, if it does not depend on λ
GONE = 0.05  # share of the first norm below which a weight counts as gone
BINS = 10
BETA = 0.9  # Adam's β₁
COUPLED, DECOUPLED = 0, 1


def sgd_equal(arrays: Arrays) -> Verdict:
    """In SGD the gradient of an L2 penalty is decay."""
    apart, without = arrays["sgd_plain"].max(), arrays["sgd_without"][-1]
    momentum, matched = arrays["sgd_momentum"][-1], arrays["sgd_matched"][-1]
    return verdict(
        "W15",
        "In plain SGD, adding the gradient of an L2 penalty and decaying the weights are the same.",
        "no difference of the weights but rounding, along a warm-up and a drop of η",
        f"weights differ by {apart:.0e} of their norm (float64; decay as such moves them by "
        f"{without:.1%}). With momentum, which the article does not speak of, by {momentum:.1%}, "
        f"and by {matched:.1%} at λ/(1−μ)",
        graded(apart <= ROUNDING and without >= 1e3 * ROUNDING),
        "The two are equal step by step; a difference means an error in one of them.",
        {"apart": apart, "without": without, "momentum": momentum, "matched": matched},
    )


def coupled_rate(arrays: Arrays) -> Verdict:
    """Adam divides the decay of a weight by the size of its gradients."""
    rate, size = decay_rates(arrays)[COUPLED], arrays["left_size"][COUPLED]
    found = slope(size, rate)
    ratio = rate * size / _unscaled_rate(arrays)
    lagging = lagging_rates(_unscaled_rate(arrays) / size) * size / _unscaled_rate(arrays)
    left = np.abs(ratio / lagging - 1).max()
    return verdict(
        "W16",
        "Adam scales the decay that comes from an L2 penalty: each weight decays at ηλ/s, with s "
        "the size of its gradients.",
        "slope −1 of log(rate) on log(s); rate·s/(ηλ) = 1",
        f"slope {found:.3f} for s from {size.min():.2g} to {size.max():.3g}; rate·s/(ηλ) from "
        f"{ratio.min():.3f} to {ratio.max():.3f}",
        graded(abs(found + 1) <= SLOPE and _close(ratio, RATE), abs(found + 1) <= 2 * SLOPE),
        "A weight that decays fast is ahead of its momentum, which still holds the larger λw of "
        f"earlier steps. With β₁ alone, and no noise, the ratios are {lagging.min():.3f} to "
        f"{lagging.max():.3f}; from these the measured ones differ by {left:.1%} at most.",
        {"slope": found, "lowest": ratio.min(), "highest": ratio.max()},
    )


def coupled_place(arrays: Arrays) -> Verdict:
    """Whether the optimum that Adam+L2 settles at is one of a scaled penalty."""
    curvature, _, places, sizes = _table(arrays, COUPLED)
    lam = arrays["weight_decay"]
    off = np.abs(places - OPTIMUM * curvature / (curvature + lam / sizes))
    plain = np.abs(places - OPTIMUM * curvature / (curvature + lam))
    return verdict(
        "W16",
        "Beyond the article: as Adam scales the L2 penalty, what it settles at is regularised by "
        "λ/s.",
        "if so, w rests at h w*/(h + λ/s); by theory at the ridge optimum h w*/(h + λ)",
        f"off the scaled optimum by up to {off.max():.2f} w*, off the plain ridge optimum by up "
        f"to {plain.max():.3f} w*, for noise and loss scales over "
        f"{np.ptp(np.log10(arrays['scales'])):.0f} decades",
        graded(off.max() <= PLACE, np.mean(off <= PLACE) >= 0.5 and plain.max() > PLACE),
        "The penalty's gradient and the loss's are divided by the same √v, so where they cancel "
        "does not move: what is scaled is how fast a weight gets there, not where it rests.",
        {"off_scaled": off.max(), "off_ridge": plain.max()},
    )


def decoupled_rate(arrays: Arrays) -> Verdict:
    """AdamW decays all weights at one rate."""
    rate = decay_rates(arrays)[DECOUPLED] / _unscaled_rate(arrays)
    return verdict(
        "W19",
        "Under AdamW the decay is constant whatever the optimiser's scaling: ηλ for each weight.",
        "rate/(ηλ) = 1 for gradients of every size",
        f"from {rate.min():.4f} to {rate.max():.4f} for gradient noise over "
        f"{np.ptp(np.log10(arrays['scales'])):.0f} decades",
        graded(_close(rate, RATE), _close(rate, 5 * RATE)),
        "A weight on pure noise has no other force on it; a difference means an error.",
        {"lowest": rate.min(), "highest": rate.max()},
    )


def decoupled_place(arrays: Arrays) -> Verdict:
    """Whether the strength of regularisation at rest is constant under AdamW."""
    curvature, _, places, sizes = _table(arrays, DECOUPLED)
    lam = arrays["weight_decay"]
    theory = np.abs(places - OPTIMUM * curvature / (curvature + lam * sizes)).max()
    spread = {name: np.ptp(arrays["place"][DECOUPLED, i]) for i, name in enumerate(FAMILIES)}
    even = [value <= PLACE for value in spread.values()]
    noise = arrays["place"][DECOUPLED, FAMILIES.index("noise")]
    return verdict(
        "W19",
        "Under AdamW the strength of regularisation is constant whatever the optimiser's scaling.",
        "w rests at the same share of w* for every size of the noise and of the loss",
        f"with the scale of the loss w* shrinks to within {spread['loss']:.3f} of one share; with "
        f"that of the noise alone from {noise.max():.2f} to {noise.min():.2f} w*. "
        f"h w*/(h + λs) is met within {theory:.3f} w*",
        graded(all(even), any(even)),
        "The rate of decay is constant, but the step towards the optimum is divided by s. So the "
        "penalty that AdamW settles at is λs: it grows with the noise of a weight's gradient. "
        "It is Adam with L2 whose resting place does not see the noise.",
        {"spread_loss": spread["loss"], "spread_noise": spread["noise"], "off_theory": theory},
    )


def network_coupled(arrays: Arrays) -> Verdict:
    """Weights of a network with large gradients are decayed less by Adam+L2."""
    root, ratio = network_medians(arrays, COUPLED)
    found = slope(root, ratio / root)
    middle = _middle(ratio)
    return verdict(
        "W16",
        "In a network too, Adam scales the penalty: weights with large gradients are decayed less.",
        "fraction removed per step ηλ/√v: slope −1 on √v",
        f"slope {found:.3f} over √v from {root.min():.1e} to {root.max():.1e} (medians of "
        f"{BINS} groups of weights); median of fraction·√v/(ηλ) {middle:.3f}",
        graded(abs(found + 1) <= SLOPE and abs(middle - 1) <= FRACTION, found <= -0.5),
        "The weights and v move during the steps of the replay.",
        {"slope": found, "median": middle},
    )


def network_decoupled(arrays: Arrays) -> Verdict:
    """All weights of a network are decayed alike by AdamW."""
    root, ratio = network_medians(arrays, DECOUPLED)
    found, middle = slope(root, ratio), _middle(ratio)
    return verdict(
        "W18",
        "AdamW applies the decay to the weights directly (after the optimiser's update, which is "
        "not tested), and not through the gradient.",
        "fraction removed per step ηλ in each weight: slope 0 on √v",
        f"slope {found:.3f} over √v from {root.min():.1e} to {root.max():.1e}; median of "
        f"fraction/(ηλ) {middle:.3f}. Ours, as PyTorch's, takes ηλw from the weights before the "
        "update; from those after it, it would differ by a share ηλ of the step",
        graded(abs(found) <= SLOPE and abs(middle - 1) <= FRACTION, abs(found) <= 4 * SLOPE),
        "The weights move during the steps of the replay.",
        {"slope": found, "median": middle},
    )


def unused(arrays: Arrays) -> Verdict:
    """Weights that do nothing are pulled to zero."""
    norms = arrays["unused"].astype(float)
    falls = (np.diff(norms, axis=-1) < 0) | (norms[..., 1:] < GONE)
    left = norms[..., -1].mean(axis=-1)
    return verdict(
        "W12",
        "A weight that does not contribute is gradually pulled towards zero.",
        "weights at pixels that are always black shrink in every interval, until they are gone",
        f"left of their norm after {arrays['unused_step'][-1]} steps: Adam+L2 {_listed(left[0])} "
        f"(λ = {_listed(arrays['network_coupled'])}), AdamW {_listed(left[1])} "
        f"(λ = {_listed(arrays['network_decoupled'])})",
        graded(falls.all(), falls.mean() >= 0.9),
        "Adam+L2 takes steps of a fixed size even towards zero, and so passes it.",
        {"coupled": left[0].mean(), "decoupled": left[1].mean()},
    )


def unused_speed(arrays: Arrays) -> Verdict:
    """The speed at which unused weights go does not depend on λ in Adam+L2."""
    times = _time_to(0.8, arrays["unused"][COUPLED].mean(axis=1), arrays["unused_step"])
    spread = times.max() / times.min()
    decays = arrays["network_coupled"]
    return verdict(
        "W16",
        "Beyond the article: Adam scales the penalty by its own size too; where there is no other "
        "gradient, weights fall by η per step whatever λ is.",
        "the same time to 80 % of the norm for every λ",
        f"{_listed(times)} steps for λ = {_listed(decays)}",
        graded(spread <= HALF, spread <= 2),
        "ε, or gradients that are not quite zero, keep Adam from normalising λw to 1.",
        {"spread": spread},
    )


def cube_root(arrays: Arrays) -> Verdict:
    """Scale-invariant groups settle by other laws under Adam+L2 than under AdamW."""
    coupled = slope(arrays["coupled_decay"], arrays["coupled_norm"])
    decoupled = slope(arrays["decoupled_decay"], arrays["decoupled_norm"])
    off = np.abs(arrays["coupled_norm"] / arrays["coupled_predicted"] - 1).max()
    holds = abs(coupled + 1 / 3) <= CUBE and abs(decoupled + 1 / 2) <= CUBE
    return verdict(
        "W14",
        "Weight decay acts otherwise than L2 in Adam. Beyond the article: weights ahead of a "
        "normalisation settle at norms ∝ λ^(−1/3) under Adam+L2 and ∝ λ^(−1/2) under AdamW.",
        "slopes −0.333 and −0.500 of log ‖w‖ on log λ",
        f"slopes {coupled:.3f} and {decoupled:.3f}; ‖w‖³ = η√(dG)/(2λ) within {off:.1%}",
        graded(holds, abs(coupled - decoupled) > CUBE),
        "To leading order in ηλ/s; or the groups had not settled.",
        {"coupled": coupled, "decoupled": decoupled, "off": off},
    )


CLAIMS: tuple[Callable[[Arrays], Verdict], ...] = (
    sgd_equal,
    coupled_rate,
    coupled_place,
    decoupled_rate,
    decoupled_place,
    network_coupled,
    network_decoupled,
    unused,
    unused_speed,
    cube_root,
)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns the verdicts."""
    return tuple(claim(arrays) for claim in CLAIMS)


def decay_rates(arrays: Arrays) -> np.ndarray:
    """Rates of decay, (optimiser, scale): from after momentum's start to where 5 % are left."""
    time, left = arrays["left_time"], arrays["left"]
    rates = np.empty(left.shape[:2])
    for index in np.ndindex(*rates.shape):
        curve = left[index]
        high = max(np.flatnonzero(curve >= 0.05), default=1)
        low = min(START, high - 1)
        rates[index] = np.log(curve[low] / curve[high]) / (time[high] - time[low])
    return rates


def lagging_rates(rates: np.ndarray) -> np.ndarray:
    """Rates at which w decays under w ← w − am, m ← β₁m + (1 − β₁)w, for rates a: the slower root.

    z² − (1 + β₁ − a(1 − β₁))z + β₁ = 0. Where it oscillates, the rate is that of its size.
    """
    half = (1 + BETA - np.asarray(rates) * (1 - BETA)) / 2
    roots = half + np.sqrt((half**2 - BETA).astype(complex))
    return -np.log(np.abs(roots))


def network_medians(arrays: Arrays, optimiser: int) -> tuple[np.ndarray, np.ndarray]:
    """Medians of √v and of the fraction removed over ηλ (Adam+L2: ηλ/√v), in groups of √v."""
    root, fraction = (arrays[name][optimiser].astype(float) for name in ("root", "fraction"))
    decays = arrays["network_coupled" if optimiser == COUPLED else "network_decoupled"]
    ratio = fraction / (arrays["network_learning_rate"] * decays[len(decays) // 2])
    ratio = ratio * root if optimiser == COUPLED else ratio
    groups = np.array_split(np.argsort(root), BINS)
    return (
        np.array([np.median(root[group]) for group in groups]),
        np.array([np.median(ratio[group]) for group in groups]),
    )


def _table(arrays: Arrays, optimiser: int) -> tuple[np.ndarray, ...]:
    """Curvature, noise, resting place and gradient size, (family, scale)."""
    scales = arrays["scales"]
    curvature = np.stack([np.ones_like(scales), scales])
    return (
        curvature,
        np.stack([scales, scales]),
        arrays["place"][optimiser].astype(float),
        arrays["gradient_size"][optimiser].astype(float),
    )


def _unscaled_rate(arrays: Arrays) -> float:
    return float(arrays["rate_learning_rate"] * arrays["weight_decay"])


def _close(ratio: np.ndarray, tolerance: float) -> bool:
    return bool(np.all(np.abs(ratio - 1) <= tolerance))


def _middle(ratio: np.ndarray) -> float:
    return float(np.median(ratio))


def _time_to(share: float, curves: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """When falling curves cross a share, by interpolation; their end if they do not."""
    return np.array([np.interp(-share, -curve.astype(float), steps) for curve in curves])


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:.3g}" for value in np.atleast_1d(values))
