"""The course of ‖w‖ under constant settings and under schedules, held to the null model."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.theory import sgd_walks
from tests.theory.sgd_walks import MOMENT
from wdjax import theory
from wdjax.theory import coupled_sgd
from wdjax.theory.balance import Balance


@pytest.mark.parametrize("growth_power", [0.0, 1.0])
def test_equal_to_the_course_step_by_step(growth_power):
    law = Balance(3e-3, 0.05, growth_power=growth_power)
    for norm in (0.3, 5.0):
        course = law.course(norm, 300)
        closed = theory.norm_after(law, norm, np.arange(1, 301))
        np.testing.assert_allclose(closed, course, rtol=1e-12)
        assert theory.norm_after(law, norm, 0) == pytest.approx(norm)
    assert theory.norm_after(law, 5.0, 1e6) == pytest.approx(float(law.norm))


def test_without_decay_the_norm_grows_by_the_law():
    law = theory.sgd(0.1, 0.0, 0.9).balance(gradient_moment=MOMENT)
    per_step = coupled_sgd.growth_without_decay(0.1, 0.9, gradient_moment=MOMENT)
    assert per_step == pytest.approx(2 * MOMENT)
    assert theory.norm_after(law, 2.0, 50) ** 4 == pytest.approx(16 + 50 * float(per_step))


def test_the_null_model_follows_it_from_above_from_below_and_without_decay():
    """SGD and SGDW, with and without momentum and dampening, in one program.

    The law is the leading order in what changes within the memory of the buffer: decay takes
    2·10⁻³ of w in 10 steps at most, and growth as much. 32 walkers average ‖w‖ to 0.2 %.
    """
    settings = {
        "eta": np.array([0.05, 0.05, 4e-3, 4e-3, 4e-3, 2e-2, 0.05, 5e-3]),
        "coupled": np.array([0.02, 0.02, 0.005, 0.005, 0.0, 0.01, 0.0, 0.0]),
        "rho": np.array([0.0, 0.0, 0.0, 0.0, 3e-4, 0.0, 0.0, 0.0]),
        "mu": np.array([0.0, 0.0, 0.9, 0.9, 0.9, 0.9, 0.0, 0.9]),
        "tau": np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.9, 0.0, 0.0]),
    }
    eta, lam, rho, mu, tau = settings.values()
    coupled = theory.sgd(eta, lam, mu, dampening=tau).balance(gradient_moment=MOMENT)
    law = Balance(coupled.drag + rho, coupled.growth, growth_power=1.0)
    settled = np.where(np.isfinite(law.norm), law.norm, 2.0)
    norm = settled * np.array([1.5, 0.5, 1.5, 0.7, 1.5, 1.3, 1.0, 1.0])
    walk = sgd_walks.walks(sgd_walks.sgd, settings, norm, steps=1000, walkers=32)
    expected = theory.norm_after(jax.tree.map(jnp.asarray, law), norm, np.arange(1000)[:, None]).T
    measured = np.sqrt(np.mean(walk.norm**2, axis=2))
    np.testing.assert_allclose(measured, expected, rtol=0.01)
    # Something happens in that time.
    assert np.all(np.abs(measured[:, -1] / measured[:, 0] - 1) > 0.05)


def test_the_null_model_follows_the_course_under_a_schedule():
    """Warm-up, a plateau, and a drop by ten, after which the norm has no time to settle."""
    step, peak, mu = np.arange(1500), 0.02, 0.8
    rates = peak * np.minimum((step + 1) / 200, 1) * np.where(step < 800, 1, 0.1)
    coupled, decoupled = theory.sgd(rates, 0.02, mu), theory.sgdw(rates, 0.1, mu)
    norms = [1.3 * kind.norm(gradient_moment=MOMENT)[500] for kind in (coupled, decoupled)]

    def optimiser(coupled, beside):
        return optax.chain(
            optax.add_decayed_weights(coupled),
            optax.trace(mu),
            optax.add_decayed_weights(beside),
            optax.scale_by_learning_rate(lambda count: jnp.asarray(rates)[count]),
        )

    settings = {"coupled": [0.02, 0.0], "beside": [0.0, 0.1]}
    walk = sgd_walks.walks(optimiser, settings, jnp.asarray(norms), steps=1500)
    measured = np.sqrt(np.mean(walk.norm[:, 1:] ** 2, axis=2))
    for kind, norm, course in zip((coupled, decoupled), norms, measured, strict=True):
        expected = kind.balance(gradient_moment=MOMENT).course(norm)[:-1]
        np.testing.assert_allclose(course, expected, rtol=0.01)
        quasi_static = kind.norm(gradient_moment=MOMENT)[-1]
        assert abs(quasi_static / course[-1] - 1) > 0.2


@pytest.mark.parametrize(
    ("law", "settings", "message"),
    [
        (Balance(0.1, 1.0), (-1.0, 5), "norm is -1"),
        (Balance(0.1, 1.0), (1.0, -5), "steps is -5"),
        (Balance(0.1, 1.0, drag_power=0.5), (1.0, 5), "no closed form"),
    ],
)
def test_bad_settings_are_refused(law, settings, message):
    with pytest.raises(ValueError, match=message):
        theory.norm_after(law, *settings)


def test_it_is_differentiable_also_without_decay():
    slope = jax.grad(lambda drag: theory.norm_after(Balance(drag, 1.0), 2.0, 10.0))
    for drag in (0.0, 1e-3):
        finite = (
            theory.norm_after(Balance(drag + 1e-6, 1.0), 2.0, 10.0)
            - theory.norm_after(Balance(drag, 1.0), 2.0, 10.0)
        ) / 1e-6
        if drag:
            assert slope(drag) == pytest.approx(float(finite), rel=1e-3)
        assert np.isfinite(slope(drag))


def test_it_can_be_jitted_and_differentiated_where_nothing_decays():
    def after(drag):
        return theory.norm_after(Balance(drag, 0.04, growth_power=1.0), 1.0, 1000)

    # dV/da = −4t V(0) − 4 b t² for V = ‖w‖⁴ = 1 + 2 b t at a = 0.
    slope = -4 * 1000 - 4 * 0.04 * 1000**2
    expected = slope * (1 + 2 * 0.04 * 1000) ** -0.75 / 4
    assert jax.jit(jax.grad(after))(0.0) == pytest.approx(expected, rel=1e-9)
    assert jax.jit(after)(5e-3) == pytest.approx(float(after(5e-3)))
