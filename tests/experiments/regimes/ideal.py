"""Runs as the article has them: three regimes, a level that returns, the edge of stability."""

import numpy as np

CLASSES, RECORDS, CHUNKS = 10, 8, 4
RATES = np.array([1e-5, 1e-4, 1e-3, 5e-3, 1e-2, 2e-2, 3e-2, 4e-2, 5e-2, 1e-1, 1.0], np.float32)
DROP = 5e-3
RANDOM = 4.0
CONVERGE, CHAOS = RATES <= 1e-2, (RATES > 1e-2) & (RATES < 1e-1)


def _levels(rate):
    return np.where(rate < 1e-1, 40 * rate, RANDOM)


def sphere_arrays(seeds=(0, 1, 2)):
    rate = np.tile(RATES, len(seeds))
    seed = np.repeat(np.array(seeds), len(RATES))
    converge, chaos = np.tile(CONVERGE, len(seeds)), np.tile(CHAOS, len(seeds))
    level = _levels(rate)[:, None] * np.ones(RECORDS)
    fall = 1.0 / (1 + np.arange(RECORDS)) ** 2
    own = np.where(converge[:, None], fall, level)
    low = 0.01 * fall + np.zeros((len(rate), 1))
    depth = {
        "own": np.where(converge, 1e-2, level[:, 0]),
        "drop": np.where(rate < DROP / 2, 0.1, 1e-3),
        "back": 1e-3,
    }
    wobble = 1e-3 * (seed - seed.mean())
    flatness = {
        stage: np.where(converge, 10 / of**0.2, np.where(chaos, 1.0, 5.0))
        for stage, of in (("own", rate), ("drop", rate), ("back", np.maximum(rate, DROP)))
    }
    gradient = np.where(converge[:, None], fall, 1 / (1 + level))
    arrays = {
        "rate": rate,
        "seed": seed,
        "drop_rate": np.array(DROP, np.float32),
        "classes": np.array(CLASSES),
        "record": np.array(100),
        "proven": np.array([True, True]),
        "random_loss": np.full(16, RANDOM),
        "drop_barrier": np.zeros(len(rate)),
        "back_barrier": np.full(len(rate), 1.0),
    }
    errors = {
        "own": np.where(converge, -0.03 * np.log10(rate), np.where(chaos, 0.5, 0.9)),
        "drop": np.where(converge, -0.03 * np.log10(rate), np.where(chaos, 0.02, 0.2)),
        "back": np.full(len(rate), 0.1),
    }
    for stage, losses in (("own", own), ("drop", low), ("back", own.copy())):
        loss = depth[stage] * np.ones(len(rate))
        sharpness = (flatness[stage] * loss)[:, None] * np.ones(CHUNKS)
        if stage == "own":
            edge = (2 / rate)[:, None] * np.ones(CHUNKS)
            sharpness = np.where(converge[:, None], sharpness, edge)
        arrays |= {
            f"{stage}_loss": losses,
            f"{stage}_angle": np.full((len(rate), RECORDS), 1e-2),
            f"{stage}_effective_gradient": gradient.copy(),
            f"{stage}_effective_rate": rate[:, None] * np.ones(RECORDS),
            f"{stage}_cosine": np.full((len(rate), RECORDS), 1e-12),
            f"{stage}_turn": np.zeros((len(rate), RECORDS)),
            f"{stage}_full_loss": loss[:, None] * np.ones(CHUNKS),
            f"{stage}_full_gradient": np.ones((len(rate), CHUNKS)),
            f"{stage}_sharpness": sharpness,
            f"{stage}_batch_sharpness": (2 / rate)[:, None] * np.ones(CHUNKS),
            f"{stage}_test_error": errors[stage] + wobble,
        }
    return arrays


def toy_arrays():
    several = np.array([0.5, 1.5])
    multiple = np.array([0.5, 0.9, 0.98, 1.02, 1.1, 2.0, 10.0])
    arrays = {"multiple": multiple, "several": several}
    for name, a in (
        ("single", np.array([[2.0]])),
        ("joint", several[None]),
        ("separate", several[None]),
    ):
        a = np.repeat(a, len(multiple), axis=0)
        threshold = 1 / (a.max(axis=1) if name == "separate" else a.sum(axis=1))
        rate = multiple * threshold
        settles = multiple < 1
        loss = np.where(settles, 0.0, (a.sum(axis=1) - 1 / rate) / 2)
        arrays |= {
            f"{name}_a": a,
            f"{name}_rate": rate,
            f"{name}_share": a * rate[:, None] * 1.05,
            f"{name}_loss": loss,
            f"{name}_highest": loss * 1.1,
            f"{name}_lowest": loss * 0.9,
            f"{name}_shown": np.ones((len(rate), 20), np.float32),
        }
    return arrays | {"single_curvature": np.array([4.0]), "joint_curvature": np.array(4.0)}


def decay_arrays(seeds=(0, 1, 2)):
    """Runs with decay and twins that do the same, at equilibrium outside the first regime."""
    product = np.array([1e-5, 1e-3, 0.03, 0.1, 0.3, 0.9, 0.97])
    every = np.tile(product, len(seeds))
    converge, chaos = every < 1e-2, (every > 1e-2) & (every < 0.5)
    fall = 1.0 / (1 + np.arange(RECORDS)) ** 2
    level = np.where(chaos, 3 * every, RANDOM)[:, None] * np.ones(RECORDS)
    loss = np.where(converge[:, None], fall, level)
    rising = (1 - np.minimum(every, 1e-3)[:, None]) ** (-100.0 * np.arange(RECORDS))
    rate = np.where(converge[:, None], 1e-3 * rising, 0.1 * every[:, None])
    return {
        "product": every,
        "seed": np.repeat(np.array(seeds), len(product)),
        "classes": np.array(CLASSES),
        "record": np.array(100),
        "random_loss": np.full(16, RANDOM),
        "rate": rate[:, -1],
        "decay_loss": loss,
        "momentum": np.array(0.9, np.float32),
        "momentum_product": 2 * every,
        "momentum_seed": np.repeat(np.array(seeds), len(product)),
        "momentum_loss": loss.copy(),
        "fixed_loss": loss.copy(),
        "decay_effective_rate": rate,
        "decay_angle": np.arccos(1 - every)[:, None] * np.ones(RECORDS),
    }
