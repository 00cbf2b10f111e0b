import jax
import numpy as np
import optax
import pytest

from tests.theory.normalised_walks import MOMENT, SIZE, require_equilibrium, walks
from wdjax.theory import coupled_adam

LR = np.array([0.004, 0.01, 0.01, 0.02])
DECAY = np.array([0.04, 0.1, 0.1, 0.2])
B1 = np.array([0.9, 0.0, 0.9, 0.9])


def optimiser(lr, decay, b1):
    return optax.chain(optax.add_decayed_weights(decay), optax.adam(lr, b1=b1, b2=0.99))


def settle(settled, scales=None):
    settings = {"lr": LR, "decay": DECAY, "b1": B1}
    return walks(optimiser, settings, settled.norm(), steps=2500, discard=500, scales=scales)


def test_it_settles_where_theory_says():
    settled = coupled_adam.adam_l2(LR, DECAY, B1, gradient_moment=MOMENT, size=SIZE)
    # The leading order in ρ: the L2 term is ρ/2 of what v averages, the rest is alike. v forgets.
    bias = 0.01 + 0.5 * np.asarray(settled.rate())
    squared = settled.squared_norm(gradient_moment=MOMENT, size=SIZE)
    require_equilibrium(settle(settled), squared, settled.angle, norm_bias=bias, angle_bias=bias)


def test_entries_of_unequal_gradients_settle_at_the_mean_of_their_sizes():
    scales = np.exp(np.linspace(-1.0, 1.0, SIZE))
    sizes = np.sqrt(MOMENT) * scales / np.sqrt(np.sum(scales**2))  # s_i ‖w‖
    moment = np.sum(sizes) ** 2 / SIZE
    assert moment < 0.9 * MOMENT
    settled = coupled_adam.adam_l2(LR, DECAY, B1, gradient_moment=moment, size=SIZE)
    squared = settled.squared_norm()
    np.testing.assert_allclose(
        np.sum(coupled_adam.coordinate_moment(LR, DECAY, sizes[:, None] / settled.norm()), axis=0),
        squared, rtol=1e-9,
    )  # fmt: skip
    # The tangent's share along w, common to all entries, is E s² E(1/s²)/d of their squares.
    bias = 0.01 + 0.5 * np.asarray(settled.rate()) + np.sinh(2.0) ** 2 / 4 / SIZE
    walk = settle(settled, scales)
    require_equilibrium(walk, squared, settled.angle, norm_bias=bias, angle_bias=bias)


def test_a_deviation_falls_in_a_third_of_one_over_the_rate():
    settled = coupled_adam.adam_l2(1e-3, 1e-3, gradient_moment=MOMENT, size=SIZE)
    assert settled.balance().relaxation_steps == pytest.approx(float(1 / (3 * settled.rate())))
    assert settled.memory_steps == pytest.approx(float(1 / settled.rate()))


def test_what_the_gradients_are_is_asked_for():
    settled = coupled_adam.adam_l2(0.1, 0.1)
    with pytest.raises(ValueError, match="gradient_moment"):
        _ = settled.angle
    with pytest.raises(ValueError, match="size"):
        settled.rate(gradient_moment=1.0)
    with pytest.raises(ValueError, match="size is -1"):
        coupled_adam.adam_l2(0.1, 0.1, size=-1)
    given = coupled_adam.adam_l2(0.1, 0.1, gradient_moment=2.0, size=8)
    assert given.norm() == pytest.approx(float(settled.norm(gradient_moment=2.0, size=8)))
    assert given.norm(size=9) > given.norm()


def test_it_passes_through_jit_with_statistics_that_are_missing():
    settled = coupled_adam.adam_l2(0.1, 0.1)
    rate = jax.jit(lambda x: x.rate(gradient_moment=1.0, size=4))(settled)
    assert rate == pytest.approx(float(settled.rate(gradient_moment=1.0, size=4)))
