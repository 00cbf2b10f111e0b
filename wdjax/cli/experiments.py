"""`wdjax list`, `wdjax run NAME`, `wdjax report [FOLDER]`."""

import argparse
import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import jax
import tyro
from rich.console import Console
from rich.progress import track

from wdjax.cli.command import BAD_INPUT, Commands, require_no
from wdjax.experiments import (
    ARTICLES,
    EXPERIMENTS,
    Experiment,
    count_table,
    load_studies,
    overview,
    run_experiment,
    unanswered,
)
from wdjax.experiments.experiment import QUICK_NOTE, plain_settings
from wdjax.report import verdict_table, write_report
from wdjax.training import Outcome, RunRecord, Session, cpu_count, load_record, save_record

CLAIM_FAILED = 1
RECORDS = Path("benchmarks/results")
CHECKPOINTS = "checkpoints"


def add(commands: Commands) -> None:
    """Adds the three commands to those of `wdjax`."""
    listing = commands.add_parser("list", help="show the experiments")
    listing.set_defaults(command=_list)
    # The settings of an experiment are its own, so `--help` after its name is answered by tyro.
    running = commands.add_parser(
        "run",
        help="run an experiment",
        add_help=False,
        epilog="The settings of an experiment: wdjax run EXPERIMENT --help",
    )
    running.add_argument("experiment", choices=EXPERIMENTS, nargs="?", help="as `wdjax list` shows")
    running.add_argument("--quick", action="store_true", help="smaller, to see that it works")
    running.add_argument("--out", type=Path, help="folder to write to (runs/EXPERIMENT)")
    running.add_argument("--restart", action="store_true", help="give up an interrupted run")
    running.add_argument("--help", "-h", action="store_true", help="show the settings")
    running.set_defaults(command=_run, usage=running)
    reporting = commands.add_parser("report", help="make the page of a run, or of all runs, again")
    reporting.add_argument(
        "folder",
        type=Path,
        nargs="?",
        help="a folder with a record.json, or one with such folders "
        f"({RECORDS} if it is there, else runs)",
    )
    reporting.set_defaults(command=_report)


def _list(known: argparse.Namespace, rest: list[str], console: Console) -> int:
    del known
    require_no(rest)
    for experiment in EXPERIMENTS.values():
        console.print(f"{experiment.name}: {experiment.summary}", highlight=False)
        console.print(f"    {experiment.source}; {experiment.cost}", highlight=False)
    return 0


def _run(known: argparse.Namespace, rest: list[str], console: Console) -> int:
    if known.experiment is None:
        known.usage.print_help()
        return 0 if known.help else BAD_INPUT
    experiment = EXPERIMENTS[known.experiment]
    config = tyro.cli(
        type(experiment.default),
        prog=f"wdjax run {experiment.name} [--quick] [--out FOLDER]",
        description=f"{experiment.summary} ({experiment.source}).",
        default=experiment.quick if known.quick else experiment.default,
        args=["--help"] if known.help else rest,
    )
    folder = known.out or Path("runs") / experiment.name
    _use_all_cores()
    if known.restart:
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)

    def show(chunks: range, name: str) -> Iterable[int]:
        return track(chunks, name, console=console)

    with _folder(folder):
        session = Session(folder / CHECKPOINTS, plain_settings(config), show)
        note = QUICK_NOTE if known.quick else ""
        record = run_experiment(experiment, config, session, note)
        save_record(record, folder)
    session.finish()
    return _show(experiment, record, folder, console)


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Makes the folder before the work begins; takes it away if the work fails and left nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        checkpoints = folder / CHECKPOINTS
        if not any(path.is_dir() for path in checkpoints.glob("*")):
            shutil.rmtree(checkpoints, ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds something
            folder.rmdir()
        raise


def _report(known: argparse.Namespace, rest: list[str], console: Console) -> int:
    require_no(rest)
    folder = known.folder or (RECORDS if RECORDS.is_dir() else Path("runs"))
    if (folder / "record.json").is_file():
        return _report_one(folder, console)
    studies, articles = load_studies(folder, EXPERIMENTS), tuple(ARTICLES.values())
    path = folder / "report.html"
    path.write_text(overview(articles, studies), "utf-8")
    console.print(count_table(articles, studies))
    console.print(f"page: {path}", highlight=False, soft_wrap=True)
    left = unanswered(articles, studies)
    for article, claim in left:
        console.print(f"no verdict: {article.title}, {claim.key}: {claim.text}", highlight=False)
    return CLAIM_FAILED if left else 0


def _report_one(folder: Path, console: Console) -> int:
    record = load_record(folder)
    if record.experiment not in EXPERIMENTS:
        raise ValueError(
            f"{folder} is the record of the experiment {record.experiment!r}, which this "
            f"version does not have; it has {', '.join(EXPERIMENTS)}."
        )
    return _show(EXPERIMENTS[record.experiment], record, folder, console)


def _show(experiment: Experiment, record: RunRecord, folder: Path, console: Console) -> int:
    path = write_report(record, experiment.plots(record), folder)
    console.print(verdict_table(record))
    console.print(record.summary, highlight=False)
    console.print(f"{record.seconds:.0f} s; page: {path}", highlight=False, soft_wrap=True)
    failed = any(verdict.outcome == Outcome.FAILS for verdict in record.verdicts)
    return CLAIM_FAILED if failed else 0


def _use_all_cores() -> None:
    """One CPU device per core, if JAX is not running yet, so that a grid spreads over them."""
    forced = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    chosen = jax.config.jax_num_cpu_devices  # pyright: ignore[reportAttributeAccessIssue]
    if not forced and chosen == -1:
        with contextlib.suppress(RuntimeError):  # JAX is running already, as in a notebook
            jax.config.update("jax_num_cpu_devices", cpu_count())
