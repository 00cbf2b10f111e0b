"""What the commands have in common."""

import argparse
from typing import TypeAlias

BAD_INPUT = 2
"""The exit status for bad input."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What a command is added to. The command's function is given as the default of `command`; it is
called with what was parsed, the words that were not, and a console, and returns the exit status."""


def require_no(rest: list[str]) -> None:
    """Raises ValueError if words are left that no command knows."""
    if rest:
        raise ValueError(f"unknown arguments: {' '.join(rest)}. See wdjax --help.")
