import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wdjax import groups
from wdjax.transforms import project_tangent, retract

SEEDS = st.integers(0, 2**32 - 1)
CHANNELS = groups.per_axis(-1, {"kernel": True, "bias": False})


def drawn(seed, count=2, shape=(4, 3)):
    rng = np.random.default_rng(seed)
    return [{"kernel": rng.normal(size=shape), "bias": rng.normal(size=3)} for _ in range(count)]


def one_step(tx, updates, params):
    return tx.update(updates, tx.init(params), params)[0]


@given(seed=SEEDS)
def test_a_projected_update_is_tangent_and_projecting_again_changes_nothing(seed):
    with jax.enable_x64(True):
        w, u = drawn(seed)
        once = one_step(project_tangent(), u, w)
        twice = one_step(project_tangent(), once, w)
        for name in w:
            assert abs(np.sum(w[name] * once[name])) < 1e-13 * np.linalg.norm(w[name])
            np.testing.assert_allclose(twice[name], once[name], atol=1e-14)


@given(seed=SEEDS)
def test_a_projection_per_output_channel_is_that_of_each_column(seed):
    with jax.enable_x64(True):
        w, u = drawn(seed)
        tangent = one_step(project_tangent(CHANNELS), u, w)["kernel"]
        for j in range(3):
            a, b = w["kernel"][:, j], u["kernel"][:, j]
            np.testing.assert_allclose(tangent[:, j], b - a * (a @ b) / (a @ a), atol=1e-14)


@given(seed=SEEDS)
@pytest.mark.parametrize("grouping", [None, CHANNELS, groups.joint("all")])
def test_a_retracted_step_keeps_every_norm_of_the_group(seed, grouping):
    with jax.enable_x64(True):
        w, u = drawn(seed)
        after = optax.apply_updates(w, one_step(retract(grouping), u, w))
        resolved = groups.resolve(grouping, w)
        before, now = groups.norms(resolved, w), groups.norms(resolved, after)
        for name in before:
            np.testing.assert_allclose(now[name], before[name], rtol=1e-14)


def test_the_direction_of_a_retracted_step_is_that_of_the_step():
    w, u = drawn(0)
    after = optax.apply_updates(w, one_step(retract(), u, w))["kernel"]
    moved = w["kernel"] + u["kernel"]
    np.testing.assert_allclose(
        after / np.linalg.norm(after), moved / np.linalg.norm(moved), rtol=1e-14
    )


def test_the_radius_does_not_drift_in_float32():
    tx = optax.chain(project_tangent(), optax.sgd(0.3), project_tangent(), retract())
    start = jnp.asarray(np.random.default_rng(0).normal(size=64), jnp.float32)

    def step(carry, key):
        w, state = carry
        updates, state = tx.update(jax.random.normal(key, w.shape, w.dtype), state, w)
        return (optax.apply_updates(w, updates), state), None

    keys = jax.random.split(jax.random.key(0), 20_000)
    (end, _), _ = jax.lax.scan(step, (start, tx.init(start)), keys)
    assert jnp.linalg.norm(end) == pytest.approx(float(jnp.linalg.norm(start)), rel=1e-6)


def test_a_group_of_norm_zero_stays_zero_and_others_move():
    w = {"zero": np.zeros(3), "other": np.ones(3)}
    u = {"zero": np.ones(3), "other": np.array([1.0, 0.0, 0.0])}
    assert np.all(one_step(project_tangent(), u, w)["zero"] == u["zero"])
    updates = one_step(retract(), u, w)
    assert np.all(updates["zero"] == 0)
    assert np.any(updates["other"] != 0)
    assert np.all(np.isfinite(updates["other"]))


def test_a_step_onto_the_origin_stays_put():
    w = {"w": np.array([1.0, 2.0])}
    assert np.all(one_step(retract(), {"w": -w["w"]}, w)["w"] == 0)


def test_leaves_outside_the_groups_pass_unchanged():
    w, u = drawn(0)
    w["n"], u["n"] = np.array(1), np.array(7)
    chosen = groups.per_leaf({"kernel": True, "bias": False, "n": False})
    for tx in (project_tangent(chosen), retract(chosen)):
        updates = one_step(tx, u, w)
        assert updates["bias"] is u["bias"]
        assert updates["n"] is u["n"]


@pytest.mark.parametrize("transformation", [project_tangent, retract])
class TestBadInput:
    def test_missing_params(self, transformation):
        w, u = drawn(0)
        with pytest.raises(ValueError, match="needs the current parameters"):
            transformation().update(u, transformation().init(w))

    def test_another_tree(self, transformation):
        w, u = drawn(0)
        del u["bias"]
        with pytest.raises(ValueError, match="only in params: bias"):
            one_step(transformation(), u, w)

    def test_no_update_for_a_grouped_leaf(self, transformation):
        w, u = drawn(0)
        with pytest.raises(ValueError, match=r"no update \(None\) for 'bias'"):
            one_step(transformation(), {**u, "bias": None}, w)

    def test_a_leaf_in_two_groups(self, transformation):
        w, _ = drawn(0)
        with pytest.raises(ValueError, match="only one norm"):
            transformation(groups.union(groups.per_leaf(), groups.joint("all"))).init(w)

    def test_another_shape(self, transformation):
        w, u = drawn(0)
        with pytest.raises(ValueError, match=r"shape \(3,\) for 'kernel'"):
            one_step(transformation(), {**u, "kernel": u["bias"]}, w)

    def test_a_norm_over_a_single_number(self, transformation):
        w, _ = drawn(0)
        with pytest.raises(ValueError, match="'bias' takes a norm over a single number"):
            transformation(groups.per_axis(-1)).init(w)

    def test_an_empty_tree(self, transformation):
        assert one_step(transformation(), {}, {}) == {}
