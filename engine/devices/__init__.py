"""The devices that can be measured: the table; the contract is in `contract`.

To add one: a file beside this one, one line in `DEVICES`.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.devices.contract import PROVENANCE, QUICK, STANDARD, Device, Effort, Samples
from engine.devices.local import LocalDevice
from engine.errors import StudioError
from engine.spec import DeviceChoice

__all__ = [
    "DEVICES",
    "PROVENANCE",
    "QUICK",
    "STANDARD",
    "Device",
    "Effort",
    "Samples",
    "open_device",
]

DEVICES: dict[str, Callable[[int], Device]] = {
    "local": LocalDevice,
}
"""Name to what makes the device for a number of threads."""


def open_device(choice: DeviceChoice) -> Device:
    """The chosen device; StudioError that lists the known ones if there is none of that name."""
    if choice.name not in DEVICES:
        raise StudioError(f"device: must be one of {', '.join(DEVICES)}, got {choice.name!r}.")
    return DEVICES[choice.name](choice.threads)
