// One composer on a page: what is shown, selected and remembered, and how a change comes about.
// Changes go one way: an action makes a new document, `commit` keeps the old one for undo, sends
// the new one, draws it and says what was done.

import { announcer } from "./announce.js";
import { Canvas } from "./canvas.js";
import { covered, h } from "./dom.js";
import { standard } from "./fixed.js";
import { entries, measured } from "./found.js";
import * as history from "./history.js";
import { iconButton } from "./controls.js";
import {
  adopt,
  byName,
  ID,
  insert,
  move,
  newStage,
  order,
  plain,
  position,
  titles,
} from "./model.js";
import { palette } from "./palette.js";
import { Panel } from "./panel.js";
import { canonical, Sync } from "./sync.js";
import { listen } from "./listen.js";

const ORDERS = 100;
const CALM = "(prefers-reduced-motion: reduce)";
const NOTHING = { card: null, errors: [], text: "" };
const memory = new Map(); // what a composer knew when its page was left, by its place

/** Holds one composer's state; `place` names where it is, for finding its undo steps again. */
export class Composer {
  constructor(root, place) {
    Object.assign(this, { root, place, doc: null, history: history.empty(), insight: null });
    Object.assign(this, { selection: [], current: null, folded: new Set(), wished: "" });
    Object.assign(this, { catalogue: [], families: new Map(), fixed: {}, readonly: false });
    Object.assign(this, {
      orders: new Map(),
      clipboard: [],
      drag: null,
      waiting: null,
      visited: false,
      measured: false,
      hinted: null,
    });
    this.sync = new Sync((value) => this.setStateValue("doc", value));
    this.canvas = new Canvas();
    this.voice = announcer();
    this.shelf = h("div", { class: "shelf" });
    const { bar, notes, flow, sums } = this.canvas;
    this.panel = new Panel(this);
    const main = h("div", { class: "main" }, bar, notes, flow, sums);
    const work = h("div", { class: "work" }, main, this.panel.element);
    this.frame = h("div", { class: "layout" }, this.shelf, work);
    // The style sheet makes it visible: until it has come, there is nothing worth seeing.
    const composer = h("div", { class: "composer", style: { visibility: "hidden" } }, this.frame);
    this.top = h("div", { class: "top" }, composer, this.voice.region, h("div", { class: "over" }));
    root.append(this.top);
    listen(this);
  }

  /** Takes what the server sent; while something is in the air it has to wait. */
  update(data, setStateValue) {
    this.setStateValue = setStateValue;
    if (this.drag?.active) {
      this.waiting = data;
      return;
    }
    this._catalogue(data);
    this.insight = data.insight ?? null;
    this.measured = measured(this.insight) ?? this.measured;
    this.found = new Map();
    this.readonly = Boolean(data.readonly);
    this.top.style.setProperty("--covered", `${covered()}px`);
    this.inside = Boolean(data.inside);
    if (this.sync.receive(data.rev, data.doc, data.base)) this._adopt(data.doc);
    this.draw();
  }

  _catalogue({ catalogue = [], fixed = {} }) {
    const text = JSON.stringify([catalogue, fixed]);
    if (text === this.catalogueText) return;
    this.catalogueText = text;
    this.catalogue = catalogue;
    this.families = byName(catalogue);
    this.fixed = { ...standard(catalogue), ...fixed };
    const all = iconButton("list", "All blocks", ["sheet"], { class: "all" });
    this.shelf.replaceChildren(all, palette(catalogue, { act: "add", drag: true, id: "shelf" }));
  }

  _adopt(doc) {
    const known = this.doc === null ? memory.get(this.place) : null;
    if (known && canonical(plain(known.doc)) === canonical(doc)) {
      for (const name of ["doc", "history", "folded", "wished"]) this[name] = known[name];
    } else {
      if (this.doc) this.history = history.push(this.history, this.doc, "another document");
      this.doc = adopt(doc, this.doc);
    }
    this._settle();
  }

  /** Makes `doc` the document, with `why` in words; `select` and `focus` say what comes after. */
  commit(doc, why, { select, focus } = {}) {
    if (this.readonly || doc === this.doc) return;
    this.history = history.push(this.history, this.doc, why);
    this._take(doc, why, select);
    if (focus) this.focusCard(focus);
  }

  /** One step back or forward. */
  step(direction) {
    const step = this.readonly ? null : history[direction](this.history, this.doc);
    if (!step) return;
    this.history = step[0];
    this._take(step[1], `${direction === "undo" ? "Undone" : "Redone"}: ${step[2]}`);
  }

  _take(doc, why, select) {
    this.doc = doc;
    this.hinted = null;
    if (select) this.selection = select;
    this.sync.emit(plain(doc), why);
    this._settle();
    this.draw();
    this.voice.say(why);
  }

  /** Says beside a field, and aloud, what became of what was typed there. */
  hint(element, text) {
    const card = element.closest(".card").dataset.card;
    this.hinted = { card, place: element.closest("[data-place]")?.dataset.place, text };
    this.draw();
    this.voice.say(text);
  }

  // Selection and focus may only speak of stages that exist.
  _settle() {
    const ids = order(this.doc);
    this.orders.set(this.sync.rev, ids);
    if (this.orders.size > ORDERS) this.orders.delete(this.orders.keys().next().value);
    this.selection = this.selection.filter((id) => ids.includes(id));
    const names = ["input", "stem", ...ids, "head"];
    if (!names.includes(this.current)) this.current = ids[0] ?? "stem";
  }

