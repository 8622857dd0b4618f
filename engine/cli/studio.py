"""Starting the studio's server from the command line; what it serves is the studio's business."""

from __future__ import annotations

import os
import socket
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

from engine.errors import StudioError

ROOT = Path(__file__).resolve().parents[2]


def require_loopback(host: str) -> None:
    """StudioError unless `host` is this computer itself: nothing asks yet who is calling."""
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise StudioError(
            f"host: must be this computer (127.0.0.1, ::1 or localhost), got {host};"
            " other addresses need access control, which the studio does not have yet."
        )


def require_free(host: str, port: int) -> None:
    """StudioError if the port cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As the server does it: a port whose last connection has just closed counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StudioError(
                f"port: {port} on {host} cannot be used ({error.strerror}).",
                "Choose another with --port.",
            ) from error


def arguments(host: str, port: int) -> list[str]:
    """The command line of the server's process."""
    options = ["--server.address", host, "--server.port", str(port)]
    return [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), *options]


def become(workspaces: Path, host: str, port: int) -> NoReturn:
    """Turns this process into the server, so that signals reach it as they are."""
    if not (ROOT / "app.py").is_file():
        raise StudioError(f"studio: app.py must be in {ROOT}.", "Install with pip install -e .")
    environment = os.environ | {"ONEPATH_WORKSPACES": str(workspaces)}
    os.chdir(ROOT)  # the server reads .streamlit/config.toml where it starts
    os.execve(sys.executable, arguments(host, port), environment)
