import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdjax.theory.balance import Balance

positive = st.floats(1e-3, 1e3)
powers = st.sampled_from([(0.0, 0.0), (0.0, 1.0), (0.5, 0.0)])


def euler(balance, norm, steps, parts=400):
    """dW/dt = −2aW^(1+q) + bW^(−p), in small steps."""
    w = norm**2
    for _ in range(steps * parts):
        loss = 2 * balance.drag * w ** (1 + balance.drag_power)
        w += (balance.growth * w ** (-balance.growth_power) - loss) / parts
    return np.sqrt(w)


@given(st.floats(1e-5, 1e-2), positive, powers)
def test_nothing_changes_at_equilibrium(drag, growth, power):
    balance = Balance(drag, growth, *power)
    w = balance.squared_norm
    assert 2 * drag * w ** (1 + power[0]) == pytest.approx(growth * w ** -power[1])
    if power[0] == 0:
        assert balance.step(w) == pytest.approx(w)


@given(st.floats(0.1, 10.0), powers)
def test_a_deviation_falls_by_1_over_e_in_the_relaxation_time(growth, power):
    slow = Balance(1e-3, growth, *power)
    steps = round(float(slow.relaxation_steps))
    settled = slow.course(slow.norm, steps)[-1]
    after = slow.course(slow.norm * 1.001, steps)[-1]
    assert (after / settled - 1) / 0.001 == pytest.approx(np.exp(-1), rel=0.05)


@pytest.mark.parametrize("power", [(0.0, 0.0), (0.0, 1.0), (0.5, 0.0)])
@pytest.mark.parametrize("norm", [0.5, 5.0])
def test_the_course_is_that_of_the_differential_equation(power, norm):
    balance = Balance(2e-3, 0.01, *power)
    tolerance = 1e-4 if power[0] == 0 else 2e-3
    assert balance.course(norm, 60)[-1] == pytest.approx(euler(balance, norm, 60), rel=tolerance)


def test_without_decay_the_norm_grows_for_ever():
    balance = Balance(0.0, 0.08, growth_power=1.0)
    course = balance.course(2.0, 100)
    np.testing.assert_allclose(course**4, 16 + 2 * 0.08 * np.arange(1, 101), rtol=1e-12)
    assert balance.squared_norm == np.inf
    assert balance.relaxation_steps == np.inf


def test_a_time_axis_is_followed_and_others_broadcast():
    drag = jnp.array([[1e-2, 0.0], [0.0, 1e-2], [1e-3, 1e-3]])
    course = Balance(drag, 0.0).course(2.0)
    np.testing.assert_allclose(course, 2 * jnp.exp(-jnp.cumsum(drag, axis=0)), rtol=1e-12)
    with pytest.raises(ValueError, match="over how many steps"):
        Balance(1e-2, 1.0).course(1.0)


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_its_course_can_be_differentiated_where_nothing_decays(power):
    def end(drag):
        return Balance(drag, 0.04, growth_power=power).course(1.0, 50)[-1]

    # V = ‖w‖^(2o), o = 1 + p: dV/da = −2o t V(0) − o² b t² at a = 0.
    order, time = 1 + power, 50
    slope = -2 * order * time - order**2 * 0.04 * time**2
    volume = 1 + order * 0.04 * time
    expected = slope * volume ** (1 / (2 * order) - 1) / (2 * order)
    assert jax.grad(end)(0.0) == pytest.approx(expected, rel=1e-9)


def test_it_passes_through_transformations():
    balance = Balance(jnp.array([1e-3, 1e-2]), 1.0, growth_power=1.0)
    batched = jax.vmap(lambda drag: Balance(drag, 1.0, growth_power=1.0).norm)(balance.drag)
    np.testing.assert_allclose(jax.jit(lambda b: b.norm)(balance), batched)
    assert jax.grad(lambda d: Balance(d, 1.0).norm)(1e-2) < 0
