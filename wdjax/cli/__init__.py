"""The command line: `wdjax list | run | report | audit | plan`; needs the extra `wdjax[lab]`."""

try:
    from wdjax.cli.main import main
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"the command line needs {missing.name!r}, which comes with the extra `lab`: "
        'pip install "wdjax[lab]".'
    ) from missing

__all__ = ["main"]
