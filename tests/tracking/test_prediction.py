"""Prediction next to measurement: what the theory is told, and that it holds on a random walk."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax import groups, theory, tracking
from wdjax.theory.balance import Balance
from wdjax.theory.optimiser import Equilibrium
from wdjax.tracking import Measures

PARAMS = {"bias": np.ones(5), "conv": np.ones((3, 3, 2, 7)), "matrix": np.ones((4, 6))}


@dataclasses.dataclass(frozen=True)
class Told(Equilibrium):
    """Predicts what it is told, so that a test can read it."""

    learning_rate: float = 0.25
    power: float = 1.0

    @property
    def angle(self):
        return jnp.asarray(0.125)

    @property
    def memory_steps(self):
        return jnp.asarray(8.0)

    def balance(self, **gradients):
        return Balance(drag=1.0, growth=1.0, growth_power=self.power)

    def norm(self, **gradients):
        return jnp.asarray(gradients["gradient_moment"])

    def effective_lr(self, **gradients):
        return 1000.0 * gradients["size"] + gradients["rank"]


def measures(shape=()):
    values = {field: jnp.full(shape, 2.0 + i) for i, field in enumerate(Measures._fields)}
    return Measures(**values)


def told(grouping, shapes, power=1.0):
    found = {name: measures(shape) for name, shape in shapes.items()}
    return tracking.predicted(Told(power=power), found, PARAMS, grouping)


def test_the_theory_is_told_the_moment_the_size_and_the_rank_of_each_group():
    grouping = groups.union(groups.per_leaf(), groups.joint("all"))
    found = told(grouping, dict.fromkeys(["bias", "conv", "matrix", "all"], ()))
    size_and_rank = {"bias": (5, 1), "conv": (126, 7), "matrix": (24, 4), "all": (155, 12)}
    for name, (size, rank) in size_and_rank.items():
        assert found.predicted[name].effective_lr == 1000 * size + rank
        assert found.predicted[name].norm == measures().effective_gradient_norm ** 2
        assert found.predicted[name].angle == 0.125


def test_of_kept_axes_it_is_told_what_one_norm_is_taken_over():
    only = {"bias": False, "conv": True, "matrix": True}
    found = told(groups.per_axis(-1, only), {"conv": (7,), "matrix": (6,)})
    np.testing.assert_array_equal(found.predicted["conv"].effective_lr, [18_000 + 2] * 7)
    np.testing.assert_array_equal(found.predicted["matrix"].effective_lr, [4000 + 1] * 6)
    assert found.predicted["conv"].angle.shape == (7,)


@pytest.mark.parametrize(("power", "expected"), [(1.0, 0.25 / 4), (0.0, 0.25 / 2)])
def test_the_measured_learning_rate_is_that_of_the_theory(power, expected):
    found = told(groups.per_leaf(), dict.fromkeys(PARAMS, ()), power).measured["bias"]
    of_group = measures()
    assert found == (of_group.norm, of_group.angle, expected)


def test_only_the_groups_asked_for_are_compared():
    shapes = dict.fromkeys(PARAMS, ())
    found = told(groups.per_leaf({"bias": True, "conv": False, "matrix": False}), shapes)
    assert set(found.predicted) == set(found.measured) == {"bias"}


def test_the_ratio_and_the_table():
    found = told(groups.per_leaf(), dict.fromkeys(PARAMS, ()))
    assert found.ratio["bias"].norm == 2.0 / 100.0
    head, bias, *_ = str(found).splitlines()
    assert head.split() == ["measured", "/", "predicted", "norm", "angle", "effective_lr"]
    assert bias.split("  ")[0] == "bias"
    assert "2 / 100" in bias
    assert "6 / 0.125" in bias


def test_shapes_serve_for_parameters_and_it_may_be_jitted():
    shapes = jax.eval_shape(lambda: PARAMS)
    of_all = dict.fromkeys(PARAMS, measures())
    found = jax.jit(lambda m: tracking.predicted(theory.sgd(0.1, 0.1), m, shapes))(of_all)
    expected = tracking.predicted(theory.sgd(0.1, 0.1), of_all, PARAMS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), found, expected)


LEARNING_RATE, DECAY, STEPS = 0.1, 0.05, 3000
OPTIMISERS = {
    "heavy ball": (
        optax.chain(optax.add_decayed_weights(DECAY), optax.sgd(LEARNING_RATE, 0.5)),
        theory.sgd(LEARNING_RATE, DECAY, 0.5),
    ),
    "adamw": (
        optax.adamw(LEARNING_RATE, b1=0.5, weight_decay=DECAY),
        theory.adamw(LEARNING_RATE, DECAY, b1=0.5),
    ),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_on_a_random_walk_measurement_and_prediction_agree(name):
    tx, equilibrium = OPTIMISERS[name]
    tx = tracking.tracked(tx, record=tracking.ema(1 - 3 / STEPS))
    start = {"w": jnp.full((16, 16), float(equilibrium.norm(gradient_moment=1.0, size=256)) / 16)}

    def body(carry, key):
        params, state = carry
        w = params["w"]
        noise = jax.random.normal(key, w.shape) / 16
        tangent = noise - w * jnp.sum(w * noise) / jnp.sum(w * w)
        updates, state = tx.update({"w": tangent / jnp.linalg.norm(w)}, state, params)
        return (optax.apply_updates(params, updates), state), None

    keys = jax.random.split(jax.random.key(0), STEPS)
    (params, state), _ = jax.jit(lambda: jax.lax.scan(body, (start, tx.init(start)), keys))()
    ratio = tracking.predicted(equilibrium, tracking.metrics(state), params).ratio["w"]
    np.testing.assert_allclose(list(ratio), 1, atol=0.005)


@pytest.mark.parametrize(
    ("found", "grouping", "message"),
    [
        ({}, None, r"'bias' was not measured; what was: \(nothing\)"),
        ({"conv": (), "matrix": ()}, None, "'bias' was not measured; what was: conv, matrix"),
        (
            {"bias": (9,), "conv": (9,), "matrix": (9,)},
            None,
            r"'bias' have shape \(9,\), and its norms \(\). Average over time first",
        ),
        (
            {"all": (3,)},
            groups.joint("all"),
            r"'all' have shape \(3,\), and its norms \(\)",
        ),
    ],
)
def test_bad_input_is_explained(found, grouping, message):
    with pytest.raises(ValueError, match=message):
        told(grouping, found)
