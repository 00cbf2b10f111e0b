"""The claims about SGD with decay as SGD on the sphere, and the rules of their verdicts.

The rules were written before the default run, after trying the code out with the seed 100.
"""

import numpy as np

from wdjax.experiments.experiment import Arrays
from wdjax.experiments.serendipitous.spiral.pursuit import FOLLOWERS, SMOOTH, leaders_of
from wdjax.experiments.verdicts import floats, graded
from wdjax.training import Verdict

STEP = 0.10  # relative error of one step
PATH = 0.10  # angle to the leader over the angle that the leader has turned
LOSS = 0.02  # relative difference of the mean losses of follower and leader
COLUMNS = {"pursuit": FOLLOWERS, "smooth": SMOOTH}
ROUNDING = 1e-6  # angle between runs that are equal but for rounding


def step(arrays: Arrays) -> Verdict:
    """One step of SGD with decay moves w/‖w‖ by −η_e∇L(w/‖w‖), nearly."""
    product = _product(arrays)
    bare, landed = (
        np.sqrt(np.mean(arrays[f"pursuit_{name}"] ** 2, axis=1)) for name in ("bare", "landed")
    )
    worst = bare.max()
    return Verdict(
        claim="One step moves w/‖w‖ by −η_e∇L(w/‖w‖), with η_e = η/‖w‖².",
        predicted=(
            "relative error √(ηλ/2), the way back to the sphere; with this way, ηλ, as "
            "η_e = η/((1−ηλ)‖w‖²) is exact"
        ),
        measured=(
            f"relative error {bare.min():.2%} to {worst:.2%}, {_range(bare / np.sqrt(product / 2))}"
            f" times √(ηλ/2); with the way back {landed.min():.3%} to {landed.max():.3%}, "
            f"{_range(landed / product)} times ηλ"
        ),
        outcome=graded(worst <= STEP, bare.min() <= STEP),
        because="ηλ is not small: the error of a step is √(ηλ/2) of its length.",
        numbers=floats(
            largest=worst,
            over_prediction=np.mean(bare / np.sqrt(product / 2)),
            landed_over_prediction=np.mean(landed / product),
        ),
        of="S8",
    )


def path(arrays: Arrays) -> Verdict:
    """SGD on the sphere with η_e = η/‖w_t‖² stays with SGD with decay."""
    off = {name: _off(arrays, name) for name in ("article", "constant", "control")}
    losses = {name: _loss_apart(arrays, name) for name in off}
    holds, alike = off["article"].max() <= PATH, losses["article"].max() <= LOSS
    return Verdict(
        claim="Beyond the article, which speaks of a step: over a whole path training w/‖w‖ by SGD "
        "with η_e = η/‖w‖² is the same as SGD with decay.",
        predicted="the same path, up to the error ηλ of each step; the same losses",
        measured=(
            f"after {arrays['pursuit_step'][-1]} steps the follower with η/‖w_t‖² is off by "
            f"{_range(off['article'])} of the angle that SGD has turned (one with 1.1 times the "
            f"rate: {_range(off['control'])}); their mean losses differ by "
            f"{losses['article'].max():.2%} at most (constant η_e: {losses['constant'].max():.2%}; "
            f"1.1 times the rate: {losses['control'].max():.2%})"
        ),
        outcome=graded(holds, alike),
        because=(
            "Each step is right, but the paths part. Likely the error of a step takes some inputs "
            "of ReLU to the other side of the kink, where the gradient is another one: without "
            f"kinks the same follower is off by {_by_product(arrays, 'smooth')}."
        ),
        numbers=floats(
            off=off["article"].max(),
            off_constant=off["constant"].max(),
            off_control=off["control"].max(),
            loss=losses["article"].max(),
            loss_constant=losses["constant"].max(),
            loss_control=losses["control"].max(),
        ),
        of="S8",
    )


