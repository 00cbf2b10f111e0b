"""The README's commands and numbers are those of the repository."""

import ast
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.auditing.linter.recipes import RECIPES
from tests.symmetry.test_proof import MISSED
from tests.transforms.registry import REGISTRY
from wdjax.auditing.linter import RULES
from wdjax.cli import main
from wdjax.experiments import ARTICLES, EXPERIMENTS, load_studies
from wdjax.experiments.overview import counts
from wdjax.training import load_record

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
RESULTS = ROOT / "benchmarks" / "results"
WORDS = {10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen"}


def test_its_verdicts_are_those_of_the_record():
    record = json.loads((RESULTS / "equilibrium" / "record.json").read_text("utf-8"))
    for verdict in record["verdicts"]:
        assert f"| {verdict['claim']} | {verdict['measured']} | {verdict['outcome']} |" in README


def test_its_other_numbers_are_those_of_the_records():
    text = " ".join(README.split())
    record, small = (
        json.loads((RESULTS / name / "record.json").read_text("utf-8"))
        for name in ("equilibrium", "equilibrium-epsilon")
    )
    assert record["summary"] in text
    numbers = small["verdicts"][0]["numbers"]
    assert (
        f"the cosine is at most {numbers['cosine']:.1e} and the largest residual "
        f"{numbers['largest_residual']:.1e}"
    ) in text
    unsettled = round(20 * (1 - small["verdicts"][1]["numbers"]["settled"]))
    assert f"{unsettled} of the 20 runs with decay lose their equilibrium" in text
    share = 1 - record["verdicts"][0]["numbers"]["share_of_small_residuals"]
    assert f"in {share:.1%} of the measurements" in text


def test_its_numbers_on_cifar_are_those_of_the_record():
    text = " ".join(README.split())
    record = load_record(RESULTS / "equilibrium-cifar10")
    by_claim = {verdict.of: verdict.numbers for verdict in record.verdicts}
    angle, powers, scale = (by_claim[key] for key in ("S7", "S9", "S18"))
    assert f"{len(record.arrays['seed'])} runs, one seed, {record.seconds / 60:.0f} minutes" in text
    assert f"is {angle['lowest']:.3f} to {angle['highest']:.3f} times the predicted one" in text
    assert f"‖w‖² is {scale['lowest']:.3f} to {scale['highest']:.3f} times what theory" in text
    assert f"differs by {powers['spread']:.2f}×" in text
    assert f"(slope {powers['moment_on_product']:.2f})" in text
    small = by_claim["S17"]["share_of_small_residuals"]
    assert f"are met in {small:.1%} of the measurements only" in text
    accuracies = re.search(r"test accuracy ([\d.]+ to [\d.]+)\.", record.summary)
    assert accuracies and f"(test accuracy {accuracies[1]})" in text
    assert f"--data {record.config['data']} --seeds {record.config['seeds'][0]} --out" in text


def test_its_numbers_of_binary_addition_are_those_of_the_records():
    text = " ".join(README.split())
    names = ("addition-sweep", "addition-sweep-long", "addition-sweep-long-seeds")
    short, *long = (load_record(RESULTS / name) for name in names)
    met = [
        next(int(v.numbers["met"]) for v in record.verdicts if "met" in v.numbers)
        for record in (short, long[0])
    ]
    steps = [record.arrays["step"][-1] for record in (short, *long)]
    assert f"{met[0]} are met within 0.1 after {steps[0]:,} steps, and {met[1]} after" in text
    assert f"{met[1]} after the {steps[1]:,} of" in text and steps[1] == steps[2]

    def at(lam, name):
        found = [record.arrays[name][record.arrays["weight_decay"] == lam] for record in long]
        return ", ".join(f"{value:.2f}" for value in np.concatenate(found))

    assert f"λ = 0.003 comes to {at(np.float32(0.003), 'test_at_end')} over" in text
    assert f"λ = 0.6 comes to {at(np.float32(0.6), 'test_at_end')} (" in text
    assert f"there {at(np.float32(0.6), 'train_at_end')} of the training data" in text


def test_its_numbers_of_the_prover_are_those_that_were_measured():
    text = " ".join(README.split())
    result = json.loads((RESULTS / "prover.json").read_text("utf-8"))
    complete, sound = result["completeness"], result["soundness"]
    assert complete["uniform"] == complete["architectures"]
    assert f"On {complete['architectures']} small architectures" in text
    assert f"on {complete['full']} of them all scalings of single entries" in text
    assert sound["false"] == 0
    found = f"{sound['scalings']:,} independent scalings and {sound['dead']:,} dead leaves"
    assert f"on {sound['networks']:,} random networks nothing false among {found}" in text
    times = result["times"]
    linen, large = times["Linen transformer of 12 layers"], times["70B decoder, unrolled"]
    assert f"takes {linen['trace_s']:.2f} s, and the proof {linen['proof_s']:.2f} s" in text
    assert f"{large['equations']:,} equations, is proved in {large['proof_s']:.1f} s" in text
    assert f"beside {large['trace_s']:.1f} s of tracing" in text
    assert f"a peak of {result['peak_GiB']:.1f} GiB" in text


def test_what_the_prover_misses_is_what_its_tests_list():
    result = json.loads((RESULTS / "prover.json").read_text("utf-8"))
    assert set(result["completeness"]["missed"]) == set(MISSED)


def test_all_versions_of_jax_give_the_same_answers():
    answers = json.loads((RESULTS / "prover_answers.json").read_text("utf-8"))
    assert len(answers) >= 2
    assert len({entry["sha256"] for entry in answers.values()}) == 1


def test_its_numbers_of_twins_are_those_that_were_measured():
    text = " ".join(README.split())
    result = json.loads((RESULTS / "twins.json").read_text("utf-8"))
    rows = result["differences"].values()
    assert f"over {result['steps']} steps" in text
    largest = max(max(row["train"], row["evaluation"]) for row in rows)
    assert f"differ by at most {largest:.1e}" in text
    smallest = min(min(row["plain"], row["naive"]) for row in rows)
    assert f"by {smallest:.1f} at least" in text


def test_its_costs_are_those_that_were_measured():
    text = " ".join(README.split())
    pairs = json.loads((RESULTS / "transforms.json").read_text("utf-8"))["pairs"]
    assert all(pairs[name]["bytes_ratio"] == 1 for name in ("sgd_l2", "sgdw", "adam_l2", "adamw"))
    assert f"`spherical_sgd` accesses {pairs['spherical_sgd']['bytes_ratio']:.1f} times" in text
    assert f"`on_sphere` around Adam {pairs['on_sphere']['bytes_ratio']:.1f} times" in text
    assert f"the two views of `sgdp` {pairs['sgdp']['bytes_ratio']:.1f} times" in text
    assert f"the twin of AdamW {pairs['twin of AdamW']['bytes_ratio']:.1f} times" in text


def test_the_cost_of_every_transformation_was_measured():
    pairs = json.loads((RESULTS / "transforms.json").read_text("utf-8"))["pairs"]
    assert {entry.make.__name__ for entry in REGISTRY.values()} <= set(pairs)


def test_what_it_says_is_proved_is_tested():
    proofs = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", README)
    assert len(proofs) == 16
    for path, name in proofs:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        defined = {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        assert name in defined, f"{path}::{name}"


PREDICTED = (
    "the angle per step", "the norm", "the relaxation time of ‖w‖", "‖w‖ along warm-up and cosine",
)  # fmt: skip
MODELS = ("ResNet", "transformer")


def between(numbers, kind=""):
    lowest = min(numbers[f"{model}{kind} lowest"] for model in MODELS)
    return f"{lowest:.3f} to {max(numbers[f'{model}{kind} highest'] for model in MODELS):.3f}"


def test_its_table_of_predictions_is_that_of_the_record():
    verdicts = json.loads((RESULTS / "prediction" / "record.json").read_text("utf-8"))["verdicts"]
    by_claim = {verdict["claim"]: verdict for verdict in verdicts}
    text = " ".join(README.split())

    def cell(optimiser, claim):
        verdict = by_claim[f"{optimiser}: {claim}"]
        numbers = verdict["numbers"]
        if "largest_error" in numbers:
            said = f"off by {numbers['largest_error']:.1%}"
        elif "error" in numbers:
            said = ", ".join(f"{numbers[f'{model} ratio']:.3f}" for model in MODELS)
        elif optimiser in ("Lion", "Muon"):
            said = between(numbers)
        else:
            said = f"{between(numbers)}; averages: {between(numbers, ' equilibrium')}"
        return f"{said}: {verdict['outcome']}"

    for optimiser in ("SGD", "heavy-ball", "Nesterov", "AdamW", "Lion", "Muon"):
        cells = [cell(optimiser, claim) for claim in PREDICTED]
        assert f"| {optimiser} | {' | '.join(cells)} |" in README
    held = sum(verdict["outcome"] == "holds" for verdict in verdicts)
    assert f"{held} of {len(verdicts)} claims hold." in text
    norm = by_claim["AdamW: the norm"]["numbers"]
    relaxation = by_claim["AdamW: the relaxation time of ‖w‖"]["numbers"]
    lowest, highest = map(float, between(norm, " plain").split(" to "))
    assert f"would be off by up to {max(1 - lowest, highest - 1):.0%}" in text
    assert f"its relaxation by {relaxation['plain_error']:.0%}" in text


def test_its_counts_of_verdicts_are_those_of_the_records():
    studies = load_studies(RESULTS, EXPERIMENTS)
    for key, article in ARTICLES.items():
        own = [f"`{name}`" for name, found in EXPERIMENTS.items() if found.article == key]
        numbers = [str(n) for kind, n in counts(article, studies).items() if kind != "no verdict"]
        assert f"| {article.title} | {', '.join(own)} | {' | '.join(numbers)} |" in README


def test_it_lists_the_rules_of_the_linter():
    rows = re.findall(r"^\| (WD\d+) \| (.*) \|$", README, re.MULTILINE)
    assert rows == [(code, rule.title) for code, rule in RULES.items()]
    assert f"no warning on {WORDS[len(RECIPES)]} recipes" in " ".join(README.split())


def test_its_time_of_importing_is_what_was_measured():
    result = json.loads((RESULTS / "import_time.json").read_text("utf-8"))
    assert f"({result['ratio']:.2f} times" in README


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
