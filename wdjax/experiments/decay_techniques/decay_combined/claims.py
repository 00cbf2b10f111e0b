"""The rules by which `decay-combined` judges the article; written down before the default run.

Within a group of arms the validation images choose, by their mean over the seeds, and the test
images judge, seed by seed.

Two rules became stricter when their record was known: that of a combination (W24) first counted
decay alone as one, and that of a selection (W26) did not compare kernels with all parameters.
"""

from collections.abc import Callable

import numpy as np

from wdjax.experiments.decay_techniques.decay_combined.arms import (
    EVERYTHING,
    HEAD,
    HIDDEN,
    SCOPES,
    WEIGHTS,
)
from wdjax.experiments.decay_techniques.judging import ERRORS, Difference, difference
from wdjax.experiments.experiment import Arrays
from wdjax.experiments.verdicts import graded, verdict
from wdjax.training import Verdict

NETWORKS = ("no normalisation", "batch norm")
PLAIN, BATCH = 0, 1
ALONE = ("dropout", "augmentation", "batch norm")
SMALL = 0.02  # accuracy that selective decay may gain at most, if it is never necessary


def chosen(arrays: Arrays, allowed: np.ndarray) -> tuple[int, int]:
    """Returns network and arm with the best validation accuracy of those that are allowed."""
    validation = np.where(allowed, arrays["validation"].mean(axis=1), -1.0)
    network, arm = np.unravel_index(np.argmax(validation), validation.shape)
    return int(network), int(arm)


def tested(arrays: Arrays, allowed: np.ndarray) -> np.ndarray:
    """Returns the test accuracies, by seed, of the arm that validation chooses."""
    network, arm = chosen(arrays, allowed)
    return arrays["test"][network, :, arm].astype(float)


def groups(arrays: Arrays) -> dict[str, np.ndarray]:
    """Returns which arms of which network belong to each group, as (networks, arms)."""
    weights = arrays["scope"] == WEIGHTS
    decays = arrays["decay"] > 0
    others = (arrays["dropout"] > 0) | (arrays["shift"] > 0)
    plain = np.arange(len(NETWORKS))[:, None] == PLAIN
    dropout = weights & (arrays["shift"] == 0) & (arrays["dropout"] > 0)
    shift = weights & (arrays["dropout"] == 0) & (arrays["shift"] > 0)
    return {
        "none": plain & weights & ~decays & ~others,
        "decay": plain & weights & decays & ~others,
        "dropout": plain & dropout & ~decays,
        "augmentation": plain & shift & ~decays,
        "batch norm": ~plain & weights & ~decays & ~others,
        "decay + dropout": plain & dropout & decays,
        "decay + augmentation": plain & shift & decays,
        "decay + batch norm": ~plain & weights & decays & ~others,
        "others without decay": weights & ~decays & (others | ~plain),
        "others with decay": weights & decays & (others | ~plain),
    }


def scope(arrays: Arrays, network: int, which: int) -> np.ndarray:
    """Returns which arms let only these decay, with nothing else."""
    alone = (arrays["dropout"] == 0) & (arrays["shift"] == 0)
    here = np.arange(len(NETWORKS))[:, None] == network
    return here & (arrays["scope"] == which) & (arrays["decay"] > 0) & alone


def no_decay(arrays: Arrays, network: int) -> np.ndarray:
    """Returns the arm without any regularisation."""
    here = np.arange(len(NETWORKS))[:, None] == network
    alone = (arrays["dropout"] == 0) & (arrays["shift"] == 0)
    return here & (arrays["decay"] == 0) & alone


def combination(arrays: Arrays) -> Verdict:
    """Decay with one other regulariser or more against decay alone, and against the others."""
    found = {name: tested(arrays, allowed) for name, allowed in groups(arrays).items()}
    over_decay = difference(found["others with decay"], found["decay"])
    over_others = difference(found["others with decay"], found["others without decay"])
    alone = {name: difference(found["decay"], found[name]) for name in ALONE}
    means = ", ".join(f"{name} {100 * values.mean():.1f} %" for name, values in found.items())
    return verdict(
        "W24",
        "Decay does not replace dropout, batch norm or augmentation; a combination is best.",
        "decay with one of the others or more is better than decay alone, and than the others "
        "without decay",
        f"over decay alone {over_decay.points()}, over the others {over_others.points()}; decay "
        "alone over "
        + ", ".join(f"{name} {gain.points()}" for name, gain in alone.items())
        + f"; test accuracies: {means}",
        graded(over_decay.above and over_others.above, over_decay.above),
        _replaced(over_decay, alone),
        {name: values.mean() for name, values in found.items()},
    )


