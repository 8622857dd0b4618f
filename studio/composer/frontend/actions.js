// What pressing and typing does: one entry per `act`, each given the composer, the values of the
// act, and the element that was pressed.

import * as edits from "./edits.js";
import { bounds, called, within } from "./hint.js";
import { numeric } from "./odd.js";
import {
  blocksOf,
  copies,
  duplicate,
  insert,
  order,
  partOf,
  position,
  remove,
  setFixed,
  shift,
  titles,
} from "./model.js";
import { ID } from "./model.js";
import { openKeys, openMenu, openSheet } from "./menu.js";
import { groups } from "./palette.js";

// An edit in a card: for all selected ones if it is one of them, else for it alone.
function edit(composer, id, make) {
  if (!composer.selection.includes(id)) composer.selection = [id];
  const [doc, why] = make(composer.doc, composer.together(id));
  composer.commit(doc, why);
}

const tidy = (value) => Math.round(value * 1e6) / 1e6;

function fixed(composer, card, name, value) {
  const { doc } = composer;
  const before = name === "classes" ? doc.classes : partOf(doc, card)[name];
  const field = composer.fixed[card].find((one) => one.name === name);
  const { least, most } = field;
  const from = () => edits.stepped(numeric(before, 0), value.by, least);
  const bounded = () => tidy(Math.min(Math.max(value.to ?? from(), least), most));
  const next = least === undefined ? value : bounded();
  const words = `${called(field.label).toLowerCase()} ${edits.labelOf(field, next)}`;
  const title = card[0].toUpperCase() + card.slice(1);
  if (next !== before) composer.commit(setFixed(doc, card, name, next), `${title}: ${words}`);
}

/** Deletes stages; the focus goes to what takes their place. */
export function deleteStages(composer, ids) {
  if (!ids.length) return;
  const at = position(composer.doc, ids[0]);
  const doc = remove(composer.doc, ids);
  const next = order(doc)[Math.min(at, doc.stages.length - 1)] ?? "stem";
  const why = `${titles(composer.doc, ids)} deleted`;
  composer.current = next;
  composer.commit(doc, why, { select: [], focus: next });
}

/** Duplicates stages behind themselves and selects the copies. */
export function duplicateStages(composer, ids) {
  if (!ids.length) return;
  const [doc, made] = duplicate(composer.doc, ids);
  const why = `${titles(composer.doc, ids)} duplicated`;
  composer.current = made[0];
  composer.commit(doc, why, { select: made, focus: made[0] });
}

/** Moves stages up (-1) or down (1). */
export function shiftStages(composer, ids, by) {
  if (!ids.length) return;
  const doc = shift(composer.doc, ids, by);
  if (order(doc).join() === order(composer.doc).join()) return;
  const first = order(doc).findIndex((id) => ids.includes(id)) + 1;
  const where = `position ${first} of ${doc.stages.length}`;
  composer.commit(doc, `${titles(composer.doc, ids)} moved to ${where}`);
}

/** Keeps copies of stages for pasting. */
export function copyStages(composer, ids) {
  if (!ids.length) return;
  composer.clipboard = composer.doc.stages.filter((stage) => ids.includes(stage[ID]));
  composer.voice.say(`${titles(composer.doc, ids)} copied`);
}

/** Puts copies of what was copied after the current card. */
export function pasteStages(composer) {
  if (!composer.clipboard.length) return;
  const twins = copies(composer.clipboard);
  const ids = twins.map((stage) => stage[ID]);
  const doc = insert(composer.doc, composer.gapAfterCurrent(), twins);
  composer.current = ids[0];
  composer.commit(doc, `${titles(doc, ids)} pasted`, { select: ids, focus: ids[0] });
}

/** Selects a stage or takes it out of the selection. */
export function toggleSelection(composer, id) {
  const { selection } = composer;
  const without = selection.filter((one) => one !== id);
  composer.selection = without.length < selection.length ? without : [...selection, id];
  composer.voice.say(`${composer.selection.length} stages selected`);
  composer.draw();
}

function stageMenu(composer, id, anchor) {
  const ids = composer.together(id);
  const all = order(composer.doc);
  const few = ids.length > 1 ? ` ${ids.length} stages` : "";
  const selected = composer.selection.includes(id);
  openMenu(composer.root, anchor, titles(composer.doc, [id]), [
    { text: `Move up${few}`, act: ["shift", id, -1], disabled: ids.includes(all[0]) },
    { text: `Move down${few}`, act: ["shift", id, 1], disabled: ids.includes(all.at(-1)) },
    { text: `Duplicate${few}`, act: ["duplicate", id] },
    { text: `Copy${few}`, act: ["copy", id] },
    { text: "Paste after", act: ["paste", id], disabled: !composer.clipboard.length },
    { text: selected ? "Take out of the selection" : "Select together", act: ["select", id] },
    { text: `Delete${few}`, act: ["delete", id] },
  ]);
}

