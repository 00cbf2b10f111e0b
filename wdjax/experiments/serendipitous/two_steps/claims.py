"""The claims about the noise of two steps, and the rules of their verdicts.

The rules were written before the default run, after trying the code out with the seed 100.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.serendipitous.two_steps.quadratic import ratio
from wdjax.experiments.verdicts import floats, graded
from wdjax.training import Outcome, Verdict

TWICE = 0.10  # relative error of a ratio of 2
FLAT = 0.05  # ηh that counts as small
SHORT = 0.05  # relative difference of two lengths
ERRORS = 4.0  # standard errors up to which a measurement counts as the formula's
RESOLVED = 3.0  # standard errors from which a bias counts as seen
SMALL = 0.10  # a bias this small against the noise counts as small


def variance_ratio(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """Variance after one long step over that after two, and its standard error.

    Both are (runs, points, multiples); the error comes from the spread of the chunks.
    """
    one, two = arrays["one"], arrays["two"]
    found = one.mean(axis=2) / two.mean(axis=2)
    chunks = one.shape[2]
    of_chunks = one / one.mean(axis=2, keepdims=True) - two / two.mean(axis=2, keepdims=True)
    return found, found * np.std(of_chunks, axis=2, ddof=1) / np.sqrt(chunks)


def predicted_ratio(arrays: Arrays) -> np.ndarray:
    """4E‖δ‖²/(E‖δ‖² + E‖(1−eH)δ‖²): the formula of the quadratic, in all directions of the noise.

    Shape (runs, points, multiples).
    """
    rate = arrays["rate"]
    noise, bent, bent_squared = (
        arrays[name][..., None] for name in ("noise_squared", "noise_bent", "noise_bent_squared")
    )
    return 4 * noise / (2 * noise - 2 * rate * bent + rate**2 * bent_squared)


def length_ratio(arrays: Arrays) -> np.ndarray:
    """Mean length of one long step over that of the path of two; (runs, points, multiples)."""
    return arrays["one_length"].mean(axis=2) / arrays["two_length"].mean(axis=2)


def bias(arrays: Arrays) -> np.ndarray:
    """‖E∇L(u|B) − ∇L(u|D)‖ without what noise adds to it; (runs, points), 0 if not seen."""
    squared = arrays["bias"] - arrays["bias_noise"]
    # The square of a mean of noise in few directions scatters by its own size, at most.
    seen = squared > RESOLVED * arrays["bias_noise"]
    return np.sqrt(np.where(seen, squared, 0.0))


def own(arrays: Arrays) -> int:
    """Index of the learning rate of the training itself."""
    return int(np.flatnonzero(arrays["multiple"] == 1)[0])


def smallest(arrays: Arrays) -> int:
    """Index of the smallest learning rate."""
    return int(np.argmin(arrays["multiple"]))


def quadratic(arrays: Arrays) -> Verdict:
    """On h w²/2 the ratio is 4/(1 + (1−ηh)²), which is 2 without curvature."""
    curvature, found = arrays["quadratic_curvature"], arrays["quadratic_ratio"]
    off = np.abs(found - ratio(curvature)) / arrays["quadratic_error"]
    twice = np.abs(found / 2 - 1) <= TWICE
    lawful, flat = off.max() <= ERRORS, curvature <= FLAT
    return Verdict(
        claim="On a quadratic loss one step with 2η has twice the variance of two with η.",
        predicted="2, as the article has it; derived: 4/(1 + (1−ηh)²), with h the curvature",
        measured=(
            f"from {found.min():.2f} to {found.max():.2f} over ηh = {curvature.min():g} to "
            f"{curvature.max():g}, {found[np.argmin(curvature)]:.3f} at the smallest; within "
            f"{off.max():.1f} standard errors of the derived formula"
        ),
        outcome=graded(twice.all() and lawful, twice[flat].all()),
        because=(
            "The second of the two steps bends the noise of the first by 1 − ηh. The factor is 2 "
            "for ηh ≪ 1 (and ηh = 2), 4 at ηh = 1, and below 2 beyond ηh = 2, where SGD is "
            f"unstable.{'' if lawful else ' The measurement does not meet the formula.'}"
        ),
        numbers=floats(
            lowest=found.min(),
            highest=found.max(),
            without_curvature=found[np.argmin(curvature)],
            errors=off.max(),
        ),
        of="S14",
    )


def network(arrays: Arrays) -> Verdict:
    """On the network the ratio is 2 at the rate of the training, and at small ones."""
    found, error = variance_ratio(arrays)
    here, small = own(arrays), smallest(arrays)
    near = np.abs(found / 2 - 1) <= TWICE
    said = predicted_ratio(arrays)
    return Verdict(
        claim="On a network on the sphere, one step with 2η_e has twice the variance of two with "
        "η_e. (The article argues for networks without normalisation, and carries it over.)",
        predicted="2; with the measured curvature of the noise: "
        f"{_by_point(said[..., here])} at the η_e of the training",
        measured=(
            f"at the η_e of the training {_by_point(found[..., here])} {_points(arrays)}; at "
            f"{arrays['multiple'][small]:g} of it {_by_point(found[..., small])}; standard errors "
            f"up to {error.max():.2f}"
        ),
        outcome=graded(near[..., here].all(), near[..., small].all()),
        because=(
            "η_e is not small against the curvature that the noise sees: the second step bends "
            "the noise of the first. What the curvature alone does not explain (the formula is off "
            f"by {_by_point(np.abs(said / found - 1)[..., here])} of what is measured) is likely "
            "that the second step meets another noise where the first has led."
        ),
        numbers=floats(
            own_lowest=found[..., here].min(),
            own_highest=found[..., here].max(),
            small_lowest=found[..., small].min(),
            small_highest=found[..., small].max(),
            error=error.max(),
        ),
        of="S14",
    )


def length(arrays: Arrays) -> Verdict:
    """Two steps and one long step go about equally far."""
    found, here, small = length_ratio(arrays), own(arrays), smallest(arrays)
    near = np.abs(found - 1) <= SHORT
    drift = arrays["one_drift"] / arrays["two_drift"]
    away = np.sqrt(arrays["one_away"].mean(axis=2) / arrays["two_away"].mean(axis=2))
    return Verdict(
        claim="The expected length of the path is roughly the same for both.",
        predicted="a ratio of 1",
        measured=(
            f"path of one long step over that of two: {_by_point(found[..., here])} "
            f"{_points(arrays)}, {_by_point(found[..., small])} at {arrays['multiple'][small]:g} "
            f"of the rate. Mean displacement: {_by_point(drift[..., here])}. Distance from the "
            f"start (rms): {_by_point(away[..., here])}"
        ),
        outcome=graded(near[..., here].all(), near[..., small].all()),
        because=(
            "The gradient is another after the first step where the steps are not short against "
            "the curvature: at the start of training the loss falls away below one long step."
        ),
        numbers=floats(
            lowest=found[..., here].min(),
            highest=found[..., here].max(),
            drift=np.median(drift[..., here]),
            away=np.median(away[..., here]),
        ),
        of="S13",
    )


def zero_mean(arrays: Arrays) -> Verdict:
    """The noise of a batch has mean zero."""
    found, noise = bias(arrays), np.sqrt(arrays["noise"].mean(axis=2))
    full, share = arrays["full_gradient"], bias(arrays) / noise
    return Verdict(
        claim="The gradient of a batch is that of all data, plus noise of mean zero. (The article "
        "says it of networks without normalisation, where it is so by linearity; here is batch "
        "norm.)",
        predicted="mean over batches = gradient over all data; a variance above zero",
        measured=(
            f"the mean is off by {_percent(found / full)} of the gradient of all data "
            f"{_points(arrays)}, which is {_percent(share)} of the noise of a batch (0: not seen; "
            f"rms {_by_point(noise / full)} times that gradient)"
        ),
        outcome=graded(not found.any() and noise.min() > 0, share.max() <= SMALL),
        because=(
            "Batch norm takes mean and variance from the batch, so that the loss of a batch is no "
            "mean over examples, and its gradient is not without bias."
        ),
        numbers=floats(
            bias_of_gradient=(found / full).max(),
            bias_of_noise=share.max(),
            noise_of_gradient=(noise / full).max(),
        ),
        of="S12",
    )


def _by_point(values: np.ndarray) -> str:
    """The medians over the runs, point by point."""
    return ", ".join(f"{value:.2f}" for value in np.median(values, axis=0))


def _percent(values: np.ndarray) -> str:
    return ", ".join(f"{value:.1%}" for value in np.median(values, axis=0))


def _points(arrays: Arrays) -> str:
    steps = ", ".join(f"{step:,}" for step in arrays["point"])
    return f"(after {steps} steps; medians of {len(arrays['seed'])} seeds)"


CLAIMS: tuple[Callable[[Arrays], Verdict], ...] = (zero_mean, length, quadratic, network)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns the verdicts on all claims; what holds needs no reason."""
    verdicts = [claim(arrays) for claim in CLAIMS]
    return tuple(
        dataclasses.replace(verdict, because="") if verdict.outcome == Outcome.HOLDS else verdict
        for verdict in verdicts
    )
