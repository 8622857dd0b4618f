"""How a search is made, beside its limit, epochs and seed: strategy, front, further limits, recipe.

Everything has a usual value and lies in two expanders, whose names say what differs from it.
What cannot be is said in one sentence beside its field, and a search is not launched with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import streamlit as st

from engine.errors import StudioError
from engine.front.filter import Filter
from engine.front.limits import UNITS, Limits, limits_from
from engine.latency import LatencyModel
from engine.methods import DEFAULT, DEFAULT_FRONT, FRONTS, METHODS, require_method
from engine.recipe import AUGMENTS, OPTIMIZERS, Recipe, recipe_for
from engine.space import SearchSpace
from engine.workspace import Workspace
from studio import state

DOCUMENT = "method"
"""The workspace's document of what was chosen here when a search was last launched."""
GUESSED = 1000  # images, while nobody has read them
FRONT_TITLES = {"evolution": "Evolution", "linas": "Predictor"}
FIELDS = {
    "params": ("Parameters", "how many numbers a network may learn at most: 5000, for example"),
    "macs": (
        "MACs",
        "multiplications with addition for one image, at most: the arithmetic it takes",
    ),
    "peak_bytes": (
        "Peak memory in kB",
        "what goes into one layer and comes out of it, at most: weights do not count",
    ),
    "onnx_bytes": (
        "ONNX file in kB",
        "size of the exported file, at most: four bytes per parameter, and the graph",
    ),
}
ELSEWHERE = "What stands in the way is said beside its field, under Strategy or Training recipe."
SHARED = {
    "lr": ("Learning rate", "at the start; adamw and rmsprop want a hundredth of what sgd wants"),
    "batch": ("Batch", "images per step"),
    "weight_decay": ("Weight decay", "pulls weights towards 0"),
    "smoothing": ("Label smoothing", "share of a label given to the other classes"),
    "mixup": ("Mixup", "alpha of its beta distribution; 0 for none"),
}
ALONE = {
    "ema": ("Moving average", "decay of the average of weights that is judged; 0 for none"),
    "distill": ("Distillation", "share of the loss that follows the largest network; 0 for none"),
    "drop_path": ("Drop path", "probability for the last branch at the end; 0 for none"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen; `recipe` None is the usual one. `problems`: sentences, none if it can be."""

    strategy: str = DEFAULT
    mode: str = ""
    front: str = DEFAULT_FRONT
    limits: Limits = field(default_factory=Limits)
    recipe: Recipe | None = None
    problems: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", require_method(self.strategy, self.mode))


def draw(workspace: Workspace, model: LatencyModel, limit_ms: float) -> Choice:
    """Both expanders, and what they hold."""
    before = earlier(workspace)
    name = workspace.name
    label, recipe_label = _labels(name, before)
    with st.expander(label, icon=":material/schema:", key=f"search.method.{name}"):
        chosen = _strategy(name, before)
        limits, problems = _limits(workspace, model, limit_ms, before=before)
    with st.expander(recipe_label, icon=":material/model_training:", key=f"search.recipe.{name}"):
        recipe, more = _recipe(workspace, before)
    return replace(chosen, limits=limits, recipe=recipe, problems=(*problems, *more))


def earlier(workspace: Workspace) -> Choice:
    """What was chosen last; the usual if nothing was, or nothing that is still known."""
    document = workspace.store.document(DOCUMENT) or {}
    recipe = document.get("recipe")
    try:
        return Choice(
            strategy=str(document.get("strategy", DEFAULT)),
            mode=str(document.get("mode", "")),
            front=str(document.get("front", DEFAULT_FRONT)),
            limits=limits_from(document.get("limits", {})),
            recipe=None if recipe is None else Recipe(**recipe),
        )
    except (StudioError, TypeError):
        return Choice()


def save(workspace: Workspace, choice: Choice) -> None:
    """Keeps what was chosen for the next search of the workspace, if it is not the same."""
    if choice == replace(earlier(workspace), problems=choice.problems):
        return
    document = {
        "strategy": choice.strategy,
        "mode": choice.mode,
        "front": choice.front,
        "limits": choice.limits.asked(),
        "recipe": None if choice.recipe is None else choice.recipe.to_json(),
    }
    workspace.store.save(DOCUMENT, document)


def _labels(name: str, before: Choice) -> tuple[str, str]:
    """Names of the expanders: the strategy, how many limits, whether the recipe is the usual one.

    Widgets are drawn after them, so what they hold comes from the session.
    """
    held = st.session_state
    strategy = held.get(f"search.strategy.{name}") or before.strategy
    asked = before.limits.asked()
    values = [held.get(f"search.limit.{what}.{name}", asked.get(what)) for what in FIELDS]
    count = sum(value is not None for value in values)
    label = f"Strategy: {METHODS[strategy].title}"
    if count:
        label += f" · {count} more limit{'s' if count > 1 else ''}"
    changed = held.get(f"search.recipe.changed.{name}", before.recipe is not None)
    return label, f"Training recipe: {'changed' if changed else 'usual'}"


# -- the strategy -------------------------------------------------------------------------------


def _strategy(name: str, before: Choice) -> Choice:
    strategy = st.selectbox(
        "Strategy",
        list(METHODS),
        index=list(METHODS).index(before.strategy),
        format_func=lambda key: METHODS[key].title,
        key=f"search.strategy.{name}",
    )
    method = METHODS[strategy]
    st.caption(f"{method.says} Source: {method.source}.")
    modes = list(method.modes)
    usual = before.mode if strategy == before.strategy else modes[0]
    mode = st.segmented_control(
        "Mode",
        modes,
        default=usual,
        required=True,
        key=f"search.mode.{strategy}.{name}",
    )
    st.caption(_sentence(method.modes[mode or usual]))
    front = st.segmented_control(
        "How the front is searched",
        list(FRONTS),
        default=before.front,
        required=True,
        format_func=lambda key: FRONT_TITLES.get(key, key),
        key=f"search.front.{name}",
    )
    st.caption(f"{_sentence(FRONTS[front or before.front])} Only where networks share weights.")
    return Choice(strategy, str(mode or usual), str(front or before.front))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


# -- limits beside latency ----------------------------------------------------------------------


def _limits(
    workspace: Workspace, model: LatencyModel, limit_ms: float, *, before: Choice
) -> tuple[Limits, list[str]]:
    st.markdown("**Limits beside latency**")
    asked: dict[str, int] = {}
    problems: list[str] = []
    known = before.limits.asked()
    space = state.space(workspace)
    with st.grid(columns=2, min_column_width=180):
        for what, (label, help_text) in FIELDS.items():
            per = 1000 if what.endswith("bytes") else 1
            with st.container():
                value = st.number_input(
                    label,
                    value=known[what] // per if what in known else None,
                    step=1,
                    key=f"search.limit.{what}.{workspace.name}",
                    placeholder="no limit",
                    help=_sentence(help_text),
                )
                problem = _problem_of(what, value, per, at=(space, model))
                if problem:
                    st.error(problem)
                    problems.append(problem)
            if value is not None and not problem:
                asked[what] = int(value) * per
    limits = Limits(**asked)
    if len(asked) > 1 or (asked and not problems):
        together = _impossible(space, model, limit_ms, limits)
        if together:
            st.error(together)
            problems.append(together)
    return limits, problems


def _problem_of(
    what: str, value: int | None, per: int, *, at: tuple[SearchSpace, LatencyModel]
) -> str:
    """Why this limit cannot be, whatever the others are; "" if it can."""
    if value is None:
        return ""
    try:
        limits = Limits(**{what: int(value) * per})
    except StudioError as error:
        return _one(error, f"limit of {UNITS[what][0]}", FIELDS[what][0])
    space, model = at
    return _impossible(space, model, float("inf"), limits)


@st.cache_data(
    show_spinner=False,
    max_entries=256,
    hash_funcs={
        SearchSpace: SearchSpace.digest,
        LatencyModel: lambda m: f"{m.device_key} {m.space_digest} {m.constant_ms} {m.slowest_ms}",
        Limits: repr,
    },
)
def _impossible(space: SearchSpace, model: LatencyModel, limit_ms: float, limits: Limits) -> str:
    """Why next to no network keeps all limits; "" if enough do."""
    kept = Filter(space, model, limit_ms, limits)
    try:
        kept.require_possible("this computer")
    except StudioError as error:
        return _one(error)
    return ""


def _one(error: StudioError, place: str = "", called: str = "") -> str:
    """An error as a sentence beside its field, which has a name of its own there."""
    message = error.message.replace(place, called, 1) if place else error.message
    message = message[:1].upper() + message[1:]
    return f"{message} {error.hint}".strip()


# -- the recipe ---------------------------------------------------------------------------------


def _recipe(workspace: Workspace, before: Choice) -> tuple[Recipe | None, list[str]]:
    """The recipe if it is another than the usual one, and what is wrong with its fields."""
    images = state.dataset(workspace)
    usual = recipe_for(len(images.splits["weights"]) if images else GUESSED)
    if images is None:
        st.caption(
            "The usual recipe depends on how many images there are. They are not read yet: this is"
            " the one for a thousand."
        )
    # another usual recipe, as when images have been read, is another form
    name = f"{workspace.name}.{usual.digest()}"
    start = before.recipe or usual
    values: dict[str, Any] = {}
    problems: list[str] = []
    st.caption("For the shared weights of the search, and for networks that are trained alone:")
    with st.grid(columns=2, min_column_width=150):
        for what, known in (("optimizer", OPTIMIZERS), ("augment", AUGMENTS)):
            values[what] = st.selectbox(
                {"optimizer": "Optimiser", "augment": "Augmentation"}[what],
                known,
                index=known.index(getattr(start, what)),
                key=f"search.recipe.{what}.{name}",
            )
        problems += _numbers(name, SHARED, start, values)
    st.caption("Only for networks that are trained alone:")
    with st.grid(columns=2, min_column_width=150):
        problems += _numbers(name, ALONE, start, values)
    if problems:
        return before.recipe, problems
    recipe = Recipe(**values)
    st.session_state[f"search.recipe.changed.{workspace.name}"] = recipe != usual
    return (None if recipe == usual else recipe), []


def _numbers(
    name: str, fields: Mapping[str, tuple[str, str]], start: Recipe, values: dict[str, Any]
) -> Iterable[str]:
    """A field per number, its value into `values`; yields what is wrong, said beside the field."""
    problems = []
    for what, (label, help_text) in fields.items():
        first = getattr(start, what)
        whole = isinstance(first, int) and what == "batch"
        with st.container():
            values[what] = st.number_input(
                label,
                value=first if whole else float(first),
                step=1 if whole else None,
                format=None if whole else "%g",
                key=f"search.recipe.{what}.{name}",
                help=_sentence(help_text),
            )
            problem = _wrong(what, values[what], label)
            if problem:
                st.error(problem)
                problems.append(problem)
    return problems


def _wrong(what: str, value: float, label: str) -> str:
    try:
        Recipe(**{**asdict(Recipe()), what: value})
    except StudioError as error:
        return _one(error, f"recipe: {what}", f"{label}:")
    return ""