function familyMenu(composer, id, anchor) {
  const stage = composer.doc.stages[position(composer.doc, id)];
  const there = new Set(blocksOf(stage).map((block) => block.block));
  const free = groups(composer.catalogue).flatMap(([, families]) => families);
  const items = free
    .filter((family) => !there.has(family.family))
    .map((family) => ({ text: family.name, family, act: ["option", id, family.family] }));
  const none = [{ text: "Every family is there already", disabled: true }];
  openMenu(composer.root, anchor, "Another family for this stage", items.length ? items : none);
}

function free(composer, target, element) {
  const value = tidy(Number.parseFloat(element.value.replace(",", ".")));
  const { least, most, step } = target.field.free;
  element.value = "";
  if (!(value >= least && value <= most)) {
    composer.hint(element, within(target.field.label, least, most));
    return;
  }
  const rounded = step ? tidy(Math.round(value / step) * step) : value;
  const meant = { ...target, value: rounded, families: composer.families };
  edit(composer, target.id, (doc, ids) => edits.setChip(doc, ids, meant));
}

export const ACTIONS = {
  chip: (c, target) =>
    edit(c, target.id, (doc, ids) => edits.setChip(doc, ids, { ...target, families: c.families })),
  lock: (c, target) =>
    edit(c, target.id, (doc, ids) => edits.setLock(doc, ids, { ...target, families: c.families })),
  width: (c, id, how) => edit(c, id, (doc, ids) => edits.setWidth(doc, ids, how)),
  depth: (c, id, end, how) => edit(c, id, (doc, ids) => edits.setDepth(doc, ids, end, how)),
  stride: (c, id, value) => edit(c, id, (doc, ids) => edits.setStride(doc, ids, value)),
  skip: (c, id, on) => edit(c, id, (doc, ids) => edits.setSkip(doc, ids, on)),
  layers: (c, id, value) => edit(c, id, (doc, ids) => edits.setLayers(doc, ids, value)),
  option: (c, id, name) =>
    edit(c, id, (doc, ids) => edits.addBlock(doc, ids, c.families.get(name))),
  unblock: (c, id, at, name) => c.commit(...edits.removeBlock(c.doc, id, at, name)),
  fixed: (c, card, name, value) => fixed(c, card, name, value),
  fold: (c, name) => {
    if (!c.folded.delete(name)) c.folded.add(name);
    c.folded = new Set(c.folded);
    c.draw();
  },
  "fold-all": (c, fold) => {
    c.folded = new Set(fold ? order(c.doc) : []);
    c.draw();
    c.voice.say(fold ? "All stages collapsed" : "All stages expanded");
  },
  undo: (c) => c.step("undo"),
  redo: (c) => c.step("redo"),
  heat: (c, name) => {
    c.wished = name;
    c.draw();
  },
  json: (c) => c.panel.toggle(),
  "json-show": (c) => c.panel.showFault(),
  "json-drop": (c) => c.panel.drop(),
  add: (c, name) => c.add(name, c.gapAfterCurrent()),
  sheet: (c) => openSheet(c.root, c.catalogue),
  keys: (c, element) => openKeys(c.root, element),
  menu: (c, id, element) => stageMenu(c, id, element),
  families: (c, id, element) => familyMenu(c, id, element),
  shift: (c, id, by) => shiftStages(c, c.together(id), by),
  duplicate: (c, id) => duplicateStages(c, c.together(id)),
  copy: (c, id) => copyStages(c, c.together(id)),
  paste: (c, id) => {
    c.selection = [id];
    pasteStages(c);
  },
  delete: (c, id) => deleteStages(c, c.together(id)),
  select: (c, id) => toggleSelection(c, id),
  "select-none": (c) => {
    c.selection = [];
    c.draw();
  },
};

/** Says that a number is at its least or its most already. */
export function atEnd(composer, element, end) {
  const { least, most } = element.act[1];
  const beyond = end === most ? Infinity : -Infinity;
  composer.hint(element, bounds(element.getAttribute("aria-label"), beyond, { least, most }));
}

/** What leaving a field with something typed does. */
export const TYPED = {
  typed: (c, { act, least, most }, element) => {
    const value = Number.parseFloat(element.value.replace(",", "."));
    const words = bounds(element.getAttribute("aria-label"), value, { least, most });
    if (Number.isFinite(value)) {
      element.value = String(Math.min(Math.max(value, least), most));
      // From here on it is the document's value, and drawing may replace it.
      element.defaultValue = element.value;
      ACTIONS[act[0]](c, ...act.slice(1), { to: value });
    }
    element.value = element.defaultValue;
    if (words) c.hint(element, words);
  },
  free: (c, target, element) => element.value.trim() && free(c, target, element),
  json: (c) => c.panel.flush(),
};
