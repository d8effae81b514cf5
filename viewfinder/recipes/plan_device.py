"""The accelerators that a run is planned for."""

from dataclasses import dataclass

from viewfinder.processor.devices import DEVICES
from viewfinder.train.config import ConfigError


@dataclass(frozen=True)
class Device:
    """One accelerator of the cluster.

    Attributes:
        peak: FLOP/s in bfloat16; of them `utilisation` is thought to be reached.
        bandwidth: bytes/s that one device sends to others; reading: at which it reads and writes its own memory.
        watts: with its share of machine and cooling.
        price: of an hour, in dollars.
        carbon: kg of CO2 a kWh of its grid: 0.03 of hydro or nuclear power, 0.4 about the world's mean, 0.7 of coal.
        memory: bytes.
    """

    peak: float = 989e12
    utilisation: float = 0.4
    bandwidth: float = 50e9
    watts: float = 1000.0
    price: float = 2.5
    memory: float = 80e9
    carbon: float = 0.4
    reading: float = 3.35e12

    @classmethod
    def named(cls, name: str, **more: float) -> "Device":
        """One of `processor.devices`.

        Raises:
            ConfigError: no such device.
        """
        if name not in DEVICES:
            raise ConfigError(f"device {name!r} is not known; devices are {', '.join(DEVICES)}")
        known = DEVICES[name]
        return cls(peak=known.flops, memory=known.memory, reading=known.bandwidth, **more)
