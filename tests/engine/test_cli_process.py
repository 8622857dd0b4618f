"""Exit codes, one sentence per mistake, signals, faults and progress of the command line."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from engine.cli import studio as cli_studio
from engine.cli.main import cli
from engine.cli.progress import Lines, sentence
from engine.errors import InfeasibleLimit
from engine.events import Failed
from engine.store import Status
from tests.fake_worker import FOUND, SEARCH, worker

MISTAKES: list[tuple[Sequence[str], str]] = [
    ([], "Missing command. See onepath --help."),
    (["dream"], "No such command 'dream'"),
    (["space"], "Missing argument 'PRESET|FILE.json'. See onepath space --help."),
    (["space", "nope"], "space: must be a JSON file or one of attentivenas"),
    (["front", "x", "--workspace", "w"], "'x' is not a valid integer"),
    ([*SEARCH[:-8], "--workspace", "w", "--latency-ms", "fast"], "'fast' is not a valid float"),
    ([*SEARCH, "--workspace", "w", "--epochs", "1"], "epochs: must be a whole number from 3"),
    ([*SEARCH, "--workspace", "w", "--seed", "-1"], "seed: must be a whole number from 0"),
    ([*SEARCH, "--workspace", "w", "--latency-ms", "-1"], "latency limit: must be above 0 ms"),
    ([*SEARCH, "--workspace", "w", "--device", "phone"], "device: must be one of local"),
    ([*SEARCH, "--workspace", "w", "--data", "/nope"], "data: must be"),
    ([*SEARCH, "--workspace", "w", "--threads", "0"], "'--threads'"),
    ([*SEARCH, "--workspace", "/dev/null/w"], "/dev/null/w"),
    (["bench-onnx", "gone.onnx"], "file: gone.onnx cannot be read"),
    (["studio", "--host", "0.0.0.0"], "host: must be this computer"),
    (["studio", "--host", "example.org"], "host: must be this computer"),
]


@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES)
def test_a_mistake_is_one_line_on_stderr_and_exit_2(
    onepath,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: Sequence[str],
    sentence: str,
):
    monkeypatch.chdir(tmp_path)
    code, out, err = onepath(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("onepath: ")
    assert sentence in err
    assert not (tmp_path / "w/studio.db").exists()


def test_a_users_mistake_in_a_run_is_one_sentence_and_exit_2(does, onepath, tmp_path: Path):
    error = InfeasibleLimit("latency limit 1 ms: the fastest needs 6.3 ms.", "Ask for more.")
    does(worker(Failed(error.message, error.hint), code=2, state="failed"))
    code, out, err = onepath(*SEARCH, "--workspace", tmp_path / "w", "--json")
    assert (code, out) == (2, "")
    last = err.splitlines()[-1]
    assert last == "onepath: latency limit 1 ms: the fastest needs 6.3 ms. Ask for more."


def test_a_fault_in_a_run_is_one_sentence_with_the_log_and_exit_1(does, onepath, tmp_path: Path):
    failed = Failed("ZeroDivisionError: division by zero", "", "Traceback …")
    does(worker(failed, code=1, state="failed"))
    code, out, err = onepath(*SEARCH, "--workspace", tmp_path / "w", "--json")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].endswith(f"the log is {tmp_path / 'w/runs/1/worker.log'}")
    assert "Traceback" not in err


def test_every_command_of_the_contract_is_there():
    assert list(cli.commands) == [
        *("studio", "profile", "search", "resume", "front", "finetune", "export", "bench-onnx"),
        *("space", "compare", "trust", "why"),
    ]


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_and_option_says_what_it_does(command: str):
    assert cli.commands[command].help
    options = [p for p in cli.commands[command].params if isinstance(p, click.Option)]
    missing = [option.name for option in options if not option.help]
    assert missing in ([], ["port"], ["out"])


# -- signals and faults: in a process of their own ------------------------------------------------

ENDLESS = """
import signal, sys
import engine.worker
from engine.cli.main import main
from engine.store import Status

def execute(store, run_id, on_status):
    with store.hold(run_id):
        store.set_state(run_id, "running")
        on_status(Status("search", 0.0))
        while True:
            signal.pause()

engine.worker.execute = execute
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_search_can_be_resumed_and_says_how(
    does, onepath, tmp_path: Path, number: signal.Signals
):
    command = [sys.executable, "-c", ENDLESS, *SEARCH, "--workspace", str(tmp_path), "--json"]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "search 0 %\n"
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (128 + number, "")
    assert err == (
        f"onepath: stopped by {number.name}. Go on with: onepath resume 1 --workspace {tmp_path}\n"
    )
    does(worker(*FOUND))
    assert onepath("resume", "1", "--workspace", tmp_path)[0] == 0


BROKEN = """
import engine.cli.main
engine.cli.main.load_space = lambda text: 1 / 0
engine.cli.main.main()
"""


def test_a_fault_nobody_expected_is_one_sentence_with_a_log_and_exit_1(tmp_path: Path):
    command = [sys.executable, "-c", BROKEN, "space", "digits"]
    environment = {"TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (log,) = tmp_path.glob("onepath-*.log")
    assert done.stderr == (f"onepath: something broke (ZeroDivisionError); the log is {log}\n")
    assert "division by zero" in log.read_text()


def test_space_needs_no_torch_and_no_runtime():
    code = (
        "import sys; from engine.cli.main import outcome; assert outcome(['space', 'digits']) == 0;"
        "assert not {'torch', 'onnxruntime', 'onnx', 'sklearn', 'streamlit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# -- progress and the studio's server -------------------------------------------------------------


def test_plain_progress_is_one_line_per_phase_and_at_most_one_in_two_seconds():
    lines: list[str] = []
    now = [0.0]
    report = Lines(lines.append, lambda: now[0])
    for at, status in [
        (0.0, Status("data", 0.0)),
        (0.5, Status("data", 0.5)),
        (0.6, Status("search", 0.0)),
        (2.5, Status("search", 0.2)),
        (2.7, Status("search", 0.3)),
    ]:
        now[0] = at
        report(status)
    assert lines == ["data 0 %", "search 0 %", "search 30 %"]


def test_a_status_reads_as_a_sentence():
    status = Status("search", 0.43, 65.2, "epoch 17 of 40")
    assert sentence(status) == "search 43 %, 1:05 left, epoch 17 of 40"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_studio_listens_on_this_computer(host: str):
    cli_studio.require_loopback(host)


def test_a_port_in_use_is_a_sentence(onepath):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        code, _, err = onepath("studio", "--port", port)
    assert code == 2
    assert f"port: {port} on 127.0.0.1 cannot be used" in err
