"""What the article hopes for from inputs that are rescaled by the weights, judged on digits.

The article gives no code and no numbers: these rules, written before the run with the default
seeds, say what its sketch would have to do. Means are over the judging seeds; a run that diverged
has the accuracy of guessing.

One was replaced when the record was known: whether rescaling is worth it under a strong decay was
asked of the best gain of the inputs for each, which lets fixed inputs be rescaled by hand. To spare
that is what it is for, so now the gain is the same for both.
"""

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.input_normalization.adaptive_scaling.config import (
    MODES,
    OUTSIDE,
    PLAIN,
    THROUGH,
)
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

MUTED, KEPT = 0.5, 0.7  # of the hidden signal without decay: gone, and still there
ORTHOGONAL = 1e-4  # |cos(W, g)| up to which float32 gradients are orthogonal
RADIAL = 1e-2  # rms cosine above which they are not
ROBUST = 0.05  # gain in test accuracy that counts under the strongest decay
SAME = 0.005  # difference of test accuracies that does not count
BETTER = 0.005  # gain in test accuracy that does
HARM = 0.01  # loss in test accuracy that does
USEFUL = 0.9  # test accuracy of the network with fixed inputs where harm can be judged

MODE = {name: number for number, name in enumerate(MODES)}


def judged(arrays: Arrays, name: str = "last_test_accuracy") -> np.ndarray:
    """Returns the mean over the judging seeds: (modes, gains, rates, decays)."""
    return np.nan_to_num(arrays[name][..., int(arrays["choosing"]) :]).mean(axis=-1)


def chosen(arrays: Arrays, mode: str) -> tuple[int, ...]:
    """Returns the place (gain, rate, decay) that is best for a mode on the choosing seeds."""
    seen = arrays["last_test_accuracy"][MODE[mode], ..., : int(arrays["choosing"])]
    values = np.nan_to_num(seen).mean(axis=-1)
    return tuple(int(n) for n in np.unravel_index(np.argmax(values), values.shape))


def signal(arrays: Arrays, mode: str) -> np.ndarray:
    """Returns the hidden signal over that without decay: (gains, rates, decays)."""
    values = judged(arrays, "last_signal")[MODE[mode]]
    return values / values[..., :1]


def keeps_the_signal(arrays: Arrays) -> Verdict:
    """Whether rescaling keeps up the hidden signal that decay takes from fixed inputs."""
    fixed, outside = signal(arrays, PLAIN), signal(arrays, OUTSIDE)
    gone = fixed <= MUTED
    held = outside[gone]
    lowest = float((held if held.size else outside).min())
    through = signal(arrays, THROUGH)
    kept = float(np.mean(held >= KEPT)) if held.size else 0.0
    inside = float((through[gone] if held.size else through).min())
    return verdict(
        "N19",
        "Inputs rescaled in each step by the size of the weights follow what decay does to them.",
        predicted="s‖W‖ stays γ‖W₀‖, so that only the direction of W can change the signal; "
        "behind a norm layer the rescaling changes nothing",
        measured=f"where decay takes half of the hidden signal of fixed inputs or more "
        f"({int(gone.sum())} of {gone.size} settings, down to {fixed.min():.2f}), the rescaled "
        f"keep {lowest:.2f} of theirs or more (weight normalisation {inside:.2f}), and {KEPT:g} or "
        f"more in {kept:.0%} of these settings; with a batch norm behind, the outputs of all three "
        f"differ by {float(arrays['behind_a_norm']):.0e}",
        outcome=graded(bool(gone.any() and lowest >= KEPT), bool(gone.any() and kept >= 0.5)),
        because="The size is kept as long as the first layer lives. Where ηs² is large, steps "
        "turn W far, its units die, and decay then shrinks ‖W‖ with nothing against it.",
        settings=gone.sum(),
        lowest=lowest,
        behind_a_norm=float(arrays["behind_a_norm"]),
    )


def outside_is_inside(arrays: Arrays) -> Verdict:
    """Whether rescaling outside of the gradient is weight normalisation."""
    inside = float(np.nanmax(arrays["largest_cosine"][MODE[THROUGH]]))
    radial = float(np.nanmedian(arrays["cosine"][MODE[OUTSIDE]]))
    accuracy = judged(arrays)
    gap = np.abs(accuracy[MODE[OUTSIDE]] - accuracy[MODE[THROUGH]])
    orthogonal = inside <= ORTHOGONAL and radial <= RADIAL
    return verdict(
        "N19",
        "Beyond the article: a scale that is calculated from the weights before the step is as "
        "good as one inside it.",
        predicted="no: differentiated it is weight normalisation, ⟨W, g⟩ = 0; from outside the "
        "output is the same, but g has a part along W, which pushes ‖W‖ and can change nothing",
        measured=f"|cos(W, g)| at most {inside:.0e} inside, median {radial:.3f} outside; test "
        f"accuracies differ by up to {gap.max():.3f}, median {np.median(gap):.3f}",
        outcome=graded(orthogonal and bool(gap.max() <= SAME), bool(np.median(gap) <= SAME)),
        because="The part along W is no descent direction. In a network of two layers it moves "
        "‖W‖² about as the gradient moves ‖W₂‖², so that it stays bounded, and what differs is the "
        "effective rate.",
        inside=inside,
        outside=radial,
        largest_gap=gap.max(),
    )


