"""All tests run in float64 (unless they say otherwise) and see eight CPU devices."""

import tempfile

import jax
import pytest
from hypothesis import settings

jax.config.update("jax_num_cpu_devices", 8)

# Many tests make the same small programs anew. What one of them has compiled, the others of its
# worker take from here; workers do not share, as one could read what another has half written.
COMPILED = tempfile.TemporaryDirectory(prefix="wdjax-compiled-")
jax.config.update("jax_compilation_cache_dir", COMPILED.name)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

# The first example compiles, so a deadline would measure the compiler; the same examples each time.
settings.register_profile("wdjax", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("wdjax")


@pytest.fixture(autouse=True, scope="module")
def forgetting():
    """What was traced and compiled goes with its module: a process that keeps all becomes slow."""
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield
