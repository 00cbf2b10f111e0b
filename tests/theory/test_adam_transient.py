import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.theory.normalised_walks import MOMENT, SIZE, walks
from wdjax.theory import adam
from wdjax.theory.adam_transient import adam_course

STEPS = 1500
STEP = np.arange(STEPS)
LR = 0.01 * np.minimum(STEP / 150, 1.0) * (1 + np.cos(np.pi * STEP / STEPS)) / 2
DECAY = np.array([1.0, 0.3, 0.0])  # decoupled
L2 = np.array([0.0, 0.0, 0.3])  # in the gradient


def test_it_follows_warm_up_and_cosine_everywhere():
    course = adam_course(
        LR[:, None], LR[:, None] * DECAY, size=SIZE, norm=1.0,
        gradient_moment=MOMENT, weight_decay=L2,
    )  # fmt: skip

    def optimiser(decay, coupled):
        def schedule(count):
            return jnp.asarray(LR, jnp.float32)[count]

        adamw = optax.adamw(schedule, b1=0.9, b2=0.999, weight_decay=decay)
        return optax.chain(optax.add_decayed_weights(coupled), adamw)

    walk = walks(optimiser, {"decay": DECAY, "coupled": L2}, np.ones(3), steps=STEPS, walkers=16)
    measured = np.sqrt(np.mean(walk.norm**2, axis=2)).T
    assert np.all(np.max(measured, axis=0) / np.min(measured, axis=0) > 1.4)
    # As the mean over 16 walks of 256 entries, whose standard error is 1/√(2·16·256) = 1.1 %.
    np.testing.assert_allclose(measured[1:], course.norm[:-1], rtol=0.033)
    # The angles of 50 steps each, whose squares err by a few per cent where steps are alike.
    turned = np.sum(np.mean(walk.angle**2, axis=2).T.reshape(-1, 50, 3), axis=1)
    expected = np.sum(np.reshape(course.angle**2, (-1, 50, 3)), axis=1)
    np.testing.assert_allclose(turned, expected, rtol=0.08)
    # Without the memory of v one would be elsewhere.
    balance = adam.adamw(LR, 1.0).balance(size=SIZE).course(1.0)
    assert course.norm[-1, 0] / balance[-1] > 1.15


def test_held_still_it_ends_at_the_exact_equilibrium():
    rate, b1 = np.array([0.01, 0.1, 0.3]), np.array([0.9, 0.5, 0.0])
    settled = adam.AdamW(0.02, rate, b1)
    course = adam_course(jnp.full((4000, 3), 0.02), rate, b1, 0.9, size=64, norm=0.1)
    np.testing.assert_allclose(course.norm[-1], settled.norm(size=64), rtol=1e-9)
    np.testing.assert_allclose(course.angle[-1], settled.angle, rtol=1e-9)


def test_the_first_step_moves_each_entry_by_the_learning_rate():
    course = adam_course(jnp.array([0.1]), 0.5, size=16, norm=2.0)
    assert course.norm[0] == pytest.approx(np.sqrt(0.25 * 4 + 16 * 0.01))
    assert np.tan(course.angle[0]) == pytest.approx(0.4 / 1.0)


def test_only_changes_of_the_gradient_moment_count_without_l2():
    moment = np.linspace(1.0, 3.0, 50)
    one, ten = (
        adam_course(jnp.full(50, 0.02), 0.01, size=64, norm=1.0, gradient_moment=scale * moment)
        for scale in (1.0, 10.0)
    )
    np.testing.assert_allclose(one.norm, ten.norm, rtol=1e-12)
    still = adam_course(jnp.full(50, 0.02), 0.01, size=64, norm=1.0)
    # v is of older gradients than m: where they grow, steps are larger.
    assert one.norm[-1] > 1.01 * still.norm[-1]


def test_it_is_differentiated():
    def end(scale):
        return adam_course(scale * jnp.full(30, 0.02), 0.01, size=64, norm=1.0).norm[-1]

    slope = (end(1 + 1e-6) - end(1 - 1e-6)) / 2e-6
    assert jax.grad(end)(1.0) == pytest.approx(float(slope), rel=1e-6)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"learning_rate": 0.1}, "one number"),
        ({"rate": 1.1}, "rate is 1.1"),
        ({"b2": 1.0}, "b2 is 1.0"),
        ({"norm": -1.0}, "norm is -1"),
    ],
)
def test_bad_input_is_refused(bad, message):
    settings = {"learning_rate": np.ones(3), "rate": 0.1, "size": 4, "norm": 1.0}
    with pytest.raises(ValueError, match=message):
        adam_course(**(settings | bad))
