"""Time of a cold `import wdjax` over that of `import optax`, which it is built on.

Run as `python -m benchmarks.import_time`; writes `benchmarks/results/import_time.json`. Each import
is in a process of its own, the two take turns, and the best of each counts. A collection of all
garbage takes as long as a tenth of importing Optax, and on some versions of Python falls due just
behind it, by the count of all objects that were made: the ratio is measured with and without
collections.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from wdjax.training import environment

RESULTS = Path(__file__).parent / "results" / "import_time.json"
LIMIT = 1.15


def seconds(package: str, *, collecting: bool) -> float:
    """Returns the seconds that a cold import of a package takes in a fresh process."""
    start = "import gc, time" if collecting else "import gc, time; gc.disable()"
    code = f"{start}; t = time.perf_counter(); import {package}; print(time.perf_counter() - t)"
    # With bytecode caching, whatever the caller's setting: an installed package has it too.
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=settings
    )
    return float(done.stdout)


def ratio(rounds: int, *, collecting: bool) -> float:
    """Returns the ratio of the best times of both imports, taken in turns."""
    seconds("wdjax", collecting=collecting)  # fills the caches
    times = [
        [seconds(package, collecting=collecting) for package in ("optax", "wdjax")]
        for _ in range(rounds)
    ]
    optax, wdjax = (min(column) for column in zip(*times, strict=True))
    return wdjax / optax


def main() -> None:
    """Measures, prints and writes the result."""
    rounds = 15  # so many that the minimum is steady
    result = {
        "ratio": ratio(rounds, collecting=True),
        "ratio_without_collections": ratio(rounds, collecting=False),
    }
    print(f"import wdjax / import optax (limit {LIMIT}):", result)
    RESULTS.write_text(json.dumps({**result, "environment": environment()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
