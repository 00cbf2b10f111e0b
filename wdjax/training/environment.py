"""What a measurement was made with."""

import os
import platform
from importlib import metadata

import jax

PACKAGES = ("wdjax", "jax", "jaxlib", "optax", "flax", "numpy")


def cpu_count() -> int:
    """Returns the number of CPU cores that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def environment() -> dict[str, str | int]:
    """Returns versions, platform and devices, for records of measurements.

    Example:
      >>> sorted(environment())[:3]
      ['cpu_count', 'device', 'device_count']
    """
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        **versions,
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu_count": cpu_count(),
        "device": jax.devices()[0].device_kind,
        "device_count": jax.device_count(),
    }
