// The canvas: a toolbar and the list of cards from the input to the head. Cards that show the same
// as before are left alone; the others are patched in place.

import { stageCard } from "./card.js";
import { iconButton, labelled, oneOf } from "./controls.js";
import { h, patch } from "./dom.js";
import { fixedCard } from "./fixed.js";
import { HEAT } from "./found.js";
import { icon } from "./icons.js";
import { fewest, ID, maps } from "./model.js";

/** Draws toolbar and cards into their places and remembers what each card last showed. */
export class Canvas {
  constructor() {
    this.bar = h("div", { class: "bar" });
    this.notes = h("div", { class: "notes" });
    this.list = h("ol", { class: "flow", "aria-label": "The network, from input to head" });
    this.line = h("div", { class: "drop-line", hidden: true });
    this.flow = h("div", { class: "flow-box" }, this.list, this.line);
    this.items = new Map();
    this.shown = new Map();
  }

  /** Brings the page up to `view`. */
  draw(view) {
    const bar = h("div", { class: "bar" }, toolbar(view));
    patch(this.bar, bar);
    patch(this.notes, h("div", { class: "notes" }, notes(view)));
    const sizes = maps(view.doc);
    const { stages } = view.doc;
    const wanted = [
      ...["input", "stem"].map((name, at) => [
        name,
        () => fixedCard(view, name, view.figures(name)),
        at,
      ]),
      ...stages.map((stage, at) => [
        stage[ID],
        () => stageCard(view, stage, at, view.figures(stage[ID])),
        at + 2,
      ]),
      ...(stages.length ? [] : [["nothing", () => nothing(view), -1]]),
      ["head", () => fixedCard(view, "head", view.figures("head")), -1],
    ];
    wanted.forEach(([name, make, at], index) =>
      this._draw(view, { name, make, index, map: sizes[at] }),
    );
    for (const [name, item] of this.items) {
      if (wanted.some(([one]) => one === name)) continue;
      item.remove();
      this.items.delete(name);
      this.shown.delete(name);
    }
  }

  _draw(view, { name, make, index, map }) {
    const shows = dependsOn(view, name, map);
    let item = this.items.get(name);
    if (!item) {
      item = h("li", {});
      this.items.set(name, item);
    }
    const at = this.list.children[index];
    if (at !== item) this.list.insertBefore(item, at ?? null);
    const before = this.shown.get(name);
    if (before && before.length === shows.length && before.every((value, i) => value === shows[i]))
      return;
    this.shown.set(name, shows);
    const card = make();
    if (view.current !== name) {
      for (const control of card.querySelectorAll("button, input")) control.tabIndex = -1;
    }
    patch(item, h("li", {}, card, map ? arrow(map) : null));
  }

  /** The card of a stage or a fixed card. */
  card(name) {
    return this.items.get(name)?.querySelector(".card") ?? null;
  }
}

// Everything that one card's look is made of; equal lists mean that nothing has to be drawn.
function dependsOn(view, name, map) {
  const index = view.doc.stages.findIndex((stage) => stage[ID] === name);
  const stage = view.doc.stages[index];
  const part = stage ?? (name === "input" ? view.doc.input : view.doc[name]);
  const { text } = view.figures(name);
  return [
    part,
    index,
    view.doc.classes,
    view.doc.stages.length,
    stage ? fewest(view.doc, index) : 0,
    view.current === name,
    view.selection.includes(name),
    view.folded.has(name),
    text,
    view.heat,
    view.readonly,
    view.families,
    view.fixed,
    map?.side,
    map?.channels,
  ];
}

function arrow({ side, channels }) {
  const text = `${side}×${side}×${channels}`;
  return h(
    "div",
    { class: "map" },
    h("span", { class: "hidden" }, "map size "),
    h("span", {}, text),
  );
}

function nothing(view) {
  const words = view.readonly
    ? "No stages."
    : "No stages yet. Drag a block here, or press one to add it.";
  return h("div", { class: "nothing" }, words);
}

function toolbar(view) {
  const { undo, redo } = view.depth;
  const steps = (number) => `${number} ${number === 1 ? "step" : "steps"}`;
  const folded =
    view.doc.stages.length > 0 && view.doc.stages.every((stage) => view.folded.has(stage[ID]));
  const options = Object.entries(HEAT).map(([name, text]) => [
    name,
    text === "parameters" ? "params" : text,
    text,
  ]);
  return [
    iconButton("undo", `Undo (${steps(undo)})`, ["undo"], {
      disabled: view.readonly || !undo,
      "data-steps": undo,
    }),
    iconButton("redo", `Redo (${steps(redo)})`, ["redo"], {
      disabled: view.readonly || !redo,
      "data-steps": redo,
    }),
    h("span", { class: "rule" }),
    iconButton(folded ? "unfold" : "fold", folded ? "Expand all" : "Collapse all", [
      "fold-all",
      !folded,
    ]),
    iconButton("keys", "Keys", ["keys"], { "aria-haspopup": "dialog" }),
    h("span", { class: "space" }),
    labelled(
      "Share of",
      oneOf({
        label: "Bars on the cards show the share of",
        options,
        value: view.heat,
        act: ["heat"],
      }),
    ),
  ];
}

function notes(view) {
  const { errors } = view.figures("space");
  const one = (text) => h("p", { class: "problem" }, icon("wrong"), h("span", {}, text));
  const together =
    view.selection.length > 1 && !view.readonly
      ? h(
          "p",
          { class: "together" },
          h("b", {}, `${view.selection.length} stages selected`),
          h("span", {}, " – a change in one of them changes all. "),
          h("button", { class: "quiet", type: "button", act: ["select-none"] }, "Select none"),
        )
      : null;
  const wrong = h("div", { role: "alert", "aria-live": "polite" }, errors.map(one));
  return [wrong, together];
}
