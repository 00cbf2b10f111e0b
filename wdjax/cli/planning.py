"""`wdjax plan`: what weight decay will do in a run, before it is made."""

import argparse
import json

import tyro
from rich.console import Console

from wdjax.cli.command import Commands
from wdjax.planning import Run, plan


def add(commands: Commands) -> None:
    """Adds the command to those of `wdjax`."""
    # The numbers of the run are fields of `Run`, so `--help` is answered by tyro.
    planning = commands.add_parser(
        "plan", help="say what weight decay will do in a run", add_help=False
    )
    planning.add_argument("--json", action="store_true", help="print JSON")
    planning.set_defaults(command=_plan)


def _plan(known: argparse.Namespace, rest: list[str], console: Console) -> int:
    del console  # which would break long lines
    run = tyro.cli(
        Run,
        prog="wdjax plan [--json]",
        description="What weight decay will do in a run: equilibrium, time scales, conventions.",
        args=rest,
    )
    made = plan(run)
    print(json.dumps(made.to_dict(), ensure_ascii=False) if known.json else made)
    return 0