def decay_helps(arrays: Arrays) -> Verdict:
    """Decay of all weights against nothing."""
    gains = [_gain(arrays, n, WEIGHTS) for n in range(len(NETWORKS))]
    memorised = [
        [float(arrays["memorised"][n].mean(axis=0)[chosen(arrays, allowed)[1]])
         for allowed in (no_decay(arrays, n), scope(arrays, n, WEIGHTS))]
        for n in range(len(NETWORKS))
    ]  # fmt: skip
    told = "; ".join(
        f"{name}: {gain.points()}, wrong labels learnt {before:.0%} and {after:.0%}"
        for name, gain, (before, after) in zip(NETWORKS, gains, memorised, strict=True)
    )
    return verdict(
        "W1",
        "Decay prevents overfitting and improves generalisation.",
        "higher test accuracy at the best λ than at λ = 0, in both networks at the same η",
        told,
        graded(all(gain.above for gain in gains), any(gain.above for gain in gains)),
        "Behind a normalisation decay acts through the effective learning rate only.",
        {f"gain {name}": gain.mean for name, gain in zip(NETWORKS, gains, strict=True)},
    )


def all_layers(arrays: Arrays) -> Verdict:
    """Decay of the hidden layers helps, and that of the last layer alone is not enough."""
    hidden = [_gain(arrays, n, HIDDEN) for n in range(len(NETWORKS))]
    head = [_gain(arrays, n, HEAD) for n in range(len(NETWORKS))]
    more = [_over(arrays, n, WEIGHTS, HEAD) for n in range(len(NETWORKS))]
    told = "; ".join(
        f"{name}: hidden layers alone {one.points()}, last layer alone {two.points()}, all over "
        f"last {three.points()}"
        for name, one, two, three in zip(NETWORKS, hidden, head, more, strict=True)
    )
    works = [one.above for one in hidden]
    return verdict(
        "W25",
        "Decay works on all layers, not only on the last.",
        "decay of the hidden layers alone gains over none, and decay of all weights over decay of "
        "the last layer alone, in both networks",
        told,
        graded(all(works) and all(gain.above for gain in more), any(works)),
        "In a network of two layers, decay of one makes up for that of the other, as a ReLU lets "
        "scale move between them.",
        {f"hidden {name}": gain.mean for name, gain in zip(NETWORKS, hidden, strict=True)}
        | {f"all over last {name}": gain.mean for name, gain in zip(NETWORKS, more, strict=True)},
    )


def selective(arrays: Arrays) -> Verdict:
    """No selection is better than all weights, in either sense of all."""
    gains = {
        f"{NETWORKS[n]}, {SCOPES[which]}": _over(arrays, n, which, WEIGHTS)
        for n in range(len(NETWORKS))
        for which in (EVERYTHING, HEAD, HIDDEN)
    }
    less = {
        f"{NETWORKS[n]}, {SCOPES[WEIGHTS]}": _over(arrays, n, WEIGHTS, EVERYTHING)
        for n in range(len(NETWORKS))
    }
    both = [*gains.values(), *less.values()]
    better = [gain.above for gain in both]
    known = [gain.mean + ERRORS * gain.error <= SMALL for gain in both]
    return verdict(
        "W26",
        "Decaying only some of the weights is rarely necessary.",
        "no selection is better than decay of all kernels, nor these than decay of all parameters; "
        f"by {100 * SMALL:.0f} points at most, two standard errors included",
        f"over all kernels: {_listed(gains)}; over biases and gains too, which decay in the "
        f"article's code: {_listed(less)}",
        graded(not any(better) and all(known), not all(better) and sum(better) <= 1),
        "A selection is better, or the test images cannot exclude that it is.",
        {name: gain.mean for name, gain in (gains | less).items()},
    )


CLAIMS: tuple[Callable[[Arrays], Verdict], ...] = (decay_helps, combination, all_layers, selective)


def check(arrays: Arrays) -> tuple[Verdict, ...]:
    """Returns the verdicts."""
    return tuple(claim(arrays) for claim in CLAIMS)


def _replaced(over_decay: Difference, alone: dict[str, Difference]) -> str:
    """Why no combination is best."""
    if over_decay.above:
        return "Once the others are there and tuned, decay adds less than the test images can tell."
    ahead = [name for name, gain in alone.items() if gain.above]
    told = "Beside decay no other regulariser adds what the test images can tell."
    if ahead:
        told += f" Decay alone is ahead of {', '.join(ahead)}: here it does replace them."
    return told


def _gain(arrays: Arrays, network: int, which: int) -> Difference:
    """What decay of these gains over no decay."""
    return difference(
        tested(arrays, scope(arrays, network, which)), tested(arrays, no_decay(arrays, network))
    )


def _over(arrays: Arrays, network: int, one: int, other: int) -> Difference:
    return difference(
        tested(arrays, scope(arrays, network, one)), tested(arrays, scope(arrays, network, other))
    )


def _listed(gains: dict[str, Difference]) -> str:
    return "; ".join(f"{name} {gain.points()}" for name, gain in gains.items())
