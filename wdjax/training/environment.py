"""What a measurement was made with."""

import os
import platform
from importlib import metadata

import jax

PACKAGES = ("wdjax", "jax", "jaxlib", "optax", "flax", "numpy")


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
        "cpu_count": os.cpu_count() or 0,
        "device": jax.devices()[0].device_kind,
        "device_count": jax.device_count(),
    }
