import jax
import numpy as np
import pytest

from tests.symmetry.random_networks import random_network
from wdjax.symmetry import check, find

# `python -m benchmarks.prover` runs many more.


@pytest.mark.parametrize("seed", range(25))
def test_no_false_symmetry_on_random_networks(seed):
    loss, params, args = random_network(seed)
    found = find(loss, params, *args)
    for one in check(found, loss, params, *args):
        assert one.loss_change < 1e-8, one
        assert one.alignment < 1e-8, one


@pytest.mark.parametrize("seed", range(25, 33))
def test_no_symmetry_is_missed_but_those_of_dead_biases(seed):
    loss, params, _ = random_network(seed)
    names = sorted(params)
    gradient = jax.jit(jax.grad(loss))
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(3 * len(names)):
        drawn = {name: rng.normal(size=params[name].shape) for name in names}
        grads = gradient(drawn, rng.normal(size=(12, 6)))
        products = [np.asarray(drawn[name] * grads[name]) for name in names]
        size = np.sqrt(sum(np.sum(p**2) for p in products)) + 1e-300
        rows.append([p.sum() / size for p in products])
    values = np.linalg.svd(np.array(rows), compute_uv=False)
    dead = np.sum(np.abs(rows).max(axis=0) < 1e-9)
    missing = np.sum(values < 1e-9) - find(loss, params, np.zeros((12, 6))).dimension
    assert 0 <= missing <= dead
