// Where events enter: one listener per kind at the root, which finds the act of what was pressed.

import { ACTIONS, toggleSelection, TYPED } from "./actions.js";
import { closest } from "./dom.js";
import { Drag } from "./drag.js";
import { picture } from "./icons.js";
import { onKey } from "./keys.js";
import { blocksOf, order, position, titles } from "./model.js";
import { find, reach } from "./palette.js";
import { familyOf } from "./slot.js";

/** Connects a composer with the mouse, the finger, the pen and the keyboard. */
export function listen(composer) {
  const { top } = composer;
  top.addEventListener("click", (event) => onClick(composer, event));
  top.addEventListener("pointerdown", (event) => onPress(composer, event));
  top.addEventListener("change", (event) => onChange(composer, event));
  top.addEventListener("input", (event) => onInput(composer, event));
  top.addEventListener("focusin", (event) => onFocus(composer, event));
  top.addEventListener("keydown", (event) => onKey(composer, event));
}

const cardOf = (node) => closest(node, (one) => one.dataset?.card);

function onClick(composer, event) {
  if (composer.swallow) {
    composer.swallow = false;
    return;
  }
  const pressed = closest(event.target, (one) => one.act);
  if (pressed?.matches("input, textarea")) return;
  if (pressed && !pressed.disabled) {
    const [name, ...values] = pressed.act;
    ACTIONS[name]?.(composer, ...values, pressed);
    return;
  }
  const card = cardOf(event.target);
  if (card && !event.target.closest("button:disabled")) select(composer, card.dataset.card, event);
}

// A press on a card: this one only, or with Ctrl one more, or with Shift all up to this one.
function select(composer, name, event) {
  const ids = order(composer.doc);
  if (!ids.includes(name)) composer.selection = [];
  else if (event.ctrlKey || event.metaKey) return toggleSelection(composer, name);
  else if (event.shiftKey && composer.selection.length) {
    const ends = [position(composer.doc, composer.selection[0]), ids.indexOf(name)];
    const between = ids.slice(Math.min(...ends), Math.max(...ends) + 1);
    composer.selection = ends[0] > ends[1] ? between.reverse() : between;
  } else composer.selection = [name];
  composer.current = name;
  composer.visited = true;
  composer.draw();
}

function onPress(composer, event) {
  if (event.button !== 0 || composer.readonly || composer.drag) return;
  const handle = closest(event.target, (one) => one.dataset?.drag || one.dataset?.family);
  if (!handle) return;
  const { drag: id, family: name } = handle.dataset;
  const ids = id ? order(composer.doc).filter((one) => composer.together(id).includes(one)) : null;
  const family = name ? composer.families.get(name) : firstFamily(composer, id);
  const text = id ? titles(composer.doc, ids) : family.name;
  const source = id ? { ids } : { family: name };
  composer.drag = new Drag(event, { host: composer, source, picture: picture(family), text });
}

function firstFamily(composer, id) {
  const [block] = blocksOf(composer.doc.stages[position(composer.doc, id)]);
  return block ? familyOf(composer, block) : null;
}

function onChange(composer, event) {
  const [name, ...values] = event.target.act ?? [];
  TYPED[name]?.(composer, ...values, event.target);
}

function onInput(composer, event) {
  const name = event.target.act?.[0];
  if (name === "find") find(event.target.closest(".blocks"), event.target.value);
  if (name === "json") composer.panel.typed();
}

function onFocus(composer, event) {
  if (event.target.matches(".block")) reach(event.target);
  const name = cardOf(event.target)?.dataset.card;
  if (composer.drawing || !name) return;
  composer.visited = true;
  if (name === composer.current) return;
  composer.current = name;
  composer.draw();
}