  /** Brings the page up to date; what has the focus keeps it. */
  draw() {
    const focused = this.root.activeElement;
    this.drawing = true;
    this.frame.classList.toggle("readonly", this.readonly);
    this.frame.classList.toggle("inside", this.inside);
    this.frame.classList.toggle("stale", this.stale);
    this.frame.classList.toggle("with-json", this.panel.open);
    this.canvas.draw(this);
    this.panel.draw();
    if (focused && focused !== this.root.activeElement) {
      const still = focused.isConnected && !focused.disabled;
      (still ? focused : this.canvas.card(this.current))?.focus({ preventScroll: true });
    }
    this.drawing = false;
  }

  /** Whether the figures are those of an older document; until the answer comes they are dimmed. */
  get stale() {
    return this.insight !== null && this.insight.rev !== this.sync.rev;
  }

  /** What the bars show: what was wished for, and latency only where the device was measured. */
  get heat() {
    const wished = this.wished || "latency";
    return wished === "latency" && !this.measured ? "macs" : wished;
  }

  /** How many steps can be taken back and forward. */
  get depth() {
    return { undo: this.history.past.length, redo: this.history.future.length };
  }

  /** What the server last computed for a card: the figures, errors, and both as text. */
  figures(name) {
    const { insight } = this;
    if (!insight) return NOTHING;
    const ids = this.orders.get(insight.rev) ?? order(this.doc);
    const at = ids.indexOf(name);
    const key = at < 0 ? name : `stage ${at + 1}`;
    if (!this.found.has(key)) this.found.set(key, entries(insight, key));
    return this.found.get(key);
  }

  /** The stages that an action in the card of `id` is meant for. */
  together(id) {
    return this.selection.includes(id) ? this.selection : [id];
  }

  /** The stages that a key is meant for: the selected ones, or the one with the focus. */
  targets() {
    if (position(this.doc, this.current) < 0) return this.selection;
    return this.together(this.current);
  }

  /** Where a new stage belongs: after the card somebody was last at, or at the end. */
  gapAfterCurrent() {
    const { stages } = this.doc;
    const chosen = this.selection.map((id) => position(this.doc, id));
    if (chosen.length) return Math.max(...chosen) + 1;
    if (!this.visited || this.current === "head") return stages.length;
    return position(this.doc, this.current) + 1;
  }

  /** A new stage of a family before position `gap`. */
  add(name, gap, focus = true) {
    const family = this.families.get(name);
    if (!family) return;
    const stage = newStage(this.doc, gap, family);
    const why = `${family.name} added as stage ${gap + 1} of ${this.doc.stages.length + 1}`;
    this.current = stage[ID];
    this.commit(insert(this.doc, gap, [stage]), why, { select: [stage[ID]] });
    if (focus) this.focusCard(stage[ID]);
    this.canvas.card(stage[ID])?.scrollIntoView({ block: "nearest" });
    if (focus) this._greet(stage[ID]);
  }

  // A new card stands out for a moment; where nothing shall move, the ring of the selection does.
  _greet(id) {
    if (matchMedia(CALM).matches) return;
    const glow = "color-mix(in srgb, var(--chosen) 26%, var(--ground))";
    this.canvas.card(id)?.animate([{ background: glow }, {}], { duration: 900, easing: "ease-out" });
  }

  /** Stages to another gap. */
  moveTo(ids, gap) {
    const doc = move(this.doc, ids, gap);
    const [before, after] = [order(this.doc), order(doc)];
    if (before.join() === after.join()) return;
    const from = titles(this.doc, ids);
    const to = after.indexOf(ids.find((id) => id === after.find((one) => ids.includes(one)))) + 1;
    this.commit(doc, `${from} moved to position ${to} of ${after.length}`);
  }

  focusCard(name) {
    this.canvas.card(name)?.focus();
  }

  // -- for a drag ----------------------------------------------------------------------------------

  /** The cards of the stages in order. */
  cards() {
    return order(this.doc).flatMap((id) => this.canvas.card(id) ?? []);
  }

  lifted(source, on) {
    for (const id of source.ids ?? []) this.canvas.card(id)?.classList.toggle("lifted", on);
    this.frame.classList.toggle("dragging", on);
  }

  /** After a drag: takes the drop, if any, and then what came from the server meanwhile. */
  dropped(drop) {
    this.swallow = true;
    setTimeout(() => (this.swallow = false));
    if (drop?.source.family) this.add(drop.source.family, drop.gap, false);
    else if (drop) this.moveTo(drop.source.ids, drop.gap);
    if (drop) this._fall(drop.source.family ? this.current : drop.source.ids[0], drop.from);
    const { waiting } = this;
    this.waiting = null;
    if (waiting) this.update(waiting, this.setStateValue);
  }

  // The card falls into its place from where it was let go.
  _fall(id, from) {
    const card = this.canvas.card(id);
    if (!card || matchMedia(CALM).matches) return;
    const to = card.getBoundingClientRect();
    const start = `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
    card.animate(
      [
        { transform: start, opacity: 0.6 },
        { transform: "none", opacity: 1 },
      ],
      {
        duration: 160,
        easing: "cubic-bezier(.2,.8,.3,1)",
      },
    );
  }

  /** Leaves the page; the way back remembers the steps. */
  stop() {
    this.panel.flush();
    const { doc, history: steps, folded, wished } = this;
    memory.set(this.place, { doc, history: steps, folded, wished });
    this.sync.stop();
    this.top.remove();
  }
}
