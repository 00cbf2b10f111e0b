"""All tests run in float64 (unless they say otherwise) and see eight CPU devices."""

import jax
import pytest
from hypothesis import settings

jax.config.update("jax_num_cpu_devices", 8)

# The first example compiles, so a deadline would measure the compiler; the same examples each time.
settings.register_profile("wdjax", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("wdjax")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield
