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
    """SGD with weight decay on all weights."""
    tx = sgd_l2(jnp.asarray(hyper.learning_rate), jnp.asarray(hyper.weight_decay))
    return tracked(tx, EVERYTHING)


def with_momentum(hyper: Hyperparameters) -> optax.GradientTransformation:
    """The same with momentum; over many steps a gradient moves the weights by η/(1 − μ) of it."""
    return tracked(sgd_l2(*map(jnp.asarray, hyper)), EVERYTHING)


def measure(config: Config, session: Session) -> Measurement:
    """Trains all arms; returns the arrays of the record."""
    validate(config)
    dataset = load_images(config.data, config.train_images)
    model = network(config.widths, config.convolution, dataset.classes)
    height, width, channels = dataset.train_images.shape[1:]
    products, seeds = runs(config, config.products)
    shape = (height, width, channels)
    eta = np.full(len(seeds), config.learning_rate, np.float32)
    hyper = Hyperparameters(eta, products / eta, np.zeros_like(eta))
    arrays: Arrays = {
        "product": products,
        "seed": seeds,
        "classes": np.array(dataset.classes),
        "record": np.array(config.record),
    }
    task = classification(model, shape, decaying)
    arrays |= _arm("decay", task, hyper, seeds, config, dataset, session)
    # One step of decayed SGD turns w as one on the sphere with this rate does, exactly.
    arrays["decay_effective_rate"] /= (1 - products)[:, None]
    rates = settled_rate(arrays)
    task = classification(model, shape, optimiser)
    arrays |= {"rate": rates} | _arm("fixed", task, rates, seeds, config, dataset, session)
    arrays["random_loss"] = random_losses(
        task, initial(task, rates, seeds), dataset, config.batch_size
    )
    task = classification(model, shape, with_momentum)
    arrays |= _momentum(task, config, dataset, session)
    data = {"dataset": dataset.name, "sha256": dataset.sha256()}
    return Measurement(arrays, _summary(config, dataset, arrays), data)


def _momentum(task: Task, config: Config, dataset: Dataset, session: Session) -> Arrays:
    products, seeds = runs(config, config.momentum_products)
    mu = np.full(len(seeds), config.momentum, np.float32)
    eta = np.float32(config.learning_rate)
    hyper = Hyperparameters(eta * (1 - mu), products / eta, mu)
    found = _arm("momentum", task, hyper, seeds, config, dataset, session)
    return {
        "momentum": np.array(config.momentum, np.float32),
        "momentum_product": products,
        "momentum_seed": seeds,
        "momentum_loss": found["momentum_loss"],
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
