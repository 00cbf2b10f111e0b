import subprocess
import sys

import wdjax

HEAVY = ("flax", "matplotlib", "sklearn", "tyro", "rich", "orbax", "chex", "scipy")


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_core_imports_neither_models_nor_plots():
    loaded = run("import sys, wdjax; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)


def test_importing_starts_no_backend():
    code = (
        "import wdjax, jax; jax.config.update('jax_num_cpu_devices', 3); print(jax.device_count())"
    )
    assert run(code).strip() == "3"


def test_the_public_names_are_there_and_documented():
    for name in wdjax.__all__:
        public = getattr(wdjax, name)
        assert name == "__version__" or public.__doc__
    for package in (wdjax.transforms, wdjax.symmetry, wdjax.theory, wdjax.tracking):
        for name in package.__all__:
            assert getattr(package, name).__doc__, f"{package.__name__}.{name}"
