"""`onepath …`: parse, call, print; what the commands do is in the engine, not here.

Exit code 0; 2 for a user's mistake, one sentence on stderr; 1 for a fault, one sentence that says
where the log is; 128 + the signal's number where a signal ended the command.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import click

import engine
from engine.cli import front as fronts
from engine.cli import output, runs
from engine.cli import studio as server
from engine.cli.asked import asked, begun
from engine.cli.compare import command as compare
from engine.cli.trust import trust
from engine.cli.why import why
from engine.cost import network_cost
from engine.errors import RunError, StudioError
from engine.front.limits import Limits
from engine.methods import DEFAULT, DEFAULT_FRONT, FRONTS, METHODS
from engine.presets import figures, load_space, names, summary
from engine.recipe import Recipe, with_usual_lr
from engine.spec import DeviceChoice, ExportSpec, ProfileSpec, TrainSpec

MODES = "; ".join(f"{name}: {', '.join(m.modes)}" for name, m in METHODS.items() if m.modes)
LIMITED = {
    "params": "parameters",
    "macs": "multiply-accumulates",
    "peak_bytes": "bytes of activations at once",
    "onnx_bytes": "bytes of ONNX file",
}

workspace_option = click.option(
    "--workspace",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the workspace; made if missing.",
)
space_option = click.option(
    "--space", required=True, metavar="PRESET|FILE.json", help="What may vary."
)
device_option = click.option(
    "--device", default="local", show_default=True, help="What latency is measured on."
)
threads_option = click.option(
    "--threads",
    default=1,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Threads it computes on.",
)
epochs_option = click.option("--epochs", type=int, help="Passes over the images.")
arch_option = click.option(
    "--arch", required=True, metavar="ARCH|best", help="An architecture; best: within the limit."
)


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options for limits beside latency, by the names of `Limits`."""
    for name, much in reversed(LIMITED.items()):
        option = f"--max-{name.replace('_', '-')}"
        words = f"At most so many {much}."
        command = click.option(option, name, type=click.IntRange(min=1), help=words)(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
run_argument = click.argument("run", type=click.IntRange(min=1))


@click.group(no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(engine.__version__, message="%(version)s")
def cli() -> None:
    """Single-path neural architecture search under a latency limit measured on your own device."""


@cli.command()
@click.option(
    "--workspaces",
    default="workspaces",
    envvar="ONEPATH_WORKSPACES",
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds the workspaces; made if missing.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
def studio(workspaces: Path, host: str, port: int) -> None:
    """Open the studio; Ctrl-C ends the server, searches that are running go on."""
    server.require_loopback(host)
    server.require_free(host, port)
    server.become(runs.made(workspaces), host, port)


@cli.command()
@workspace_option
@space_option
@device_option
@threads_option
@click.option("--fresh", is_flag=True, help="Measure again what was measured before.")
@json_option
def profile(
    folder: Path, space: str, device: str, threads: int, fresh: bool, as_json: bool
) -> None:
    """Measure a space's latency table and calibrate its prediction; no search."""
    spec = ProfileSpec(load_space(space)[0], chosen_device(device, threads), fresh)
    done = runs.start(runs.opened(folder), spec)
    output.show(output.profile(done), output.profile_text, as_json)


@cli.command()
@workspace_option
@click.option("--space", metavar="PRESET|FILE.json", help="What may vary.")
@click.option("--data", metavar="digits|cifar10[=PATH]|PATH", help="The images.")
@click.option("--device", show_default="local", help="What latency is measured on.")
@click.option("--latency-ms", "limit", required=True, type=float, help="Latency limit in ms.")
@click.option("--threads", show_default="1", type=click.IntRange(1, 256), help="Threads it uses.")
@click.option("--strategy", show_default=DEFAULT, metavar="|".join(METHODS), help="How to search.")
@click.option(
    "--mode", default="", help=f"How the strategy works, the first if not given: {MODES}."
)
@click.option(
    "--front-by",
    default=DEFAULT_FRONT,
    show_default=True,
    metavar="|".join(FRONTS),
    help="How the front is searched.",
)
@limit_options
@click.option("--recipe", default="", metavar="JSON", help='As {"lr": 0.05, "mixup": 0.2}.')
@epochs_option
@click.option("--seed", show_default="0", type=int, help="Seed of all randomness.")
@click.option(
    "--start",
    type=click.IntRange(min=1),
    metavar="RUN",
    help="Start from a network of this search (netadapt); what is not given is as there.",
)
@click.option("--arch", default="", metavar="ARCH|best", help="The network to start from.")
@json_option
def search(  # noqa: PLR0913 - one parameter per option
    folder: Path,
    space: str | None,
    data: str | None,
    device: str | None,
    limit: float,
    threads: int | None,
    recipe: str,
    front_by: str,
    start: int | None,
    arch: str,
    as_json: bool,
    **told: Any,
) -> None:
    """Search under a latency limit; prints the front and the best architecture within the limit."""
    from engine.data import parse_choice

    base = begun(folder, start, arch, limit_ms=limit)
    usual = base.device if base else DeviceChoice()
    limits = Limits(**{name: told.pop(name) for name in LIMITED})
    found: dict[str, Any] = {
        "space": load_space(space)[0] if space else None,
        "data": parse_choice(data) if data else None,
        "device": chosen_device(device or usual.name, threads or usual.threads),
        "latency_limit_ms": limit,
        "limits": limits if limits.asked() else None,
        "recipe": recipe_of(recipe),
        "front": front_by,
    }
    spec = asked(folder, base, found | told)
    done = runs.start(runs.opened(folder), spec)
    output.show(output.search(done), output.search_text, as_json)


@cli.command()
@run_argument
@runs.existing_option
@json_option
def resume(run: int, folder: Path, as_json: bool) -> None:
    """Go on with a search from its last checkpoint; prints what search prints."""
    done = runs.resume(runs.existing(folder), run)
    output.show(output.search(done), output.search_text, as_json)


@cli.command()
@run_argument
@runs.existing_option
@click.option("--latency-ms", "limit", type=float, help="Another latency limit in ms.")
@limit_options
@click.option("--pin", "pins", multiple=True, metavar="LAYER=OP,…", help="Choices a layer keeps.")
@click.option("--ban", "bans", multiple=True, metavar="LAYER=OP", help="Choices it must not have.")
@click.option("--like", default="", metavar="ARCH", help="Networks that differ little from this.")
@json_option
def front(
    run: int,
    folder: Path,
    limit: float | None,
    pins: tuple[str, ...],
    bans: tuple[str, ...],
    like: str,
    as_json: bool,
    **limits: int | None,
) -> None:
    """Print what a search has found so far, or the new front of other wishes, without training.

    Limits that are not given stay those of the search.
    """
    done = runs.searched(runs.existing(folder), run)
    asked = Limits(**limits)
    if limit is None and not (pins or bans or like or asked.asked()):
        output.show(output.search(done), output.search_text, as_json)
        return
    wish = fronts.wish(done, limit, asked, pins=pins, bans=bans, like=like)
    output.show(fronts.document(done, wish), fronts.text, as_json)


@cli.command()
@run_argument
@runs.existing_option
@arch_option
@epochs_option
@json_option
def finetune(run: int, folder: Path, arch: str, epochs: int | None, as_json: bool) -> None:
    """Train one architecture further from its shared weights; measures its test accuracy once."""
    workspace = runs.existing(folder)
    found = runs.searched(workspace, run)
    spec = TrainSpec(run, runs.chosen_arch(found, arch), seed=found.search.seed)
    spec = spec if epochs is None else replace(spec, epochs=epochs)
    done = runs.start(workspace, spec)
    output.show(output.finetune(done), output.finetune_text, as_json)


@cli.command()
@run_argument
@runs.existing_option
@arch_option
@click.option(
    "--out", required=True, metavar="FILE.zip", type=click.Path(path_type=Path, dir_okay=False)
)
@json_option
def export(run: int, folder: Path, arch: str, out: Path, as_json: bool) -> None:
    """Write one architecture as an archive: ONNX file, report, model card, benchmark."""
    if not out.absolute().parent.is_dir():
        raise StudioError(f"out: folder {out.absolute().parent} must exist.", "Make it first.")
    workspace = runs.existing(folder)
    spec = ExportSpec(run, runs.chosen_arch(runs.searched(workspace, run), arch))
    done = runs.start(workspace, spec)
    exported = runs.last_export(done)
    runs.copy_archive(workspace.folder / exported.archive, out)
    output.show(output.export(exported, out), output.export_text, as_json)


@cli.command("bench-onnx")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@threads_option
@json_option
def bench_onnx(file: Path, threads: int, as_json: bool) -> None:
    """Measure any ONNX image classifier on this computer."""
    with runs.interruptible("Start the same command again."):
        document = runs.bench(file, chosen_device("local", threads))
    output.show(document, output.bench_text, as_json)


@cli.command()
@click.argument("space", metavar="PRESET|FILE.json", required=False)
@click.option("--list", "listed", is_flag=True, help="List all presets instead.")
@json_option
@click.pass_context
def space(context: click.Context, space: str | None, *, listed: bool, as_json: bool) -> None:
    """Check a space; prints its size and its smallest and largest network."""
    if listed and space is not None:
        raise click.UsageError(f"--list takes no space, got {space!r}.", context)
    if listed:
        presets = {"presets": [summary(name) for name in names()]}
        output.show(presets, output.presets_text, as_json)
    elif space is None:
        raise click.MissingParameter(ctx=context, param=context.command.params[0])
    else:
        output.show(checked(space), output.space_text, as_json)


def checked(text: str) -> dict[str, Any]:
    """The document of `onepath space` for one space."""
    space, golden = load_space(text)
    costs = {
        "min": network_cost(space, space.smallest()),
        "max": network_cost(space, space.largest()),
    }
    ends = {name: {"params": cost.params, "macs": cost.macs} for name, cost in costs.items()}
    ours = figures(space)
    matches = all(ours[key] == value for key, value in golden.items()) if golden else None
    return {"size": space.size(), **ends, "golden": golden, "golden_matches": matches}


def recipe_of(text: str) -> Recipe | None:
    """The recipe in a JSON text, None for ""; RunError for anything that is none."""
    if not text:
        return None
    try:
        return Recipe(**with_usual_lr(json.loads(text)))
    except (ValueError, TypeError) as error:
        raise RunError(
            f"recipe: must be a JSON object of its fields ({error}), got {text!r}."
        ) from error


def chosen_device(name: str, threads: int) -> DeviceChoice:
    """The device so named, known to exist; StudioError if there is none of that name."""
    from engine.devices import DEVICES

    if name not in DEVICES:
        raise RunError(f"device: must be one of {', '.join(DEVICES)}, got {name!r}.")
    return DeviceChoice(name, threads)


cli.add_command(compare)
cli.add_command(trust)
cli.add_command(why)


def main() -> NoReturn:
    """Runs the command line and exits."""
    sys.excepthook = log_fault
    sys.exit(outcome(sys.argv[1:]))


def outcome(arguments: list[str]) -> int:
    """The exit code of one command; says in one sentence on stderr what was wrong, if anything."""
    try:
        code = cli.main(arguments, prog_name="onepath", standalone_mode=False)
        sys.stdout.flush()  # here, so that a closed pipe is met below and not while exiting
    except click.UsageError as error:
        known = error.ctx.command_path if error.ctx else "onepath"
        return refuse(f"{error.format_message()} See {known} --help.")
    except click.ClickException as error:
        return refuse(error.format_message())
    except StudioError as error:
        return refuse(str(error))
    except runs.Fault as fault:
        click.echo(f"onepath: {fault}", err=True)
        return 1
    except runs.Interrupted as stopped:
        click.echo(f"onepath: {stopped}", err=True)
        return 128 + stopped.number
    except click.Abort:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output went away: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return code if isinstance(code, int) else 0


def refuse(sentence: str) -> int:
    """Says what the user can do differently, on one line."""
    click.echo(f"onepath: {' '.join(sentence.split())}", err=True)
    return 2


def log_fault(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    """What Python calls for an error nobody expected: a log file and one sentence that names it."""
    with tempfile.NamedTemporaryFile("w", prefix="onepath-", suffix=".log", delete=False) as log:
        traceback.print_exception(kind, fault, trace, file=log)
    click.echo(f"onepath: something broke ({kind.__name__}); the log is {log.name}", err=True)
