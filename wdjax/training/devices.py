"""Runs that are trained side by side, spread over the devices."""

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec


def over_devices(runs: int) -> NamedSharding:
    """Spreads the leading axis of arrays evenly, over as many devices as divide the runs' number.

    Example:
      >>> over_devices(7).mesh.axis_names
      ('runs',)
    """
    devices = jax.devices()
    count = max(n for n in range(1, len(devices) + 1) if runs % n == 0)
    mesh = jax.make_mesh((count,), ("runs",), devices=devices[:count], axis_types=(AxisType.Auto,))
    return NamedSharding(mesh, PartitionSpec("runs"))
