"""Trains with weight decay, also with momentum, and on the sphere at the rates decay came to."""

import jax.numpy as jnp
import numpy as np
import optax

from wdjax.data import Dataset
from wdjax.experiments.experiment import Arrays, Measurement
from wdjax.experiments.regimes.decay.config import Config, runs, validate
from wdjax.experiments.regimes.sphere.run import initial, optimiser, random_losses
from wdjax.experiments.regimes.training import (
    EVERYTHING,
    Length,
    load_images,
    network,
    run_stage,
    start,
)
from wdjax.tracking import tracked
from wdjax.training import Hyperparameters, Session, Task, classification
from wdjax.transforms import sgd_l2


def decaying(hyper: Hyperparameters) -> optax.GradientTransformation:
    """SGD with weight decay on all weights, and with momentum where μ is not 0."""
    return tracked(sgd_l2(*map(jnp.asarray, hyper)), EVERYTHING)


def measure(config: Config, session: Session) -> Measurement:
    """Trains all arms; returns the arrays of the record."""
    validate(config)
    dataset = load_images(config.data, config.train_images)
    model = network(config.widths, config.convolution, dataset.classes)
    height, width, channels = dataset.train_images.shape[1:]
    shape = (height, width, channels)
    arrays: Arrays = {
        "classes": np.array(dataset.classes),
        "record": np.array(config.record),
        "momentum": np.array(config.momentum, np.float32),
    }
    arrays |= _decayed(classification(model, shape, decaying), config, dataset, session)
    rates, seeds = settled_rate(arrays), arrays["seed"]
    task = classification(model, shape, optimiser)
    arrays |= {"rate": rates} | _arm("fixed", task, rates, seeds, config, dataset, session)
    arrays["random_loss"] = random_losses(
        task, initial(task, rates, seeds), dataset, config.batch_size
    )
    data = {"dataset": dataset.name, "sha256": dataset.sha256()}
    return Measurement(arrays, _summary(config, dataset, arrays), data)


def _decayed(task: Task, config: Config, dataset: Dataset, session: Session) -> Arrays:
    """All runs with decay, as one program: first those without momentum, then those with it.

    Over many steps with momentum a gradient moves the weights by η/(1 − μ) of it.
    """
    products, seeds = runs(config, config.products)
    with_momentum, their_seeds = runs(config, config.momentum_products)
    mu = np.repeat(np.array([0, config.momentum], np.float32), [len(seeds), len(their_seeds)])
    eta = np.float32(config.learning_rate)
    hyper = Hyperparameters(eta * (1 - mu), np.append(products, with_momentum) / eta, mu)
    both = np.append(seeds, their_seeds)
    found = _arm("decay", task, hyper, both, config, dataset, session)
    first = {name: values[: len(seeds)] for name, values in found.items()}
    # One step of decayed SGD turns w as one on the sphere with this rate does, exactly.
    first["decay_effective_rate"] = first["decay_effective_rate"] / (1 - products)[:, None]
    return {
        "product": products,
        "seed": seeds,
        "momentum_product": with_momentum,
        "momentum_seed": their_seeds,
        "momentum_loss": found["decay_loss"][len(seeds) :],
        **first,
    }


def settled_rate(arrays: Arrays) -> np.ndarray:
    """The geometric mean of the effective rate over the second half of each run with decay."""
    rates = arrays["decay_effective_rate"]
    return np.exp(np.log(rates[:, rates.shape[1] // 2 :]).mean(axis=1)).astype(np.float32)


def _arm(
    name: str,
    task: Task,
    settings: object,
    seeds: np.ndarray,
    config: Config,
    dataset: Dataset,
    session: Session,
) -> Arrays:
    course = start(initial(task, settings, seeds))
    length = Length(config.steps, config.chunk, config.record, config.batch_size, 0, 0)
    _, found = run_stage(session, name, task, dataset, settings, seeds, course, length)
    kept = ("loss", "angle", "effective_rate")
    return {f"{name}_{key}": np.asarray(found[key], np.float32) for key in kept}


def _summary(config: Config, dataset: Dataset, arrays: Arrays) -> str:
    return (
        f"{len(config.widths)} scale-invariant layers on {dataset.name} "
        f"({len(dataset.train_labels):,} images), {len(arrays['seed'])} runs of {config.steps:,} "
        f"steps with ηλ from {config.products[0]:g} to {config.products[-1]:g}, as many on the "
        f"sphere with effective rates from {arrays['rate'].min():.2g} to "
        f"{arrays['rate'].max():.2g}, and {len(arrays['momentum_seed'])} with a momentum of "
        f"{config.momentum:g} and ηλ/(1 − μ) from {config.momentum_products[0]:g} to "
        f"{config.momentum_products[-1]:g}."
    )
