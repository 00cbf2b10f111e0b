import numpy as np
import optax
import pytest

from tests.theory.normalised_walks import SIZE, deviation, require_equilibrium, walks
from wdjax.theory import adam

LR = 0.01


def test_adamw_settles_where_theory_says():
    rates = np.array([1e-3, 1e-3, 1e-2, 1e-2, 1e-2, 1e-1, 1e-1, 1e-2, 1e-2])
    b1 = np.array([0.0, 0.9, 0.0, 0.5, 0.9, 0.0, 0.9, 0.0, 0.9])
    b2 = np.where(np.arange(9) < 7, 0.99, 0.95)
    settled = adam.AdamW(LR, rates, b1)

    def optimiser(rate, b1, b2):
        return optax.adamw(LR, b1=b1, b2=b2, weight_decay=rate / LR)

    settings = {"rate": rates, "b1": b1, "b2": b2}
    walk = walks(optimiser, settings, settled.norm(size=SIZE), steps=3000, discard=700)
    # To first order the norm is smaller by `forgetting_factor`. The next is 17/6 (1 − β₂)² at
    # β₁ = 0. The angle is that of the docstring, 0.5 % at β₂ = 0.95.
    require_equilibrium(
        walk, settled.squared_norm(size=SIZE) * adam.forgetting_factor(b1, b2), settled.angle,
        norm_bias=3 * (1 - b2) ** 2, angle_bias=0.22 * (1 - b2),
    )  # fmt: skip


def test_gradients_of_unequal_sizes_settle_at_the_same():
    # The tangent's share along w, which all entries have in common, falls as 1/d.
    size, rates, b1 = 2048, np.array([1e-2]), np.array([0.9])
    settled = adam.AdamW(LR, rates, b1)

    def optimiser(rate, b1):
        return optax.adamw(LR, b1=b1, b2=0.99, weight_decay=rate / LR)

    walk = walks(
        optimiser, {"rate": rates, "b1": b1}, settled.norm(size=size), steps=1500, discard=500,
        shape=(size,), walkers=6, scales=np.exp(np.linspace(-1.5, 1.5, size)),
    )  # fmt: skip
    common = np.sinh(3.0) ** 2 / 9 / size  # E s² E(1/s²)/d
    bias = 0.003 + common  # and β₂ as above
    require_equilibrium(walk, settled.squared_norm(size=size), settled.angle,
                        norm_bias=bias, angle_bias=bias)  # fmt: skip


def test_corrected_decay_keeps_the_norm_where_the_learning_rate_falls():
    steps, decay, peak = 1500, 0.1, 0.01
    lr = peak * (1 - np.arange(steps) / steps)
    settled = adam.adamc(lr, decay, peak=peak)
    norm = np.sqrt(SIZE * peak / (2 * decay))
    # The leading order; the next is ρR/2 of ‖w‖², with R = 19.
    np.testing.assert_allclose(settled.norm(size=SIZE)[:-1], norm, rtol=0.006)
    np.testing.assert_allclose(settled.angle[:-1] / lr[:-1], settled.angle[0] / peak, rtol=0.001)

    def optimiser(decay):
        def now(count):
            return peak * (1 - count / steps)

        return optax.chain(
            optax.scale_by_adam(b1=0.9, b2=0.999),
            optax.scale_by_learning_rate(now),
            optax.add_decayed_weights(lambda count: -decay * now(count) ** 2 / peak),
        )

    walk = walks(optimiser, {"decay": [decay]}, [norm], steps=steps, walkers=16)
    measured = np.sqrt(np.mean(walk.norm[0] ** 2, axis=1))
    # As the mean over 16 walks of 256 entries, whose standard error is 1/√(2·16·256) = 1.1 %.
    np.testing.assert_allclose(measured, norm, rtol=0.033)


def test_the_direction_is_forgotten_in_the_stated_time():
    settled = adam.adamw(0.01, 1.0)
    steps = int(settled.memory_steps)

    def optimiser(decay):
        return optax.adamw(0.01, b1=0.9, weight_decay=decay)

    walk = walks(optimiser, {"decay": [1.0]}, settled.norm(size=SIZE)[None],
                 steps=steps + 1, discard=300, walkers=32)  # fmt: skip
    # (1 − ρ)^(1/ρ) is less than 1/e by the fraction ρ/2; the memory of the steps comes on top.
    later = np.exp(-1 - 0.01 / 2 + 0.01 * (19**2 - 1) / (2 * 19))
    off, error = deviation(walk.cosine[:, -1:], [later])
    assert error < 0.04
    assert abs(off) < 4 * error


@pytest.mark.parametrize("peak", [0.0, -0.1, np.inf])
def test_the_peak_is_checked(peak):
    with pytest.raises(ValueError, match="peak"):
        adam.adamc(0.1, 0.1, peak=peak)
