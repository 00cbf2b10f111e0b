import json
import subprocess
import sys

import pytest

from wdjax.auditing import Setup
from wdjax.cli import main

MODULE = """
import jax, jax.numpy as jnp, optax

def loss(params, x):
    y = x @ params["kernel"]
    y = y / jnp.sqrt(jnp.mean(y**2, -1, keepdims=True))
    return jnp.mean((y @ params["head"] - 1) ** 2)

def parts(tx):
    kernel, x = jax.random.normal(jax.random.key(0), (2, 8, 8))
    return loss, {"kernel": kernel, "head": x[0] / 4}, x, tx, 300

def fine():
    return parts(optax.adamw(0.01, weight_decay=1.0))

def doubled():
    l2 = optax.add_decayed_weights(1e-3)
    made = parts(optax.chain(l2, optax.adamw(0.01, weight_decay=1.0)))
    return dict(zip(("loss", "params", "batch", "tx", "steps"), made))

def three():
    return 1, 2, 3

def broken():
    raise KeyError("no data")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "some_setups.py").write_text(MODULE, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("some_setups", None)


def test_a_set_up_is_audited_and_written(folder, capsys):
    assert main(["audit", "some_setups:fine", "--html", str(folder / "page.html")]) == 0
    printed = capsys.readouterr().out
    assert "decay controls the learning rate: kernel" in printed
    assert "<table>" in (folder / "page.html").read_text("utf-8")


def test_a_warning_ends_with_status_one(folder, capsys):
    assert main(["audit", "some_setups:doubled", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert "WD101" in {finding["code"] for finding in found["findings"]}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("some_setups", "'some_setups' names no function; expected MODULE:FUNCTION"),
        ("no_such_module:fine", "'no_such_module' cannot be imported: ModuleNotFoundError"),
        ("some_setups:absent", "has no function 'absent'"),
        ("some_setups:three", "some_setups:three returned tuple; expected loss, params, batch"),
        ("some_setups:broken", "some_setups:broken failed: KeyError: 'no data'"),
    ],
)
def test_what_is_no_set_up_ends_with_one_line_and_status_two(folder, name, message, capsys):
    assert main(["audit", name]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_the_function_may_return_a_setup(folder, capsys):
    (folder / "other_setups.py").write_text(
        MODULE.replace("return parts(optax.adamw", "return Setup(*parts(optax.adamw")
        .replace("weight_decay=1.0))\n\ndef doubled", "weight_decay=1.0)))\n\ndef doubled")
        .replace("import jax,", f"from {Setup.__module__} import Setup\nimport jax,"),
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "wdjax.cli", "audit", "other_setups:fine"],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert "Weight decay of 2 leaves in 300 steps" in done.stdout
