"""The claims of `addition-sweep`; the constants are its rules."""

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.peculiar_effects.adding import EPOCH
from wdjax.experiments.peculiar_effects.judging import spread
from wdjax.experiments.peculiar_effects.sweep.run import AS_PUBLISHED, HIGH, LOW, THRESHOLD
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

FITS = 0.99  # train accuracy from which the training data count as fitted
POOR = 0.5  # accuracy up to which a network counts as failing
GOOD = 0.9  # test accuracy from which λ = 0.1 counts as suitable
NEAR = 0.05  # how far below the best the test accuracy at λ = 0.1 may be
EDGE = 0.2  # by how much both ends have to be worse than the best
SMALLER = 2.0  # times by which the norm at too high a λ has to be below all others
EPOCHS = 5000  # of the example command of the article's code
NEARBY = 0.03  # relative distance of a λ from the one it is compared with
OFF = 0.1  # how far a test accuracy may be from the published one


def by_decay(arrays: Arrays, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the λ in ascending order, and the mean over the seeds of an array of (runs,)."""
    lams = np.unique(arrays["weight_decay"])
    return lams, np.array([arrays[name][arrays["weight_decay"] == lam].mean() for lam in lams])


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Judges the claims; the rules are the constants of this module."""
    rules = [too_low, too_high, small_weights, suitable, sweet_spot, as_published, threshold]
    if ahead(arrays) > 1 + NEARBY:
        rules.append(on_its_time_scale)
    return tuple(rule(arrays) for rule in (*rules, in_domain))


def ahead(arrays: Arrays) -> float:
    """Returns how many times longer than these runs 5,000 epochs are."""
    return float(EPOCHS * EPOCH / arrays["step"][-1])


def too_low(arrays: Arrays) -> Verdict:
    """With too little decay the network fits the training data, and does not generalise."""
    low = arrays["weight_decay"] <= LOW * 1.001
    train, test = arrays["train_at_end"][low], arrays["test_at_end"][low]
    best = arrays["test_at_end"].max()
    fits = train.min() >= FITS
    return verdict(
        "low-decay",
        f"Too low a λ (here up to {LOW}): the training data are fitted, test accuracy is low.",
        f"train accuracy at least {FITS}, test accuracy at most {POOR}, in every run",
        f"train {spread(train)}, test {spread(test)}; the best λ has {best:.2f}",
        graded(fits and test.max() <= POOR, fits and test.max() <= best - EDGE),
        "In so many steps these runs have either not fitted the data, or gone on to generalise.",
        train=train.min(),
        test=test.max(),
    )


def too_high(arrays: Arrays) -> Verdict:
    """With too much decay not even the training data are fitted."""
    high = arrays["weight_decay"] >= HIGH * 0.999
    train, test = arrays["train_at_end"][high], arrays["test_at_end"][high]
    return verdict(
        "high-decay",
        f"Too high a λ (here from {HIGH:g}): neither training nor test data are fitted.",
        f"train and test accuracy at most {POOR} in every run",
        f"train {spread(train)}, test {spread(test)}",
        graded(max(train.max(), test.max()) <= POOR, train.max() < FITS),
        "These weights are small, but not too small for the task.",
        train=train.max(),
        test=test.max(),
    )


def small_weights(arrays: Arrays) -> Verdict:
    """It is small weights that too much decay leaves."""
    lams, norms = by_decay(arrays, "norm_at_end")
    high = lams >= HIGH * 0.999
    least = norms[~high].min()
    falls = bool(np.all(np.diff(norms) < 0))
    return verdict(
        "high-decay",
        f"Too high a λ (here from {HIGH:g}) forces the weights to be very small.",
        f"Σ‖p‖ of the parameters at the end at most 1/{SMALLER:g} of that at any smaller λ",
        f"{norms[high].max():.3g} from λ = {HIGH:g} on, {least:.3g} at least below; Σ‖p‖ "
        f"{'falls' if falls else 'does not always fall'} with λ: "
        + ", ".join(f"{norm:.3g} at {lam:g}" for lam, norm in zip(lams, norms, strict=True)),
        graded(norms[high].max() <= least / SMALLER, norms[high].max() < least),
        "The gradients hold against this decay, with which the network is as large as with others.",
        highest=norms[high].max(),
        least=least,
    )


def suitable(arrays: Arrays) -> Verdict:
    """λ = 0.1 is about the best."""
    lams, test = by_decay(arrays, "test_at_end")
    here = test[np.argmin(np.abs(np.log(lams / 0.1)))]
    best = int(np.argmax(test))
    near = here >= test[best] - NEAR
    return verdict(
        "suitable-decay",
        "For this network a suitable λ is about 0.1.",
        f"test accuracy at 0.1 at least {GOOD}, and at most {NEAR} below the best",
        f"{here:.3f} at 0.1; best {test[best]:.3f} at λ = {lams[best]:g}",
        graded(near and here >= GOOD, near or here >= GOOD),
        "Smaller λ take longer: the norm falls by the factor 1/e in 1/(ηλ) steps. After so many "
        "steps the order of the λ is not the final one.",
        at_tenth=here,
        best=test[best],
        best_decay=lams[best],
    )


def sweet_spot(arrays: Arrays) -> Verdict:
    """Test accuracy has its maximum in between."""
    lams, test = by_decay(arrays, "test_at_end")
    best = int(np.argmax(test))
    margins = test[best] - test[[0, -1]]
    inside = 0 < best < len(lams) - 1
    return verdict(
        "sweet-spot",
        "There is a λ in between that works best.",
        f"the best λ is none at the ends, and these are worse by {EDGE} at least",
        f"best at λ = {lams[best]:g}; {lams[0]:g} is worse by {margins[0]:.2f}, "
        f"{lams[-1]:g} by {margins[1]:.2f}",
        graded(inside and margins.min() >= EDGE, inside),
        "The best of these λ is at an end of the grid.",
        best_decay=lams[best],
        margin=margins.min(),
    )


def as_published(arrays: Arrays) -> Verdict:
    """The published accuracies."""
    lams, test = by_decay(arrays, "test_at_end")
    known = [min(AS_PUBLISHED, key=lambda p, lam=lam: abs(np.log(p / lam))) for lam in lams]
    shared = np.array([np.isclose(k, lam, rtol=1e-3) for k, lam in zip(known, lams, strict=True)])
    off = np.abs(test - [AS_PUBLISHED[k] for k in known])[shared]
    met = int(np.sum(off <= OFF))
    text = ", ".join(
        f"{AS_PUBLISHED[k]:.2f}/{t:.2f} at {k:g}"
        for k, t, s in zip(known, test, shared, strict=True)
        if s
    )
    return verdict(
        "accuracy-against-decay",
        "The published plot of test accuracy against λ.",
        f"each within {OFF} of the published one",
        f"{met} of {off.size} are; published/measured: {text}",
        graded(met == off.size, 2 * met > off.size),
        _why_other_accuracies(arrays, lams[shared][off > OFF]),
        met=met,
        largest=off.max(),
    )


def _why_other_accuracies(arrays: Arrays, lams: np.ndarray) -> str:
    found = {lam: arrays["test_at_end"][arrays["weight_decay"] == lam] for lam in lams}
    seeds = ", ".join(f"{spread(test)} at {lam:g}" for lam, test in found.items() if test.size > 1)
    long = (
        "The article does not say how long it trained for this plot. What decay has done by then "
        "goes with ηλ times the steps, so that small λ get better with time: after 390,000 steps "
        "(record `addition-sweep-long`) more points are met."
        if ahead(arrays) > 1 + NEARBY
        else "These are the epochs of the article's example command. Where accuracy rises or falls "
        "steeply along λ, a seed or a single jump of the loss decides."
    )
    return f"{long} Seeds differ: {seeds}." if seeds else long


def threshold(arrays: Arrays) -> Verdict:
    """The largest λ that fits the training data."""
    lams, train = by_decay(arrays, "train_at_end")
    fitted = lams[train >= FITS]
    edge = float(fitted.max(initial=0.0))
    text = ", ".join(f"{fit:.3f} at {lam:g}" for lam, fit in zip(lams, train, strict=True))
    return verdict(
        "accuracy-against-decay",
        f"The interpolation threshold, which the article's code draws into that plot, is at λ = "
        f"{THRESHOLD:g}.",
        f"train accuracy at least {FITS} up to {THRESHOLD:g}, and below it at the next λ",
        f"the largest such λ is {edge:g}; train accuracy {text}",
        graded(
            np.isclose(edge, THRESHOLD, rtol=NEARBY) and fitted.size == np.sum(lams <= edge),
            np.isclose(edge, THRESHOLD, rtol=NEARBY),
        ),
        "What a network can fit in so many steps is fitted at other λ than the article's.",
        edge=edge,
    )


def on_its_time_scale(arrays: Arrays) -> Verdict:
    """The published accuracies, if the article trained for 5,000 epochs.

    This rule was written after a run with the seeds 3, 4 and 5, and before that with the default's.
    """
    lams, test = by_decay(arrays, "test_at_end")
    ratio = ahead(arrays)
    pairs = [
        (published, known, test[at])
        for published, known in AS_PUBLISHED.items()
        for at in np.flatnonzero(np.isclose(lams, published * ratio, rtol=NEARBY))
        if published < 1 / ratio
    ]
    off = np.array([abs(known - found) for _, known, found in pairs] or [np.inf])
    text = ", ".join(f"{known:.2f}/{found:.2f} at {lam:g}" for lam, known, found in pairs)
    return verdict(
        "accuracy-against-decay",
        f"The published plot, if it was trained for {EPOCHS:,} epochs, as the example command of "
        f"its code: then λ after so many steps is like {ratio:.3g} λ after ours, which has decayed "
        "as much.",
        f"each published accuracy within {OFF} of that at {ratio:.3g} λ",
        f"published at λ/measured at {ratio:.3g} λ: {text}" if pairs else "no such λ in the grid",
        graded(off.max() <= OFF, np.mean(off <= OFF) >= 0.5),
        "Training longer at a smaller λ is not the same where the loss, too, decides how fast the "
        "weights go.",
        pairs=len(pairs),
        largest=min(off.max(), 1.0),
    )


def in_domain(arrays: Arrays) -> Verdict:
    """What the low accuracies are about: the article tests on digits that training had none of."""
    low = arrays["weight_decay"] <= LOW * 1.001
    held, test = arrays["held_out_at_end"][low], arrays["test_at_end"][low]
    return verdict(
        "low-decay",
        "Without enough decay the network has memorised its sums, rather than learnt to add.",
        f"accuracy on unseen sums of the *same* kind, too, at most {POOR}",
        f"{spread(held)} on unseen sums of 2- and 4-digit numbers, {spread(test)} on 3-digit ones",
        graded(held.max() <= POOR, held.min() <= POOR),
        "Sums of the kind that was trained on are added right by the same networks: what they fail "
        "at is numbers of another size, for which bits that training hardly saw matter.",
        held_out=held.max(),
        test=test.max(),
    )
