// The canvas: a toolbar and the list of cards from the input to the head. Cards that show the same
// as before are left alone; the others are patched in place, those out of sight one frame later.

import { stageCard } from "./card.js";
import { iconButton, labelled } from "./controls.js";
import { h, patch } from "./dom.js";
import { fixedCard } from "./fixed.js";
import { heatSwitch } from "./found.js";
import { icon } from "./icons.js";
import { drawable, fewest, ID, maps } from "./model.js";
import { counted } from "./odd.js";

const MOST_DRAWN = 100;

/** Draws toolbar and cards into their places and remembers what each card last showed. */
export class Canvas {
  constructor() {
    this.bar = h("div", { class: "bar" });
    this.notes = h("div", { class: "notes" });
    this.list = h("ol", { class: "flow", "aria-label": "The network, from input to head" });
    this.line = h("div", { class: "drop-line", hidden: true });
    this.flow = h("div", { class: "flow-box" }, this.list, this.line);
    this.sums = h("p", { class: "sums", hidden: true });
    this.items = new Map();
    this.shown = new Map();
    this.late = new Map();
    this.seen = new Set();
    this.eye = new IntersectionObserver((entries) => this._see(entries), { rootMargin: "200px" });
  }

  _see(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.seen.add(target);
      else this.seen.delete(target);
    }
  }

  /** Brings the page up to `view`. */
  draw(view) {
    const bar = h("div", { class: "bar" }, toolbar(view));
    patch(this.bar, bar);
    patch(this.notes, h("div", { class: "notes" }, notes(view)));
    patch(this.sums, sums(view));
    const sizes = maps(view.doc);
    const wanted = parts(view);
    wanted.forEach(([name, make, at], index) =>
      this._draw(view, { name, make, index, map: sizes[at] }),
    );
    for (const [name, item] of this.items) {
      if (wanted.some(([one]) => one === name)) continue;
      this.eye.unobserve(item);
      item.remove();
      for (const kept of [this.items, this.shown, this.late]) kept.delete(name);
      this.seen.delete(item);
    }
    if (this.late.size) requestAnimationFrame(() => setTimeout(() => this._catchUp()));
  }

  // What could not be seen follows when the frame with the rest is on the screen.
  _catchUp() {
    const late = [...this.late.values()];
    this.late.clear();
    for (const fill of late) fill();
  }

  _draw(view, { name, make, index, map }) {
    const shows = dependsOn(view, name, map);
    let item = this.items.get(name);
    if (!item) {
      item = h("li", {});
      this.items.set(name, item);
      this.eye.observe(item);
    }
    const at = this.list.children[index];
    if (at !== item) this.list.insertBefore(item, at ?? null);
    const before = this.shown.get(name);
    if (before && before.length === shows.length && before.every((value, i) => value === shows[i]))
      return;
    this.shown.set(name, shows);
    const fill = () => patch(item, h("li", {}, reachable(view, name, make()), arrow(map)));
    this.late.delete(name);
    if (!before || this.seen.has(item) || view.current === name) fill();
    else this.late.set(name, fill);
  }

  /** The card of a stage or a fixed card. */
  card(name) {
    return this.items.get(name)?.querySelector(".card") ?? null;
  }
}

// What stands in the list: [name, how to make it, the index of the map below it].
function parts(view) {
  if (!drawable(view.doc)) return [["nothing", () => undrawn(), -1]];
  const { stages } = view.doc;
  const fixed = (name, at) => [name, () => fixedCard(view, name, view.figures(name)), at];
  const one = (stage, at) => [
    stage[ID],
    () => stageCard(view, stage, at, view.figures(stage[ID])),
    at + 2,
  ];
  const more = stages.length - MOST_DRAWN;
  return [
    fixed("input", 0),
    fixed("stem", 1),
    ...stages.slice(0, MOST_DRAWN).map(one),
    ...(stages.length && more <= 0 ? [] : [["nothing", () => nothing(view, more), -1]]),
    fixed("head", -1),
  ];
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
    view.hinted?.card === name && view.hinted,
    text,
    view.heat,
    view.readonly,
    view.families,
    view.fixed,
    name === "nothing" && (drawable(view.doc) || "odd"),
    map?.side,
    map?.channels,
  ];
}

// Tab reaches into the current card only.
function reachable(view, name, card) {
  if (view.current !== name) {
    for (const one of card.querySelectorAll("button, input")) one.tabIndex = -1;
  }
  return card;
}

function arrow(map) {
  if (!map) return null;
  const { side, channels } = map;
  const text = [side, side, channels].map(counted).join("×");
  return h(
    "div",
    { class: "map" },
    h("span", { class: "hidden" }, "map size "),
    h("span", {}, text),
  );
}

function nothing(view, more) {
  const words =
    more > 0
      ? `${more} more stages are not drawn.`
      : view.readonly
        ? "No stages."
        : "No stages yet. Drag a block here, or press one to add it.";
  return h("div", { class: "nothing" }, words);
}

function undrawn() {
  const words = "This document has no cards that can be drawn. Mend it as JSON, or undo.";
  return h("div", { class: "nothing" }, words);
}

// The figures of the X-ray that matter most, for screens where it is far away.
function sums(view) {
  const said = view.insight?.summary ?? [];
  const all = said.map((text) => h("span", {}, text));
  return h("p", { class: "sums", hidden: !all.length, "aria-label": "The space so far" }, all);
}

function toolbar(view) {
  const { undo, redo } = view.depth;
  const steps = (number) => `${number} ${number === 1 ? "step" : "steps"}`;
  const folded =
    view.doc.stages.length > 0 && view.doc.stages.every((stage) => view.folded.has(stage[ID]));
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
    iconButton("keys", "Keys", ["keys"], { "aria-haspopup": "dialog", class: "keys-button" }),
    h(
      "button",
      {
        class: "quiet json-button",
        type: "button",
        title: "The document as JSON (J)",
        "aria-label": "JSON",
        "aria-expanded": String(view.panel.open),
        act: ["json"],
      },
      icon("json"),
      h("span", {}, "JSON"),
    ),
    h("span", { class: "space" }),
    labelled("Share of", heatSwitch(view)),
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