def smooth_path(arrays: Arrays) -> Verdict:
    """The same, in a network without kinks."""
    off = {name: _off(arrays, name, "smooth") for name in ("article", "control")}
    losses = {name: _loss_apart(arrays, name, "smooth") for name in off}
    holds, alike = off["article"].max() <= PATH, losses["article"].max() <= LOSS
    return Verdict(
        claim="The same in a network with a smooth activation, softplus(8 x)/8 instead of ReLU.",
        predicted="the same path, up to the error ηλ of each step; the same losses",
        measured=(
            f"after {arrays['pursuit_step'][-1]} steps the follower with η/‖w_t‖² is off by "
            f"{off['article'].min():.2%} to {off['article'].max():.2%} of the angle that SGD has "
            f"turned, {np.median(off['article']):.2%} in the median (one with 1.1 times the rate: "
            f"{_range(off['control'])}); their mean losses "
            f"differ by {losses['article'].max():.3%} at most (1.1 times the rate: "
            f"{losses['control'].max():.2%})"
        ),
        outcome=graded(holds, alike),
        because=(
            f"In {np.mean(off['article'] > PATH):.0%} of the runs, with ηλ from "
            f"{_product(arrays)[off['article'] > PATH].min(initial=1):.2g} on, the errors of the "
            "steps grow on their way in a network without kinks too."
        ),
        numbers=floats(
            off=off["article"].max(),
            off_control=off["control"].max(),
            loss=losses["article"].max(),
            loss_control=losses["control"].max(),
        ),
        of="S8",
    )


def exact(arrays: Arrays) -> Verdict:
    """With η/((1−ηλ)‖w‖²), and with momentum as its twin has it, the path is the same."""
    worst = {name: _angle(arrays, name).max() for name in ("exact", "twin", "momentum twin")}
    logits = {name: arrays["pursuit_logits"][:, :, FOLLOWERS.index(name)].max() for name in worst}
    both = max(*worst.values(), *logits.values())
    return Verdict(
        claim="With η_e = η/((1−ηλ)‖w‖²) SGD on the sphere is SGD with decay.",
        predicted="the same path but for rounding, with and without momentum",
        measured=(
            f"after {arrays['pursuit_step'][-1]} steps off by {worst['exact']:.0e} (η_e from the "
            f"measured norm), {worst['twin']:.0e} (norm carried along) and "
            f"{worst['momentum twin']:.0e} radians (with momentum {arrays['momentum']:g}); logits "
            f"by {max(logits.values()):.0e}"
        ),
        outcome=graded(both <= ROUNDING, min(worst.values()) <= ROUNDING),
        because="Rounding has grown: the paths of this training part too fast for float64.",
        numbers=floats(
            **{name.replace(" ", "_"): value for name, value in worst.items()},
            logits=max(logits.values()),
        ),
        of="S8",
    )


def _product(arrays: Arrays) -> np.ndarray:
    """ηλ of the runs that are followed."""
    return float(arrays["learning_rate"]) * arrays["weight_decay"][arrays["chased"]]


def _angle(arrays: Arrays, name: str, arm: str = "pursuit") -> np.ndarray:
    return arrays[f"{arm}_off"][:, -1, COLUMNS[arm].index(name)]


def _off(arrays: Arrays, name: str, arm: str = "pursuit") -> np.ndarray:
    return _angle(arrays, name, arm) / arrays[f"{arm}_turned"][:, -1, 0]


def _by_product(arrays: Arrays, arm: str) -> str:
    """How far the article's follower is off, by ηλ: the ranges over the seeds."""
    product, off = _product(arrays), _off(arrays, "article", arm)
    each = (off[np.isclose(product, one)] for one in np.unique(product))
    return ", ".join(
        f"{values.min():.2%} to {values.max():.2%} at ηλ = {one:.3g}"
        for one, values in zip(np.unique(product), each, strict=True)
    )


def _loss_apart(arrays: Arrays, name: str, arm: str = "pursuit") -> np.ndarray:
    mean = arrays[f"{arm}_loss"].mean(axis=1)
    place = len(leaders_of(COLUMNS[arm])) + COLUMNS[arm].index(name)
    return np.abs(mean[:, place] / mean[:, 0] - 1)


def _range(values: np.ndarray) -> str:
    return f"{values.min():.2f} to {values.max():.2f}"
