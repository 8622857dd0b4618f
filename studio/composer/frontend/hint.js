// What becomes of a number that was typed, where it is not what was typed: a sentence beside the
// field. It stays until the next change.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { counted } from "./odd.js";

/** "Head: Width (0: none)" speaks of the "Width". */
export const called = (label) => label.replace(/^.*?: /, "").replace(/ \(.*\)$/, "");

/** "Width is at most 4 096." of a value beyond its bounds or of none; "" for one within. */
export function bounds(label, value, { least, most }) {
  const name = called(label);
  const verb = /[^s]s$/.test(name) ? "are" : "is";
  if (Number.isNaN(value)) return within(label, least, most);
  if (value > most) return `${name} ${verb} at most ${counted(most)}.`;
  return value < least ? `${name} ${verb} at least ${counted(least)}.` : "";
}

/** The sentence about something that is no number, or none that is possible. */
export const within = (label, least, most) =>
  `${called(label)}: a number from ${counted(least)} to ${counted(most)} is needed.`;

/** The sentence, if it is about a field in this `place` of a card. */
export function hint(view, card, place) {
  const { hinted } = view;
  if (hinted?.card !== card || hinted.place !== place) return null;
  return h("p", { class: "hint" }, icon("wrong"), h("span", {}, hinted.text));
}
