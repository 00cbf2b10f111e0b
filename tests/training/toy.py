"""A task small enough to be trained in a test: a batch-normed MLP on a few digits."""

import jax

import wdjax
from wdjax.data import load_digits, standardise
from wdjax.models import MLP
from wdjax.training import Hyperparameters, classification

MODEL = MLP(widths=(16,), norm="batch")
DIGITS = standardise(load_digits())


def optimiser(hyper: Hyperparameters):
    return wdjax.tracked(wdjax.transforms.sgd_l2(*map(jax.numpy.asarray, hyper)))


TASK = classification(MODEL, (8, 8, 1), optimiser, shift=1)
GRID = Hyperparameters([0.1, 0.2, 0.1, 0.2], [0.01, 0.02, 0.0, 0.0], [0.9, 0.9, 0.0, 0.5])
SEEDS = [0, 0, 1, 2]
