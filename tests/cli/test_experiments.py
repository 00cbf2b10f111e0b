import json
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from tests.experiments.toy import TOY
from tests.report.sample import RECORD
from wdjax.cli import main
from wdjax.experiments import EXPERIMENTS, Measurement
from wdjax.training import Outcome, load_record, save_record, session

FILES = {
    "record.json", "arrays.npz", "report.html",
    "equilibrium.png", "scaling.png", "angles.png", "identities.png",
}  # fmt: skip


@pytest.fixture(autouse=True)
def float32():
    with jax.enable_x64(False):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished quick run of the command, with a setting of its own."""
    folder = tmp_path_factory.mktemp("runs") / "quick"
    command = [sys.executable, "-W", "error", "-m", "wdjax.cli", "run", "equilibrium", "--quick"]
    done = subprocess.run(
        [*command, "--learning-rates", "0.1", "--out", str(folder)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    failed = any(v.outcome == Outcome.FAILS for v in load_record(folder).verdicts)
    assert done.returncode == (1 if failed else 0), done.stderr
    return folder


def test_a_run_writes_record_figures_and_page(folder):
    assert {path.name for path in folder.iterdir()} == FILES
    record = json.loads((folder / "record.json").read_text("utf-8"))
    assert record["config"]["learning_rates"] == [0.1]
    assert len(record["verdicts"]) == 6


def test_a_quick_run_says_that_it_is_no_evidence(folder):
    record = load_record(folder)
    assert "no evidence" in record.note
    assert record.note in (folder / "report.html").read_text("utf-8")
    # What needs no long training holds here too.
    assert record.verdicts[0].outcome == Outcome.HOLDS


def test_the_report_is_made_again_from_the_record(folder, capsys):
    (folder / "report.html").unlink()
    (folder / "angles.png").unlink()
    main(["report", str(folder)])
    assert {path.name for path in folder.iterdir()} == FILES
    assert "report.html" in capsys.readouterr().out


def test_the_exit_status_is_one_if_a_claim_does_not_hold(folder, capsys):
    record = load_record(folder)
    for outcome, status in ((Outcome.HOLDS, 0), (Outcome.IN_PART, 0), (Outcome.FAILS, 1)):
        verdict = RECORD.verdicts[0].__class__(**{**vars(RECORD.verdicts[0]), "outcome": outcome})
        save_record(record.__class__(**{**vars(record), "verdicts": (verdict,)}), folder)
        assert main(["report", str(folder)]) == status
    save_record(record, folder)


def test_an_interrupted_command_goes_on(tmp_path, capsys, monkeypatch):
    begun, stop = [], [2]

    def measure(config, session):
        def advance(index, state):
            begun.append(index)
            if index in stop:
                raise KeyboardInterrupt
            return state + index, state

        _, found = session.loop("count", config.chunks, advance, np.zeros(2))
        return Measurement({"all": found}, "it counted")

    monkeypatch.setitem(EXPERIMENTS, "toy", TOY._replace(measure=measure, check=lambda _: ()))
    monkeypatch.setattr(session, "SECONDS", 0)
    command = ["run", "toy", "--out", str(tmp_path)]
    assert main([*command, "--chunks", "4"]) == 130
    assert "goes on from the last checkpoint" in capsys.readouterr().out
    stop.clear()
    assert main(command) == 2
    assert "other settings" in capsys.readouterr().err
    begun.clear()
    assert main([*command, "--chunks", "4"]) == 0
    assert begun == [2, 3]
    assert {path.name for path in tmp_path.iterdir()} == {
        "record.json", "arrays.npz", "report.html",
    }  # fmt: skip
    assert load_record(tmp_path).arrays["all"][:, 0].tolist() == [0, 0, 1, 3]


def test_an_interrupted_run_can_be_given_up(tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "settings.json").write_text("{}")
    monkeypatch.setitem(EXPERIMENTS, "toy", TOY)
    assert main(["run", "toy", "--out", str(tmp_path)]) == 2
    assert main(["run", "toy", "--out", str(tmp_path), "--restart"]) == 0


def test_all_records_make_one_page(folder, tmp_path, capsys, monkeypatch):
    shutil.copytree(folder, tmp_path / "runs" / "equilibrium")
    monkeypatch.chdir(tmp_path)
    assert main(["report"]) == 1  # the claims that one record does not answer
    assert "no verdict" in capsys.readouterr().out
    page = (tmp_path / "runs" / "report.html").read_text("utf-8")
    assert "wdjax run equilibrium" in page


def test_the_experiments_are_listed(capsys):
    assert main(["list"]) == 0
    assert "Serendipitous" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "equilibrium", "--data", "/nowhere/at/all"], "there is nothing at"),
        (["run", "equilibrium", "--steps", "70"], "multiple of twice the chunk"),
        (["run", "equilibrium", "--momentum", "0"], "momentum is 0.0"),
        (["run", "equilibrium", "--depth", "9"], "expected 6n + 2"),
        (["report", "/nowhere/at/all"], "holds no record.json"),
        (["list", "--all"], "unknown arguments: --all"),
    ],
)
def test_bad_input_ends_with_one_line_and_status_two(arguments, message, capsys, tmp_path):
    if arguments[0] == "run":
        arguments = [*arguments, "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["run", "nothing"], ["fly"]])
def test_bad_commands_show_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: wdjax" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_found_out_before_training(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["run", "equilibrium", "--out", str(tmp_path / "file" / "runs")]) == 2
    assert "training" not in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "status"), [(["run"], 2), (["run", "--help"], 0)])
def test_run_alone_says_what_it_wants(arguments, status, capsys):
    assert main(arguments) == status
    assert "--quick" in capsys.readouterr().out


def test_the_record_of_an_unknown_experiment_is_explained(tmp_path, capsys):
    save_record(RECORD.__class__(**{**vars(RECORD), "experiment": "future"}), tmp_path)
    assert main(["report", str(tmp_path)]) == 2
    assert "'future'" in capsys.readouterr().err


def test_without_the_extra_the_command_says_what_to_install():
    code = "import sys; sys.modules['tyro'] = None; import wdjax.cli"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'pip install "wdjax[lab]"' in done.stderr
