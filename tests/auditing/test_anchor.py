import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.auditing import optimisers as local
from wdjax import transforms
from wdjax.auditing import probe

PARAMS = {"kernel": np.random.default_rng(0).normal(size=(3, 4)), "bias": np.zeros(3)}
BASES = {"sgd": optax.sgd(0.1, 0.9), "plain": optax.sgd(0.1), "adam": optax.adam(1e-3)}


def halving(step):
    return 0.01 * 0.5 ** jnp.asarray(step, float)


@pytest.mark.parametrize("base", BASES)
def test_toward_the_initial_weights(base):
    for decay in (local.to_initial(0.01), transforms.decay_to_initial(0.01)):
        found = probe(optax.chain(BASES[base], decay), PARAMS, steps=20)
        assert found.kinds == dict.fromkeys(PARAMS, "initial")
        np.testing.assert_allclose(found["kernel"].rates, 0.01, rtol=1e-9)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("decay", [0.5, 0.9999])
def test_toward_an_average(base, decay):
    tx = optax.chain(BASES[base], local.to_average(0.01, decay))
    found = probe(tx, PARAMS, steps=20)
    assert found.kinds == dict.fromkeys(PARAMS, "average")
    np.testing.assert_allclose(found["kernel"].rates, 0.01, rtol=1e-9)


def test_an_average_is_told_from_the_start_at_a_single_step():
    for decay, kind in (
        (local.to_initial(0.01), "initial"),
        (local.to_average(0.01, 0.9), "average"),
    ):
        found = probe(optax.chain(BASES["adam"], decay), PARAMS, steps=1)
        assert found["kernel"].kind == kind


def test_an_average_that_takes_the_weights_in_first():
    """u = −ρ (w − (β a + (1 − β) w)) = −ρ β (w − a)."""
    tx = optax.chain(BASES["sgd"], transforms.decay_to_average(0.01, 0.75))
    found = probe(tx, PARAMS, steps=20)["kernel"]
    assert found.kind == "average"
    np.testing.assert_allclose(found.rates, 0.0075, rtol=1e-9)


def test_along_a_schedule():
    tx = optax.chain(BASES["sgd"], transforms.decay_to_initial(halving))
    found = probe(tx, PARAMS, steps=[0, 1, 4])["kernel"]
    np.testing.assert_allclose(found.rates, 0.01 * 0.5 ** np.array([0, 1, 4]), rtol=1e-9)


def test_a_point_that_follows_the_updates_is_neither():
    tx = optax.chain(BASES["sgd"], local.to_slow_weights(0.01))
    found = probe(tx, PARAMS, steps=20)["kernel"]
    assert (found.kind, found.note) == ("unknown", "drawn to a point that gradients move")
