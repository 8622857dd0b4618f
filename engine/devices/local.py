"""This computer's processor through ONNX Runtime, in a process of its own; no measuring code here.

The script `bench.py` measures: it loads neither this package nor torch, so what it times is what
the exported archive's `benchmark.py` (the same file) times.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from engine.devices.contract import Effort, Samples
from engine.errors import StudioError
from engine.store import Progressing

SCRIPT = Path(__file__).with_name("bench.py")
PROVIDER = "CPUExecutionProvider"
STALL_S = 300.0  # without a word for this long, it hangs


class LocalDevice:
    """This computer, computing on `threads` threads."""

    name = "This computer"

    def __init__(self, threads: int, script: Path = SCRIPT, stall_s: float = STALL_S) -> None:
        self.threads = threads
        self._script, self._stall_s = script, stall_s

    @property
    def key(self) -> str:
        """Processor, cores, system, runtime with version, threads."""
        runtime = f"onnxruntime {version('onnxruntime')}"
        system = f"{platform.system()} {platform.machine()}"
        return f"local: {processor()}, {cores()} cores, {system}, {runtime}, {self.threads} threads"

    def provenance(self) -> dict[str, Any]:
        """What is known about this computer now; `load_average` is that of the last minute."""
        return {
            "device": self.name,
            "key": self.key,
            "cpu": processor(),
            "cores": cores(),
            "os": f"{platform.system()} {platform.release()}",
            "runtime": "onnxruntime",
            "runtime_version": version("onnxruntime"),
            "provider": PROVIDER,
            "threads": self.threads,
            "batch": 1,
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "load_average": round(os.getloadavg()[0], 2),
        }

    def measure(
        self, models: Sequence[bytes], effort: Effort, on_progress: Progressing
    ) -> list[Samples]:
        """One Samples per ONNX file; StudioError if threads are too many or a file does not run."""
        if self.threads > cores():
            raise StudioError(
                f"threads: this computer has {cores()} cores, got {self.threads}.",
                f"Choose 1 to {cores()} threads.",
            )
        with tempfile.TemporaryDirectory(prefix="onepath-") as folder:
            answer = self._ask(self._request(Path(folder), models, effort), on_progress)
        if "error" in answer:
            raise StudioError(
                f"this computer: a network must run in ONNX Runtime, got: {answer['error']}"
            )
        return [Samples(**r | {"sessions": tuple(r["sessions"])}) for r in answer["results"]]

    def _request(self, folder: Path, models: Sequence[bytes], effort: Effort) -> Path:
        paths = []
        for i, model in enumerate(models):
            path = folder / f"{i}.onnx"
            path.write_bytes(model)
            paths.append(str(path))
        request = folder / "request.json"
        plan = asdict(effort) | {"threads": self.threads}
        request.write_text(json.dumps({"models": paths, "plan": plan}))
        return request

    def _ask(self, request: Path, on_progress: Progressing) -> dict[str, Any]:
        command = [sys.executable, "-P", str(self._script), "--serve", str(request)]
        log = request.with_name("log.txt")
        with log.open("w") as errors, _running(command, errors) as process:
            answer = self._listen(process, on_progress)
        if not answer:
            said = log.read_text(errors="replace").strip().splitlines() or ["nothing was said"]
            code = process.returncode
            raise StudioError(
                f"this computer: the measuring process ended early (exit {code}): {said[-1][:200]}",
                "Run it again; if it happens again, other programs may be using all memory.",
            )
        return answer

    def _listen(self, process: subprocess.Popen[str], on_progress: Progressing) -> dict[str, Any]:
        """The answer in the process's last line; {} if it ended without one."""
        stalled = threading.Event()

        def give_up() -> None:
            stalled.set()
            process.kill()

        assert process.stdout is not None, "started without a pipe"
        while True:
            watchdog = threading.Timer(self._stall_s, give_up)
            watchdog.daemon = True
            watchdog.start()
            line = process.stdout.readline()
            watchdog.cancel()
            if stalled.is_set():
                raise StudioError(
                    f"this computer: measuring must go on, but nothing happened for"
                    f" {self._stall_s:g} s, so it was ended.",
                    "Close other programs and run it again.",
                )
            if not line:
                process.wait()
                return {}
            message: dict[str, Any] = json.loads(line)
            if "done" not in message:
                return message
            on_progress(message["done"], "measuring on this computer")


@contextmanager
def _running(command: list[str], errors: IO[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, which does not outlive this block whatever happens in it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@lru_cache(maxsize=1)
def processor() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may compute on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
