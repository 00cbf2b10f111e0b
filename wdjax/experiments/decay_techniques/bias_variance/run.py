"""Fits all models of `bias-variance` and takes their errors apart."""

import numpy as np

from wdjax.experiments.decay_techniques.bias_variance.config import Config, inputs, validate
from wdjax.experiments.decay_techniques.bias_variance.models import (
    SHAKE,
    Fits,
    degrees_of_freedom,
    networks,
    ridge,
)
from wdjax.experiments.decay_techniques.bias_variance.problem import Sets, draw
from wdjax.experiments.experiment import Measurement
from wdjax.training import Session

MODELS = ("ridge", "network, AdamW", "network, SGD")


def measure(config: Config, session: Session) -> Measurement:
    """Returns the arrays of the record; they begin with (models, noises)."""
    validate(config)
    sets = draw(config, config.irrelevant)
    decays = np.stack([np.append(0.0, values) for values in
                       (config.ridge_decays, config.decays, config.sgd_decays)])  # fmt: skip
    shake = SHAKE * np.random.default_rng((config.seed, 4)).normal(size=sets.test_x.shape)
    fits = (
        ridge(sets, decays[0], shake),
        networks(config, sets, "AdamW", decays[1], shake, session),
        networks(config, sets, "SGD", decays[2], shake, session),
    )
    informative = config.relevant * (1 + config.copies)
    parts = [taken_apart(fit, sets, config.relevant, informative) for fit in fits]
    arrays = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    arrays |= {
        "decay": decays,
        "noise": np.asarray(config.noises),
        "informative": np.asarray(informative),
        "alike": np.asarray(1 + config.copies),
        "many_irrelevant": np.asarray(config.many_irrelevant),
        "many_risk": _with_irrelevant(config, decays[0]),
        "freedom": degrees_of_freedom(sets, decays[0]),
    }
    summary = (
        f"Ridge regression and networks with {config.width} hidden units on "
        f"{config.training_sets} training sets of {config.examples} examples with "
        f"{inputs(config)} inputs ({config.relevant} relevant, {informative - config.relevant} "
        f"noisy copies of them), at {len(config.noises)} strengths of noise."
    )
    return Measurement(arrays, summary)


def taken_apart(fits: Fits, sets: Sets, relevant: int, informative: int) -> dict[str, np.ndarray]:
    """Returns the parts of the error, (noises, λ), and measures of each set, (noises, sets, λ).

    The first inputs are informative: the relevant ones, and then copies of all of them.

    E(f̂ − f)² = bias² + variance, at the test inputs: of the mean over training sets, and about it.
    Bias² is corrected for the variance of a mean over so few sets; "left out" are the two without
    one set after the other.
    """
    bias, variance = _parts(fits.test, sets.truth)
    count = len(fits.test)
    left = [_parts(np.delete(fits.test, i, axis=0), sets.truth) for i in range(count)]
    known = fits.features[..., :informative]
    alike = known.reshape(*known.shape[:-1], -1, relevant).swapaxes(-1, -2)
    rest = fits.features[..., informative:]
    each = {
        "risk": np.mean((fits.test - sets.truth) ** 2, axis=-1),
        "error": fits.error,
        "held_error": np.mean((fits.held - sets.held_y.swapaxes(0, 1)[:, :, None]) ** 2, axis=-1),
        "norm": np.sqrt(fits.norm),
        "spread": _effective_number(known),
        "spread_alike": _effective_number(alike).mean(axis=-1),
        "irrelevant": _rms(rest) / np.maximum(_rms(known), 1e-30),
        "shaken": fits.shaken,
        "output": fits.test.var(axis=-1),
    }
    return {
        "bias": bias,
        "variance": variance,
        "bias_left_out": np.stack([b for b, _ in left]),
        "variance_left_out": np.stack([v for _, v in left]),
        **{name: np.moveaxis(values, 0, 1) for name, values in each.items()},
    }


def _parts(outputs: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    variance = outputs.var(axis=0, ddof=1).mean(axis=-1)
    bias = np.mean((outputs.mean(axis=0) - truth) ** 2, axis=-1) - variance / len(outputs)
    return bias, variance


def _rms(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(values.astype(float) ** 2, axis=-1))


def _effective_number(values: np.ndarray) -> np.ndarray:
    """(Σw²)²/Σw⁴: the number of inputs, if all weigh the same, and 1 if only one does."""
    square = (values / np.maximum(values.max(axis=-1, keepdims=True), 1e-30)) ** 2
    return square.sum(axis=-1) ** 2 / np.maximum((square**2).sum(axis=-1), 1e-30)


def _with_irrelevant(config: Config, decays: np.ndarray) -> np.ndarray:
    """Risk of ridge regression at the largest noise, (numbers of irrelevant inputs, sets, λ)."""
    found = []
    for count in config.many_irrelevant:
        sets = draw(config, count)
        fits = ridge(sets, decays, np.zeros_like(sets.test_x))
        found.append(np.mean((fits.test[:, -1] - sets.truth) ** 2, axis=-1))
    return np.stack(found)
