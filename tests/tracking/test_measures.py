import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdjax import groups
from wdjax.tracking import measure


def measured(w, g, step, grouping=None):
    trees = [{"w": jnp.asarray(x)} for x in (w, g, step)]
    return measure(groups.resolve(grouping, trees[0]), *trees)["w"]


def exact_angle(a, b):
    """2·atan2(‖â − b̂‖, ‖â + b̂‖) in float64."""
    a, b = (np.asarray(x, np.float64) / np.linalg.norm(np.asarray(x, np.float64)) for x in (a, b))
    return 2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b))


@given(seed=st.integers(0, 2**32 - 1), size=st.floats(-9, 1))
def test_every_measure_agrees_with_numpy(seed, size):
    with jax.enable_x64(True):
        rng = np.random.default_rng(seed)
        w, g, step = rng.normal(size=(3, 6))
        step = step * 10**size
        m = measured(w, g, step)
        assert m.norm == pytest.approx(np.linalg.norm(w), rel=1e-12)
        assert m.gradient_norm == pytest.approx(np.linalg.norm(g), rel=1e-12)
        assert m.update_norm == pytest.approx(np.linalg.norm(step), rel=1e-12)
        assert m.cosine == pytest.approx(
            w @ g / np.linalg.norm(w) / np.linalg.norm(g), rel=1e-9, abs=1e-12
        )
        assert m.angle == pytest.approx(exact_angle(w, w + step), rel=1e-5, abs=1e-14)
        along = w / np.linalg.norm(w)
        assert m.radial_update == pytest.approx(along @ step, rel=1e-9, abs=1e-14 * 10**size)
        across = [x - along * (along @ x) for x in (step, g)]
        assert m.tangential_update == pytest.approx(np.linalg.norm(across[0]), rel=1e-12)
        assert m.effective_gradient_norm == pytest.approx(
            np.linalg.norm(w) * np.linalg.norm(across[1]), rel=1e-12
        )


@given(seed=st.integers(0, 2**32 - 1), size=st.floats(-3, 1))
def test_the_balance_says_what_a_step_does_to_the_norm(seed, size):
    with jax.enable_x64(True):
        w, g, step = np.random.default_rng(seed).normal(size=(3, 6))
        step = step * 10**size
        m = measured(w, g, step)
        added = np.linalg.norm(step - w * (w @ step) / (w @ w)) ** 2
        growth = (w + step) @ (w + step) - w @ w
        assert (1 - m.balance) * added == pytest.approx(growth, rel=1e-9, abs=1e-12)


@given(eta=st.floats(1e-3, 1), lam=st.floats(1e-3, 0.5), seed=st.integers(0, 1000))
def test_the_balance_of_sgd_is_what_decay_removes_over_what_steps_add(eta, lam, seed):
    with jax.enable_x64(True):
        w, g = np.random.default_rng(seed).normal(size=(2, 5))
        g = g - w * (w @ g) / (w @ w)
        # Without momentum, coupled L2 and decoupled decay take the same step.
        m = measured(w, g, -eta * (g + lam * w))
        decay_removes = w @ w - (1 - eta * lam) ** 2 * (w @ w)
        assert m.balance == pytest.approx(decay_removes / (eta**2 * (g @ g)), rel=1e-9)


def test_the_balance_is_one_where_decay_and_steps_keep_the_norm():
    turned = np.array([2 * np.cos(0.3), 2 * np.sin(0.3)])
    m = measured([2.0, 0.0], [0.0, 1.0], turned - [2.0, 0.0])
    assert m.balance == pytest.approx(1, rel=1e-12)


@given(size=st.floats(-12, 0.5))
def test_the_angle_is_exact_in_float32_however_small_the_step(size):
    rng = np.random.default_rng(0)
    w, g, step = rng.normal(size=(3, 1000)).astype(np.float32)
    step = (step * 10**size).astype(np.float32)
    m = measured(w, g, step)
    assert m.angle.dtype == jnp.float32
    tangent = step.astype(float) - w * (w.astype(float) @ step) / (w.astype(float) @ w)
    radial = np.linalg.norm(w.astype(float)) + w.astype(float) @ step / np.linalg.norm(w)
    assert m.angle == pytest.approx(np.arctan2(np.linalg.norm(tangent), radial), rel=1e-5)


def test_a_turn_beyond_a_right_angle_is_seen():
    assert measured([1.0, 0.0], [1.0, 1.0], [-2.0, 1e-3]).angle == pytest.approx(np.pi - 1e-3)


@given(rate=st.floats(1e-6, 0.5))
def test_pure_decay_does_not_turn_the_weight(rate):
    w = np.random.default_rng(0).normal(size=100).astype(np.float32)
    assert measured(w, w[::-1], -np.float32(rate) * w).angle < 1e-6 * rate


@given(eta=st.floats(1e-6, 10), lam=st.floats(0, 0.05), seed=st.integers(0, 1000))
def test_the_effective_learning_rate_of_sgd_is_eta_over_the_squared_norm(eta, lam, seed):
    with jax.enable_x64(True):
        w, g = np.random.default_rng(seed).normal(size=(2, 5))
        m = measured(w, g, -eta * (g + lam * w))
        assert m.effective_lr == pytest.approx(eta / (w @ w), rel=1e-6)


def test_per_output_channel_each_column_is_measured_by_itself():
    w, g, step = np.random.default_rng(0).normal(size=(3, 4, 5))
    together = measured(w, g, step, groups.per_axis(-1))
    for j in range(5):
        alone = measured(w[:, j], g[:, j], step[:, j])
        np.testing.assert_allclose([m[j] for m in together], list(alone), rtol=1e-12)


def test_quotients_without_denominator_are_zero():
    still = measured([1.0, 2.0], [0.0, 0.0], [0.0, 0.0])
    assert (still.cosine, still.angle, still.effective_lr, still.balance) == (0, 0, 0, 0)
    nowhere = measured([0.0, 0.0], [1.0, 2.0], [1.0, 2.0])
    assert (nowhere.norm, nowhere.cosine, nowhere.angle, nowhere.effective_lr) == (0, 0, 0, 0)
    assert (nowhere.radial_update, nowhere.effective_gradient_norm) == (0, 0)
    decayed = measured([1.0, 2.0], [0.0, 0.0], [-0.1, -0.2])
    assert decayed.balance == 0
    assert decayed.radial_update == pytest.approx(-0.1 * np.sqrt(5))


def test_a_single_number_has_no_direction_to_turn():
    m = measured(np.float32([0.3]), np.float32([0.7]), np.float32([-0.1]))
    assert (m.angle, m.effective_lr) == (0, 0)


def test_groups_that_share_a_leaf_are_measured_as_if_alone():
    w, g, step = ({"a": x, "b": x[::-1]} for x in np.random.default_rng(0).normal(size=(3, 5)))
    both = groups.resolve(groups.union(groups.per_leaf(), groups.joint("all")), w)
    together = measure(both, w, g, step)
    for group in both:
        alone = measure((group,), w, g, step)[group.name]
        np.testing.assert_array_equal(list(together[group.name]), list(alone))
