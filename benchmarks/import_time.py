"""Time of a cold `import wdjax` over that of `import optax`, which it is built on.

Run as `python -m benchmarks.import_time`; writes `benchmarks/results/import_time.json`. Each import
is in a process of its own, the two take turns, and the best of each counts. Most of
the difference is one collection of garbage, which what Optax has allocated makes due just then.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from wdjax.training import environment

RESULTS = Path(__file__).parent / "results" / "import_time.json"
LIMIT = 1.15


def seconds(package: str) -> float:
    """Returns the seconds that a cold import of a package takes in a fresh process."""
    code = f"import time; t = time.perf_counter(); import {package}; print(time.perf_counter() - t)"
    # With bytecode caching, whatever the caller's setting: an installed package has it too.
    settings = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=settings
    )
    return float(done.stdout)


def measure(rounds: int = 5) -> dict[str, float]:
    """Returns the best times of both imports, taken in turns, and their ratio."""
    seconds("wdjax")  # fills the caches
    times = [(seconds("optax"), seconds("wdjax")) for _ in range(rounds)]
    optax, wdjax = (min(column) for column in zip(*times, strict=True))
    return {"optax_s": optax, "wdjax_s": wdjax, "ratio": wdjax / optax}


def main() -> None:
    """Measures, prints and writes the result."""
    result = measure(rounds=15)  # so many that the minimum is steady
    print(f"import wdjax / import optax = {result['ratio']:.3f} (limit {LIMIT})")
    RESULTS.write_text(json.dumps({**result, "environment": environment()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
