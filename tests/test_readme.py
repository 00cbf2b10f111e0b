"""The README's commands and numbers are those of the repository."""

import json
import subprocess
from pathlib import Path

import pytest

from wdjax.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
RESULTS = ROOT / "benchmarks" / "results"


def test_its_verdicts_are_those_of_the_record():
    record = json.loads((RESULTS / "equilibrium" / "record.json").read_text("utf-8"))
    for verdict in record["verdicts"]:
        assert f"| {verdict['claim']} | {verdict['measured']} | {verdict['outcome']} |" in README


def test_its_picture_is_there():
    assert "(benchmarks/results/equilibrium/equilibrium.png)" in README
    assert (RESULTS / "equilibrium" / "equilibrium.png").read_bytes()[1:4] == b"PNG"


def test_the_first_screen_has_two_commands_of_one_line():
    commands = [line for line in README.splitlines()[:40] if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert commands[0].endswith("'.[lab]' && .venv/bin/wdjax run equilibrium")
    assert commands[1].endswith("'.[test]' && .venv/bin/pytest")


def test_the_check_runs_the_second_command():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    pattern = next(line for line in script.splitlines() if "grep" in line)
    found = subprocess.run(
        ["bash", "-c", f'{pattern.strip()}; printf %s "$command"'],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout in README
    assert found.stdout.endswith("pytest")


def test_the_settings_that_it_points_to_exist(capsys):
    with pytest.raises(SystemExit):
        main(["run", "equilibrium", "--help"])
    shown = capsys.readouterr().out
    assert "--data" in shown
    assert "--learning-rates" in shown
