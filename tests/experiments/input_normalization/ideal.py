"""Measurements as they would be if every claim held, tiny; the tests spoil them one by one."""

import numpy as np

from wdjax.experiments.input_normalization.adaptive_scaling import config as adaptive
from wdjax.experiments.input_normalization.input_scale import config as scale
from wdjax.experiments.input_normalization.muted_activations import config as muted
from wdjax.training import RunRecord


def record(arrays):
    return RunRecord("", "", {}, {}, "", 0.0, (), arrays)


def muted_activations():
    settings = muted.Config(seeds=4, decays=(0.1, 1.0, 10.0))
    table = muted.arms(settings)
    left = 1 / (1 + np.sqrt(table["decay"] / 1e-3))
    course = np.linspace(0, 1, 5)

    def over(values):
        return 1 + (values[:, None] - 1) * course

    last = np.where(table["decay"] >= 1e-3, 0.1, 0.09)
    last = np.where(table["scaling"] == muted.MIN_MAX, 0.15, last)
    last = np.where(table["rate"] == settings.raised_rate, 0.085, last)
    return {
        **table,
        "epoch": np.linspace(0, 100, 5),
        "target_variance": np.full(4, 0.083),
        "activity": np.array([[0.5, 0.4, 0.3, 0.1], [0.5, 0.4, 0.3, 0.1]]),
        "epochs": np.array(100),
        "learning_rate": np.array(settings.learning_rate),
        "raised_rate": np.array(settings.raised_rate),
        "loss": 0.3 + (last[:, None] - 0.3) * course,
        "norm": over(left),
        "hidden_spread": over(left),
        "output_spread": over(left**2),
        "active": 0.4 * over(left),
        "dead": np.zeros((len(last), 5)),
        "first_loss": np.full((len(last), 4), 0.3),
        "last_loss": np.repeat(last[:, None], 4, axis=1),
        "last_norm": np.repeat(left[:, None], 4, axis=1),
    }


def input_scale():
    """The loss has its minimum where λ is as s, and η is as λ; for AdamW it is a flatter one."""
    x = np.array([1, -1, -1, 0, 1])[:, None, None]  # log₄ of the scale: raw, min-max, standard
    v, u = np.arange(-1, 2)[:, None], np.arange(-1, 2)  # learning rate and decay
    loss = np.array([np.exp(a * (x - u) ** 2 + 0.3 * (v - u - 0.1) ** 2) for a in (1.0, 0.45)])
    loss = np.tile(loss[None, :, None, ..., None], (2, 1, 2, 1, 1, 1, 2))
    loss[:, :, :, 1:3] *= 1.1  # small inputs are worse whatever is tuned
    trained = np.where(x == -1, 2.0, 1.0)[..., None] * np.ones_like(loss)
    loss[:, 0, 0, 3, -1, 0] = np.nan  # with the largest η, runs are lost
    names = [f"{o}, {n}" for o in scale.OPTIMISERS for n in ("first layer", "unchanged")]
    return {
        "table": np.array(["wine", "diabetes"]),
        "chance": np.array([1e3, 1e3]),
        "optimiser": np.array(scale.OPTIMISERS),
        "norm": np.array(scale.NORMS),
        "kind": np.array(["raw", "min-max", "standard × 0.25", "standard", "standard × 4"]),
        "scale": np.array([0.25, 1.0, 4.0]),
        "rate": np.array([[0.01, 0.04, 0.16]] * 2),
        "decay": np.array([[0.01, 0.04, 0.16]] * 2),
        "choosing": np.array(1),
        "law": np.array(names),
        "law_difference": np.array([1e-15, 0.3, 1e-15, 0.3]),
        "test_loss": loss,
        "train_loss": trained,
        "active": np.full_like(trained, 0.5),
    }


def strong_decay():
    left = np.array([1, 0.9, 0.6, 0.1])
    signal = left[:, None, None] ** np.arange(1, 5) * np.ones((1, 4, 1))
    reached = np.array([0.5, 0.95, 0.97, 0.99]), np.array([0.5, 0.6, 0.7, 0.96])
    quick, late = reached
    accuracy = np.array([0.95, 0.95, 0.9, 0.3])[:, None] * np.ones(2)
    return {
        "step": np.array([0, 10, 20, 30]),
        "decay": np.array([0, 1e-3, 5e-3, 0.1]),
        "signal": np.stack([signal, np.ones_like(signal)]),
        "train_accuracy": np.stack([[quick, quick, late, late], [quick] * 4]),
        "test_accuracy": np.ones((2, 4, 4)),
        "last_test_accuracy": np.stack([accuracy, np.ones_like(accuracy)]),
    }


def adaptive_scaling():
    fixed, rescaled = np.array([0.93, 0.93, 0.5]), np.array([0.95, 0.96, 0.95])
    accuracy = np.stack([fixed, rescaled, rescaled])[:, None, None, :, None] * np.ones(3)
    signal = np.stack([np.array([1, 0.8, 0.3]), np.ones(3), np.ones(3)])
    cosine = np.array([0.1, 1e-7, 1e-3])[:, None, None, None] * np.ones(3)
    return {
        "mode": np.array(adaptive.MODES),
        "gain": np.array([1.0]),
        "rate": np.array([0.1]),
        "decay": np.array([0, 1e-2, 0.3]),
        "step": np.array([0, 10]),
        "choosing": np.array(1),
        "behind_a_norm": np.array(1e-15),
        "last_test_accuracy": accuracy,
        "last_signal": signal[:, None, None, :, None] * np.ones(3),
        "loss": np.ones((3, 1, 1, 3, 2)),
        "norm": np.ones((3, 1, 1, 3, 2)),
        "effective_rate": np.ones((3, 1, 1, 3, 2)),
        "cosine": cosine,
        "largest_cosine": cosine,
    }
