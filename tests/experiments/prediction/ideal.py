"""Runs that are as theory says, in every number."""

import numpy as np

POINTS, SEEDS, GROUPS = 100, (5, 6), ("a/kernel", "b/kernel", "c/kernel")
RELAXATION_STEPS = {"heavy-ball": 100.0, "AdamW": 200.0}


def ideal_arrays():
    keys = [
        (model, optimiser, seed, group)
        for model in ("ResNet", "transformer")
        for optimiser in RELAXATION_STEPS
        for seed in SEEDS
        for group in GROUPS
    ]
    model, optimiser, seed, group = (np.array(column) for column in zip(*keys, strict=True))
    count = len(keys)
    time = np.arange(POINTS) * 8
    steps = np.array([RELAXATION_STEPS[name] for name in optimiser])
    deviation = 0.5 * np.exp(-time / steps[:, None])
    norm = 1.0 + np.arange(count) / count
    course = norm[:, None] * (1 + time / time.max())
    return {
        "model": model,
        "optimiser": optimiser,
        "seed": seed,
        "group": group,
        "size": np.full(count, 100),
        "angle": np.full(count, 0.05),
        "predicted_angle": np.full(count, 0.05),
        "norm": norm,
        "predicted_norm": norm.copy(),
        "gradient_moment": np.ones(count),
        "drift": np.full(count, 0.01),
        "memory": np.full(count, -0.02),
        "cosine": np.full(count, 1e-6),
        "loss": np.ones(count),
        "relaxation": deviation,
        "relaxation_given_moment": deviation.copy(),
        "relaxation_steps": steps,
        "relaxation_time": time,
        "course_step": time,
        "course": course,
        "predicted_course": course.copy(),
        "course_error": np.full(count, 0.01),
        "course_within": np.ones(count),
    }
