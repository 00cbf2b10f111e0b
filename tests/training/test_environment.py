import json

from wdjax.training import environment


def test_the_environment_names_what_a_number_depends_on():
    found = environment()
    assert {"python", "jax", "optax", "flax", "numpy", "device", "cpu_count"} <= set(found)
    assert json.loads(json.dumps(found)) == found
