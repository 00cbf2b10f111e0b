"""Arrays as they would be if theory, or the article, were right to the last digit."""

import numpy as np

from wdjax.experiments.decay_techniques.adam_l2.config import Config as AdamConfig
from wdjax.experiments.decay_techniques.decay_combined import arms as arms_module
from wdjax.experiments.decay_techniques.decay_combined.config import Config as CombinedConfig
from wdjax.experiments.decay_techniques.decay_sample.run import PRINTED


def adam_l2():
    """Theory is exact."""
    config = AdamConfig()
    scales = np.array(config.scales)
    curvature = np.stack([np.ones(5), scales])
    size = np.stack([np.stack([scales, scales])] * 2)
    lam, eta = config.weight_decay, config.rate_learning_rate
    time = np.arange(10, 2001, 10)
    rates = np.stack([eta * lam / scales, np.full(5, eta * lam)])
    root = np.stack([np.geomspace(1e-5, 1e-1, 400)] * 2)
    network_eta, coupled, decoupled = 1e-3, config.network_coupled, config.network_decoupled
    steps = np.arange(21) * 30
    linear = np.maximum(1 - steps / 500, 0.0)
    unused = np.stack([np.stack([linear] * 3), np.exp(-1e-3 * np.outer([0.1, 0.5, 1], steps))])
    return {
        "scales": scales,
        "learning_rate": np.asarray(config.learning_rate),
        "weight_decay": np.asarray(lam),
        "rate_learning_rate": np.asarray(eta),
        "group_learning_rate": np.asarray(config.group_learning_rate),
        "network_learning_rate": np.asarray(network_eta),
        "network_coupled": np.array(coupled),
        "network_decoupled": np.array(decoupled),
        "place": np.stack([curvature / (curvature + lam), curvature / (curvature + lam * size[1])]),
        "place_error": np.full((2, 2, 5), 1e-3),
        "gradient_size": size,
        "left": np.exp(-rates[..., None] * time),
        "left_time": time,
        "left_size": np.stack([scales, scales]),
        "coupled_decay": np.array(config.coupled_decays),
        "coupled_norm": np.array(config.coupled_decays) ** (-1 / 3),
        "coupled_predicted": np.array(config.coupled_decays) ** (-1 / 3),
        "decoupled_decay": np.array(config.decoupled_decays),
        "decoupled_norm": np.array(config.decoupled_decays) ** -0.5,
        "decoupled_predicted": np.array(config.decoupled_decays) ** -0.5,
        "root": root,
        "fraction": np.stack(
            [network_eta * coupled[1] / root[0], np.full(400, network_eta * decoupled[1])]
        ),
        "unused": np.repeat(unused[:, :, None], 2, axis=2),
        "unused_step": steps,
        "sgd_plain": np.full(20, 1e-16),
        "sgd_momentum": np.full(20, 0.1),
        "sgd_matched": np.full(20, 0.01),
        "sgd_without": np.linspace(0.01, 0.1, 20),
        "sgd_step": np.arange(1, 21) * 20,
    }


def decay_grid(power=0.0):
    """The article is right; log λ* of AdamW moves with log η by a power."""
    rates = np.stack([10 ** np.arange(-4, -1.9, 0.5)] * 2 + [10 ** np.arange(-2, 0.1, 0.5)])
    decays = np.append(0.0, 10 ** np.arange(-4, 2.1, 0.5))
    shape = 2, 3, 4, 5, len(decays)
    noise = 1e-4 * np.random.default_rng(0).normal(size=shape)
    accuracy = np.empty(shape)
    for o in range(3):
        center = 10**-1.0 * (rates[o] / rates[o, 2]) ** power
        away = np.log10(np.maximum(decays, 1e-9)[None] / center[:, None])
        hill = np.where(np.abs(away) <= 1, 0.1 * (1 - away**2), 0.0)
        strong = np.where(decays[None] > 10 * center[:, None], -0.3, 0.0)
        level = 0.8 + hill + strong - (0.03 if o == 0 else 0.0)
        if o == 0:  # Adam+L2 has its hill at another λ
            level = np.roll(level, 2, axis=1)
            level[:, :3] = 0.77
        accuracy[:, o] = level
    norms = np.exp(-0.3 * np.arange(len(decays)))[:, None] * np.ones(12)
    norms[0] = np.linspace(1.0, 2.0, 12)
    strength = np.minimum(np.arange(len(decays)) / 6, 1.0)
    return {
        "learning_rate": rates,
        "weight_decay": decays,
        "noise": np.asarray(0.2),
        "test": accuracy + noise,
        "validation": accuracy,
        "train": np.broadcast_to(1 - 0.5 * strength, shape),
        "memorised": np.broadcast_to(np.where(decays > 0, 0.1, 0.98), shape),
        "loss": 1 - accuracy + noise,
        "norms": np.broadcast_to(norms, (2, 3, 5, len(decays), 12)),
    }


