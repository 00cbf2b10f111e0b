"""Averages over steps, against literal sums over the trajectory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wdjax import groups
from wdjax.tracking import Measures, average, measure

STEPS, SIZE = 400, 12


def walk(eta, lam, mu, seed=0, spread=1.0):
    """SGD with coupled L2 on gradients that are orthogonal to w, go as 1/‖w‖, and vary in size."""
    rng = np.random.default_rng(seed)
    w, m = rng.normal(size=SIZE), np.zeros(SIZE)
    weights, gradients, steps = [], [], []
    for _ in range(STEPS):
        g = rng.normal(size=SIZE) * np.exp(spread * rng.normal())
        g = (g - w * (w @ g) / (w @ w)) / np.linalg.norm(w)
        m = mu * m + g + lam * w
        weights.append(w)
        gradients.append(g)
        steps.append(-eta * m)
        w = w - eta * m
    return np.array(weights), np.array(gradients), np.array(steps), w


def measured(weights, gradients, steps):
    group = groups.resolve(groups.per_leaf(), {"w": weights[0]})
    one = jax.vmap(lambda *step: measure(group, *({"w": jnp.asarray(x)} for x in step)))
    return jax.jit(one)(weights, gradients, steps)


def across(x, w):
    return x - w * (np.sum(w * x, -1) / np.sum(w * w, -1))[:, None]


def square(x):
    return np.sum(x * x, axis=-1)


@pytest.fixture(scope="module")
def trajectory():
    with jax.enable_x64(True):
        weights, gradients, steps, end = walk(0.1, 0.02, 0.9)
        return weights, gradients, steps, end, measured(weights, gradients, steps)


def test_every_average_is_that_of_its_docstring(trajectory):
    w, g, step, _, measures = trajectory
    mean = np.mean
    along = w / np.linalg.norm(w, axis=-1)[:, None]
    after = square(w + along * np.sum(along * step, -1)[:, None])
    cosine = np.sum(w * g, -1) / np.sqrt(square(w) * square(g))
    angle = 2 * np.arcsin(
        np.linalg.norm(along - (w + step) / np.linalg.norm(w + step, axis=-1)[:, None], axis=-1) / 2
    )
    turn, gradient = square(across(step, w)) / square(w), square(w) * square(across(g, w))
    expected = Measures(
        norm=np.sqrt(mean(square(w))),
        gradient_norm=np.sqrt(mean(square(g))),
        cosine=np.sqrt(mean(cosine**2)),
        update_norm=np.sqrt(mean(square(step))),
        angle=np.sqrt(mean(angle**2)),
        effective_lr=np.sqrt(mean(turn) / mean(gradient)),
        radial_update=mean(np.sum(w * step, -1)) / np.sqrt(mean(square(w))),
        tangential_update=np.sqrt(mean(square(across(step, w)))),
        effective_gradient_norm=np.sqrt(mean(gradient)),
        balance=mean(square(w) - after) / mean(square(across(step, w))),
    )
    found = average(measures)["w"]
    for name, value in expected._asdict().items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-9, atol=1e-15, err_msg=name)


def test_the_average_balance_tells_how_far_the_norm_has_come(trajectory):
    w, _, step, end, measures = trajectory
    added = np.sum(square(across(step, w)))
    expected = 1 - (end @ end - w[0] @ w[0]) / added
    assert average(measures)["w"].balance == pytest.approx(expected, rel=1e-9)
    # A mean of the quotients of single steps would tell something else.
    assert abs(jnp.mean(measures["w"].balance) - expected) > 0.1


def test_equal_steps_average_to_themselves():
    w, g, step = np.random.default_rng(0).normal(size=(3, SIZE))
    one = measured(w[None], g[None], step[None])
    same = jax.tree.map(lambda leaf: jnp.repeat(leaf, 3, axis=0), one)
    found, expected = average(same)["w"], jax.tree.map(lambda leaf: leaf[0], one)["w"]
    expected = expected._replace(cosine=abs(expected.cosine))
    np.testing.assert_allclose(list(found), list(expected), rtol=1e-12)


def test_only_the_steps_that_count_are_averaged(trajectory):
    measures = trajectory[-1]
    where = np.arange(STEPS) >= 30
    expected = average(jax.tree.map(lambda leaf: leaf[30:], measures))["w"]
    np.testing.assert_allclose(list(average(measures, where)["w"]), list(expected), rtol=1e-12)
    assert not np.any(list(average(measures, np.zeros(STEPS, bool))["w"]))


def test_the_average_of_an_array_of_norms_is_taken_norm_by_norm():
    step = Measures(*(jnp.array([[3.0, 1.0], [4.0, 1.0]]) for _ in Measures._fields))
    np.testing.assert_allclose(average({"w": step})["w"].norm, [np.sqrt(12.5), 1.0])


def test_bad_input_is_explained(trajectory):
    measures = trajectory[-1]
    with pytest.raises(ValueError, match="'w' are single numbers; expected arrays with a leading"):
        average(jax.tree.map(lambda leaf: leaf[0], measures))
    with pytest.raises(ValueError, match=r"where has shape \(3,\).* of 400 steps"):
        average(measures, np.ones(3, bool))
