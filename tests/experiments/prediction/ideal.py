"""Runs that are as theory says, in every number."""

import numpy as np

POINTS, SEEDS, GROUPS = 100, (5, 6), ("a/kernel", "b/kernel", "c/kernel")
RELAXATION_STEPS = {"heavy-ball": 100.0, "AdamW": 200.0, "Lion": 200.0}
MODELS = ("ResNet", "transformer")


def ideal_arrays():
    keys = [
        (model, optimiser, seed, group)
        for model in MODELS
        for optimiser in RELAXATION_STEPS
        for seed in SEEDS
        for group in GROUPS
    ]
    model, optimiser, seed, group = (np.array(column) for column in zip(*keys, strict=True))
    count, time = len(keys), np.arange(POINTS) * 8
    norm = 1.0 + np.arange(count) / count
    return {
        "model": model,
        "optimiser": optimiser,
        "seed": seed,
        "group": group,
        "size": np.full(count, 100),
        "angle": np.full(count, 0.05),
        "predicted_angle": np.full(count, 0.05),
        "equilibrium_angle": np.full(count, 0.05),
        "plain_angle": np.full(count, 0.05),
        "norm": norm,
        "predicted_norm": norm.copy(),
        "equilibrium_norm": norm / 1.05,
        "plain_norm": norm / 1.1,
        "gradient_moment": np.ones(count),
        "fresh_moment": np.full(count, 100.0),
        "memory": np.full(count, -0.02),
        "alignment": np.full(count, 0.01),
        "drift": np.full(count, 0.01),
        "cosine": np.full(count, 1e-6),
        "loss": np.ones(count),
        "course_error": np.full(count, 0.01),
        "course_within": np.ones(count),
        "plain_course_error": np.full(count, 0.08),
        "coarse_course_error": np.full(count, 0.06),
        "relaxation_time": time,
        "course_step": time,
        **_curves(time),
    }


def _curves(time):
    """Per model, optimiser and seed, and per model, optimiser and group."""
    steps = np.repeat(np.tile(list(RELAXATION_STEPS.values()), len(MODELS)), len(SEEDS))
    deviation = 0.5 * np.exp(-time / steps[:, None])
    groups = len(MODELS) * len(RELAXATION_STEPS) * len(GROUPS)
    course = (1.0 + np.arange(groups))[:, None] * (1 + time / time.max())
    return {
        "relaxation": deviation,
        "predicted_relaxation": deviation.copy(),
        "relaxation_steps": steps,
        "course": course,
        "predicted_course": course.copy(),
    }
