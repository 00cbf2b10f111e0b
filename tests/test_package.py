import subprocess
import sys

import pytest

import wdjax

PACKAGES = (
    wdjax.transforms,
    wdjax.transforms.twins,
    wdjax.symmetry,
    wdjax.theory,
    wdjax.theory.conventions,
    wdjax.tracking,
    wdjax.tracking.writers,
    wdjax.auditing,
)
HEAVY = ("flax", "matplotlib", "sklearn", "tyro", "rich", "orbax", "chex", "scipy")


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_core_imports_neither_models_nor_plots():
    loaded = run("import sys, wdjax; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize(
    ("module", "asked"),
    [
        ("wdjax.symmetry.proof", "callable(wdjax.symmetry.find)"),
        ("wdjax.auditing", "callable(wdjax.probe)"),
        ("wdjax.transforms.twins", "callable(wdjax.transforms.twins.twin)"),
        ("wdjax.theory.conventions", "callable(wdjax.transforms.from_setting)"),
        ("wdjax.theory.conventions", "callable(wdjax.theory.conventions.convert)"),
    ],
)
def test_what_few_need_is_imported_when_it_is_asked_for(module, asked):
    code = "import sys, wdjax; print({0}'{1}' in sys.modules)"
    assert run(code.format("", module)).split() == ["False"]
    assert run(code.format(f"{asked}, ", module)).split() == ["True", "True"]


def test_a_name_that_is_not_there_is_missed():
    with pytest.raises(AttributeError, match=r"'wdjax\.symmetry' has no attribute 'nothing'"):
        _ = wdjax.symmetry.nothing


def test_importing_starts_no_backend():
    code = (
        "import wdjax, jax; jax.config.update('jax_num_cpu_devices', 3); print(jax.device_count())"
    )
    assert run(code).strip() == "3"


def test_the_public_names_are_there_and_documented():
    for name in wdjax.__all__:
        public = getattr(wdjax, name)
        assert name == "__version__" or public.__doc__
    for package in PACKAGES:
        for name in package.__all__:
            assert getattr(package, name).__doc__, f"{package.__name__}.{name}"
