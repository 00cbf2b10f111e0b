import json

import pytest

from wdjax.cli import main


def test_the_plan_is_printed(capsys):
    assert main(["plan", "--optimizer", "sgd", "--lr", "0.1", "--weight-decay", "5e-4"]) == 0
    printed = capsys.readouterr().out
    assert "0.007255 rad" in printed
    assert "What 0.0005 means elsewhere" in printed


def test_the_plan_is_printed_as_json(capsys):
    assert main(["plan", "--json", "--steps", "100"]) == 0
    assert json.loads(capsys.readouterr().out)["run"]["steps"] == 100


def test_bad_numbers_end_with_what_was_expected_and_status_two(capsys):
    with pytest.raises(SystemExit) as end:
        main(["plan", "--lr", "-1"])
    assert end.value.code == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "lr is -1.0; expected a number that is not negative" in printed


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["--fly"], 2)])
def test_the_usage_is_shown(arguments, status, capsys):
    with pytest.raises(SystemExit) as end:
        main(["plan", *arguments])
    assert end.value.code == status
    printed = capsys.readouterr()
    assert "wdjax plan" in printed.out + printed.err
