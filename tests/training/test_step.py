import jax
import numpy as np

from tests.training.toy import DIGITS, TASK
from wdjax.training import Hyperparameters, init_state, train_step

HYPER = Hyperparameters(0.1, 0.01, 0.9)
BATCH = DIGITS.train_images[:8], DIGITS.train_labels[:8]


def test_a_step_is_pure():
    state = init_state(TASK, HYPER, 0)
    first, _ = train_step(TASK, HYPER, state, 0, *BATCH)
    again, _ = train_step(TASK, HYPER, state, 0, *BATCH)
    jax.tree.map(np.testing.assert_array_equal, first.params, again.params)


def test_the_augmentation_depends_on_the_step():
    state = init_state(TASK, HYPER, 0)
    _, first = train_step(TASK, HYPER, state, 0, *BATCH)
    _, second = train_step(TASK, HYPER, state, 1, *BATCH)
    assert first["loss"] != second["loss"]


def test_training_lowers_the_loss():
    state, losses = init_state(TASK, HYPER, 0), []
    step = jax.jit(lambda state, number: train_step(TASK, HYPER, state, number, *BATCH))
    for number in range(60):
        state, measures = step(state, number)
        losses.append(float(measures["loss"]))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
