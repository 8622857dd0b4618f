// The keyboard: everything the mouse can do. Keys count only while the focus is in the composer,
// and not while somebody types.

import { ACTIONS, copyStages, deleteStages, duplicateStages, pasteStages } from "./actions.js";
import { atEnd, shiftStages, toggleSelection } from "./actions.js";
import { order } from "./model.js";
import { walk } from "./palette.js";

const ARROWS = { ArrowUp: -1, ArrowDown: 1 };

/** Acts on a key; one that did something goes no further. */
export function onKey(composer, event) {
  if (event.defaultPrevented || composer.drag?.active) return;
  const { target } = event;
  if (target.matches("input, textarea")) {
    // Outside of the shadow root nobody can see that this is a field to type in.
    event.stopPropagation();
    inField(composer, event);
    return;
  }
  const done = target.closest(".over")
    ? inPalette(event)
    : everywhere(composer, event) ||
      inPanel(composer, event) ||
      inPalette(event) ||
      inCanvas(composer, event);
  if (!done) return;
  event.preventDefault();
  event.stopPropagation();
}

function inField(composer, event) {
  const { target, key } = event;
  if (inPanel(composer, event)) return event.preventDefault();
  const [name, values] = target.act ?? [];
  if (key in ARROWS && name === "typed") {
    event.preventDefault();
    const [action, ...rest] = values.act;
    target.value = target.defaultValue;
    const by = -ARROWS[key] * values.by;
    const end = by > 0 ? values.most : values.least;
    if (Number(target.value) === end) atEnd(composer, target, end);
    else ACTIONS[action](composer, ...rest, { by });
  } else if (key === "Escape" && name !== "find") {
    target.value = target.defaultValue;
    composer.focusCard(composer.current);
  } else if (key === "ArrowDown" && name === "find") {
    event.preventDefault();
    target.closest(".blocks").querySelector("li:not([hidden]) .block")?.focus();
  }
}

function everywhere(composer, event) {
  if (event.altKey) return false;
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey)) {
    if (key === "j") composer.panel.toggle();
    return key === "j";
  }
  if (key === "z") composer.step(event.shiftKey ? "redo" : "undo");
  else if (key === "y") composer.step("redo");
  else return false;
  return true;
}

function inPanel(composer, event) {
  if (event.key !== "Escape" || !event.target.closest(".panel")) return false;
  composer.panel.close();
  return true;
}

function inPalette(event) {
  const plain = !(event.ctrlKey || event.metaKey || event.altKey);
  return plain && event.target.matches(".block") && walk(event.target, event.key);
}

function inCanvas(composer, event) {
  const card = event.target.closest(".card");
  if (!card) return false;
  if (event.ctrlKey || event.metaKey) return withControl(composer, event);
  if (event.altKey) return withAlt(composer, event);
  if (event.key === "Delete" || event.key === "Backspace") {
    deleteStages(composer, composer.targets());
    return true;
  }
  return event.target === card ? onCard(composer, card, event) : insideCard(composer, card, event);
}

function withControl(composer, event) {
  const key = event.key.toLowerCase();
  if (key === "a") {
    composer.selection = order(composer.doc);
    composer.draw();
    composer.voice.say("All stages selected");
  } else if (key === "d") duplicateStages(composer, composer.targets());
  else if (key === "c" && getSelection().isCollapsed) copyStages(composer, composer.targets());
  else if (key === "v") pasteStages(composer);
  else return false;
  return true;
}

function withAlt(composer, event) {
  if (!(event.key in ARROWS)) return false;
  shiftStages(composer, composer.targets(), ARROWS[event.key]);
  composer.canvas.card(composer.current)?.scrollIntoView({ block: "nearest" });
  return true;
}

function onCard(composer, card, event) {
  const names = ["input", "stem", ...order(composer.doc), "head"];
  const at = names.indexOf(composer.current);
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: names.length - 1 }[event.key];
  if (to !== undefined) return go(composer, names[to], event.shiftKey);
  if (event.key === " ") {
    if (order(composer.doc).includes(composer.current)) toggleSelection(composer, composer.current);
  } else if (event.key === "Enter") controls(card)[0]?.focus();
  else if (event.key === "Escape") ACTIONS["select-none"](composer);
  else return false;
  return true;
}

function go(composer, name, extend) {
  if (!name) return true;
  const both = [composer.current, name].filter((one) => order(composer.doc).includes(one));
  if (extend) composer.selection = [...new Set([...composer.selection, ...both])];
  composer.current = name;
  composer.draw();
  composer.focusCard(name);
  return true;
}

function insideCard(composer, card, event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by) {
    const all = controls(card);
    all[(all.indexOf(event.target) + by + all.length) % all.length]?.focus();
  } else if (event.key === "Escape") card.focus();
  else return false;
  return true;
}

const controls = (card) => [
  ...card.querySelectorAll("button:not(:disabled), input:not(:disabled)"),
];