def worth_it(arrays: Arrays) -> Verdict:
    """Whether rescaling raises the best test accuracy, or at one γ that of the strongest decay."""
    fixed, outside = (_best(arrays, mode) for mode in (PLAIN, OUTSIDE))
    gain, error = _mean_and_error(outside - fixed)
    better = bool(gain >= BETTER and gain >= 2 * error)
    seen = np.nan_to_num(arrays["last_test_accuracy"][..., int(arrays["choosing"]) :])
    gains, errors = _mean_and_error(seen[MODE[OUTSIDE]] - seen[MODE[PLAIN]])
    robust = np.all((gains >= ROBUST) & (gains >= 2 * errors), axis=1)  # (gains γ, decays)
    means = seen.mean(axis=-1)
    text = ", ".join(
        f"{means[MODE[OUTSIDE]][n, m, -1]:.2f} against {means[MODE[PLAIN]][n, m, -1]:.2f} "
        f"(γ = {scale:g}, η = {rate:g})"
        for n, scale in enumerate(arrays["gain"])
        for m, rate in enumerate(arrays["rate"])
    )
    helped = ", ".join(f"{scale:g}" for scale in arrays["gain"][robust[:, -1]])
    below = ", ".join(f"{decay:g}" for decay in arrays["decay"][:-1][robust[:, :-1].any(axis=0)])
    return verdict(
        "N21",
        "Rescaling the inputs during training is worth it, to use decay to the full.",
        predicted="no gain where decay can be tuned; under a decay that is too strong, the first "
        "layer of fixed inputs fades, and the rescaled one does not",
        measured=f"best settings: {outside.mean():.3f} test accuracy against {fixed.mean():.3f}, "
        f"a gain of {100 * gain:+.1f} ± {100 * error:.1f} points; rescaled against fixed at λ = "
        f"{arrays['decay'][-1]:g}: {text}".replace("-", "−"),
        outcome=graded(better, bool(robust[:, -1].any())),
        because="With the decay tuned, fixed inputs are as good. Under the strongest decay, "
        f"rescaled ones are better at every η only if γ = {helped}; under weaker decays they are "
        f"so at {'λ = ' + below if below else 'no γ'}."
        if helped
        else "With the decay tuned, fixed inputs are as good, and under the strongest decay there "
        "is no γ at which they are worse at every learning rate.",
        gain=gain,
        error=error,
        least_robust=gains[..., -1].min(),
        most_robust=gains[..., -1].max(),
    )


def _mean_and_error(gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the last axis, and its standard error."""
    return gains.mean(axis=-1), gains.std(axis=-1, ddof=1) / np.sqrt(gains.shape[-1])


def _best(arrays: Arrays, mode: str) -> np.ndarray:
    """Test accuracies of the judging seeds with the settings chosen for a mode."""
    seen = np.nan_to_num(arrays["last_test_accuracy"][MODE[mode]][chosen(arrays, mode)])
    return seen[int(arrays["choosing"]) :]


def no_harm(arrays: Arrays) -> Verdict:
    """Whether rescaling is as good as fixed inputs, setting by setting, where these are useful."""
    accuracy = judged(arrays)
    useful = accuracy[MODE[PLAIN]] >= USEFUL
    lost = accuracy[MODE[PLAIN]] - accuracy[MODE[OUTSIDE]]
    harmed = useful & ~(lost <= HARM)
    fine = float(np.mean(~harmed[useful])) if useful.any() else 0.0
    worst = max(0.0, lost[useful].max(initial=0.0))
    growth = _growth(arrays, "effective_rate")
    return verdict(
        "N21",
        "Beyond the article: rescaling does no harm where the network with fixed inputs works.",
        predicted="harm where decay shrinks ‖W‖: the effective rate of the first layer, ηs², "
        "grows as 1/‖W‖², which nothing in the sketch makes up for",
        measured=f"within {HARM:.0%} of the test accuracy of fixed inputs in {fine:.0%} of the "
        f"{int(useful.sum())} settings in which these reach {USEFUL:g}, at worst {100 * worst:.1f} "
        f"points below, and in the others up to {100 * lost[~useful].max(initial=0):.0f} points; "
        f"the effective rate grows over a hundred times in {int(np.sum(~(growth <= 100)))} of "
        f"{growth.size} settings, of which {int(np.sum(~(growth <= 100) & useful))} are such",
        outcome=graded(fine == 1 and bool(useful.any()), fine >= 0.75),
        because=_where_it_harms(arrays, harmed, useful),
        fine=fine,
        worst=worst,
        runaway=np.sum(~(growth <= 100)),
    )


def _growth(arrays: Arrays, name: str) -> np.ndarray:
    """The last of a measure over the first, with rescaled inputs: (gains, rates, decays)."""
    values = arrays[name][MODE[OUTSIDE]]
    return values[..., -1] / values[..., 0]


def _where_it_harms(arrays: Arrays, harmed: np.ndarray, useful: np.ndarray) -> str:
    """What ‖W‖ and the effective rate do in the settings with harm."""
    if not harmed.any():
        return "Fixed inputs are useful in no setting, so that harm cannot be seen."
    norm, rate = (_growth(arrays, name) for name in ("norm", "effective_rate"))
    slower = harmed & (norm > 1) & (rate < 1)
    without = useful & ~harmed & (rate < 1)
    if not slower.any():
        return "Where it harms, the effective rate of the first layer has at least not fallen."
    return (
        f"Not as predicted: in {int(slower.sum())} of the {int(harmed.sum())} settings with harm "
        f"‖W‖ grows, to {norm[slower].min():.2f} times its start or more, s shrinks, and the "
        f"effective rate of the first layer falls, to {rate[slower].min():.2f} to "
        f"{rate[slower].max():.2f} of its start. That alone does not harm, as it falls in "
        f"{int(without.sum())} settings without harm too."
    )


CLAIMS = (keeps_the_signal, outside_is_inside, worth_it, no_harm)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns the verdicts on all claims about rescaled inputs."""
    return tuple(claim(arrays) for claim in CLAIMS)
