import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from wdjax import transforms
from wdjax.auditing import probe
from wdjax.auditing.rounding import steps_carry

WEIGHTS = np.random.default_rng(0).normal(size=(20, 10))


@pytest.mark.parametrize(
    ("dtype", "lost", "kept"),
    [(jnp.bfloat16, 1e-3, 0.02), (jnp.float16, 1e-4, 1e-2), (jnp.float32, 1e-8, 1e-5)],
)
def test_a_rate_below_the_last_place_is_said_to_be_lost(dtype, lost, kept):
    params = {"w": jnp.asarray(WEIGHTS, dtype)}
    for rate, stays in ((lost, True), (kept, False)):
        found = probe(transforms.decoupled_decay(rate), params, steps=3)["w"]
        assert found.kind == "rate"
        np.testing.assert_allclose(found.rates, rate, rtol=1e-9)
        assert bool(np.all(found.stuck == 1)) == stays
        assert (f"rounds to nothing in {jnp.dtype(dtype)}" in str(found)) == stays


def test_between_the_two_a_part_is_lost():
    """bfloat16 has 8 bits: w stays if the update is below half of the last, 2⁻⁸ of its octave."""
    params = {"w": jnp.asarray(WEIGHTS, jnp.bfloat16)}
    found = probe(transforms.decoupled_decay(3e-3), params, steps=1)["w"]
    u = np.asarray(jnp.asarray(-jnp.bfloat16(3e-3) * params["w"]), float)
    below_half = np.abs(u) < np.exp2(np.floor(np.log2(np.abs(np.asarray(params["w"], float)))) - 8)
    assert 0 < np.mean(below_half) < 1
    np.testing.assert_allclose(found.stuck, np.mean(below_half), atol=0.02)
    assert "of the entries stay for rounding" in str(found)


def test_only_where_a_schedule_is_small():
    params = {"w": jnp.asarray(WEIGHTS, jnp.bfloat16)}
    decay = transforms.decoupled_decay(lambda t: jnp.where(t < 5, 0.1, 1e-4))
    found = probe(decay, params, steps=[0, 9])["w"]
    np.testing.assert_array_equal(found.stuck, [0, 1])
    assert "rounds to nothing in bfloat16 at step 9" in str(found)


def test_in_float64_and_without_decay_nothing_is_lost():
    for tx in (transforms.decoupled_decay(1e-8), optax.adam(1e-3)):
        assert not np.any(probe(tx, {"w": WEIGHTS}, steps=2)["w"].stuck)
    assert not np.any(probe(optax.adam(1e-3), {"w": jnp.float32(WEIGHTS)})["w"].stuck)


def test_where_jax_has_no_float64_numpy_s_are_float32():
    with jax.enable_x64(False):
        found = probe(transforms.decoupled_decay(1e-8), {"w": WEIGHTS}, steps=1)["w"]
    assert found.dtype == "float32"
    assert np.all(found.stuck == 1)
    np.testing.assert_allclose(found.rates, 1e-8, rtol=1e-9)


def test_values_for_zeros_and_shapes_are_drawn():
    abstract = {"w": jax.ShapeDtypeStruct((20, 10), jnp.bfloat16)}
    zeros = {"w": jnp.zeros((20, 10), jnp.bfloat16)}
    for params in (abstract, zeros):
        found = probe(transforms.decoupled_decay(1e-4), params, steps=1)["w"]
        assert np.all(found.stuck == 1)


def test_a_remainder_that_is_kept_is_not_lost():
    params = {"w": jnp.asarray(WEIGHTS, jnp.bfloat16)}

    def init(params):
        return jax.tree.map(jnp.float32, params)

    def update(updates, exact, params):
        exact = jax.tree.map(lambda master: (1 - 1e-4) * master, exact)
        return jax.tree.map(lambda m, w: m.astype(w.dtype) - w, exact, params), exact

    found = probe(optax.GradientTransformation(init, update), params, steps=3)["w"]
    assert not np.any(found.stuck)
    wrapped = transforms.master_weights(optax.adamw(1e-3, weight_decay=0.1))
    found = probe(wrapped, params, steps=3)["w"]
    assert found.kind == "rate"
    assert not np.any(found.stuck)


COSINE = optax.cosine_decay_schedule(1e-3, 1000)


@pytest.mark.parametrize("learning_rate", [COSINE, 1e-5])
def test_a_remainder_that_is_kept_shows_where_the_decay_is_fastest(learning_rate):
    """At the end of the schedule, or at a rate of 1e-6, a thousand steps would show nothing."""
    params = {"w": jnp.asarray(WEIGHTS, jnp.bfloat16)}
    adamw = optax.adamw(learning_rate, weight_decay=0.1)
    for tx in (
        transforms.master_weights(adamw),
        optax.chain(adamw, transforms.stochastic_rounding()),
    ):
        found = probe(tx, params, steps=1000)["w"]
        assert not np.any(found.stuck)
        assert not found.doubtful
    lost = probe(adamw, params, steps=1000)["w"]
    assert np.all(lost.stuck == 1)
    assert not lost.doubtful
    assert str(lost).endswith("half a unit in the last place")


def test_a_decay_too_slow_to_tell_is_said_to_be():
    params = {"w": jnp.asarray(WEIGHTS, jnp.bfloat16)}
    for wrap in (transforms.master_weights, optax.chain):
        found = probe(wrap(optax.adamw(1e-7, weight_decay=0.1)), params, steps=10)["w"]
        assert found.doubtful
        assert "not known whether the remainder is kept" in str(found)


def test_without_float64_nothing_warns():
    """Warnings are errors here: values in float64 must not reach JAX where it has none."""
    with jax.enable_x64(False):
        params = {"w": jnp.asarray(WEIGHTS, jnp.bfloat16), "v": WEIGHTS, "n": np.arange(3)}
        found = probe(transforms.master_weights(optax.adamw(1e-3)), params, steps=3)
    assert found.kinds == {"v": "rate", "w": "rate"}


def test_the_mixed_dtypes_of_a_tree():
    params = {"low": jnp.asarray(WEIGHTS, jnp.bfloat16), "high": jnp.asarray(WEIGHTS, jnp.float32)}
    found = probe(optax.adamw(1e-3, weight_decay=0.1), params, steps=2)
    assert found.kinds == {"low": "rate", "high": "rate"}
    assert np.all(found["low"].stuck == 1)
    assert np.all(found["high"].stuck < 0.01)


@pytest.mark.parametrize(("step", "carries"), [(0.25, False), (0.5, True)])
def test_steps_of_half_a_unit_in_the_last_place_carry_a_decay(step, carries):
    # A walk of bfloat16 weights, all near 1.5, with a decay of a hundredth of a unit per step.
    unit, count, steps = 2.0**-7, 20_000, 100
    assert steps_carry(step * unit, np.full(count, 1.5), "bfloat16") == carries
    rng, w = np.random.default_rng(0), np.full(count, 1.5)
    for _ in range(steps):
        moved = w - 0.01 * unit + (step if carries else step / 2) * unit * rng.normal(size=count)
        w = np.round(moved / unit) * unit
    gone = (1.5 - np.mean(w)) / (0.01 * unit * steps)
    assert (abs(gone - 1) < 0.1) if carries else gone < 0.2
    assert not steps_carry(1.0, np.zeros(3), "bfloat16")