def bias_variance():
    """The article is right."""
    sets, count = 8, 9
    place = np.arange(count)
    variance, bias = 2.0 * np.exp(-0.6 * place), 0.02 * np.exp(0.5 * place)
    amount = np.array([1.0, 3.0])[:, None]  # noise
    variance = np.stack([amount * variance] * 3)
    bias = np.broadcast_to(bias, (3, 2, count))
    wobble = 1e-3 * np.random.default_rng(0).normal(size=(3, 2, sets, count))
    risk = (variance + bias)[:, :, None] + wobble
    each = np.ones((3, 2, sets, 1))
    falling = each * np.exp(-0.4 * place)
    rising = each * np.minimum(np.exp(0.4 * place), 10.0)
    return {
        "decay": np.stack([np.append(0.0, 10.0 ** np.arange(-3, 5))] * 3),
        "noise": np.array([0.25, 1.0]),
        "informative": np.asarray(15),
        "alike": np.asarray(3),
        "freedom": np.ones((sets, 1)) * 30 * np.exp(-0.4 * place),
        "many_irrelevant": np.array([0, 15, 50]),
        "many_risk": np.stack([np.stack([[1 + gain, 1.0, 2.0]] * sets) for gain in (0.1, 0.5, 3.0)])
        + 1e-3 * np.arange(sets)[None, :, None],
        "bias": bias,
        "variance": variance,
        "bias_left_out": np.stack([bias] * sets, axis=1),
        "variance_left_out": np.stack([variance] * sets, axis=1),
        "risk": risk,
        "error": each * np.exp(0.4 * place),
        "held_error": risk,
        "norm": falling,
        "spread": rising + 1e-3 * np.arange(sets)[:, None],
        "spread_alike": np.minimum(rising, 3.0) + 1e-3 * np.arange(sets)[:, None],
        "irrelevant": falling**2,
        "shaken": falling**2,
        "output": falling**0.5,
    }


def decay_combined():
    """The article is right."""
    config = CombinedConfig(decays=(0.1, 0.3, 1.0, 3.0, 10.0))
    arms = arms_module.arms(config)
    gain = np.select([arms.decay == 1.0, arms.decay > 0], [0.06, 0.02], 0.0)
    share = np.select([arms.scope == arms_module.HEAD, arms.scope == arms_module.HIDDEN],
                      [0.3, 0.6], 1.0)  # fmt: skip
    others = 0.03 * (arms.dropout > 0) + 0.04 * (arms.shift > 0)
    level = 0.8 + gain * share + others
    accuracy = np.stack([level, level + 0.02])[:, None] * np.ones((1, 6, 1))
    wobble = 1e-4 * np.random.default_rng(0).normal(size=accuracy.shape)
    return {
        **arms._asdict(),
        "validation": accuracy,
        "test": accuracy + wobble,
        "train": np.ones_like(accuracy),
        "memorised": np.where(arms.decay > 0, 0.1, 0.9) * np.ones_like(accuracy),
    }


def decay_sample():
    """The printed losses are typical."""
    return {
        "mean_loss": PRINTED,
        "deviation": np.full(5, 0.02),
        "expected_loss": np.linspace(1.25, 1.0, 6),
        "expected_change": np.array([-0.25, 1e-4]),
        "removed": np.array([5e-5, 1e-9]),
        "removed_deviation": np.asarray(1e-8),
        "examples": np.tile(PRINTED, (40, 1)),
        "runs": np.asarray(1000),
        "rate": np.asarray(1e-5),
        "steps": np.asarray(5),
        "share_falling": np.asarray(0.9),
        "share_falling_as_far": np.asarray(0.4),
        "share_as_smooth": np.asarray(0.3),
        "share_falling_and_smooth": np.asarray(0.3),
        "share_first_higher": np.asarray(0.5),
    }


ALL = {
    "adam-l2": adam_l2,
    "decay-grid": decay_grid,
    "bias-variance": bias_variance,
    "decay-combined": decay_combined,
    "decay-sample": decay_sample,
}
