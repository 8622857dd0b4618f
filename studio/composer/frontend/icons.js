// The drawings: signs on buttons, and the picture of a block family from its outline. All SVG, all
// in the colour of the text around them; the family's colour fills, a line in ink bounds it.

import { s } from "./dom.js";

const PATHS = {
  grip: "M6 4h.01M10 4h.01M6 8h.01M10 8h.01M6 12h.01M10 12h.01",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  plus: "M8 3.5v9M3.5 8h9",
  minus: "M3.5 8h9",
  close: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  undo: "M6 4L3 7l3 3M3.5 7H10a3 3 0 010 6H7",
  redo: "M10 4l3 3-3 3M12.5 7H6a3 3 0 000 6h3",
  locked: "M4.5 7.5h7v5h-7zM6 7.5V5.2a2 2 0 014 0v2.3",
  open: "M4.5 7.5h7v5h-7zM6 7.5V5.2a2 2 0 013.9-.6",
  keys: "M2 4.5h12v7H2zM4.5 7h.01M7 7h.01M9.5 7h.01M12 7h.01M5.5 9.5h5",
  fold: "M4.5 3l3.5 3.5L11.5 3M4.5 13L8 9.5l3.5 3.5",
  unfold: "M4.5 6L8 2.5 11.5 6M4.5 10L8 13.5l3.5-3.5",
  wrong: "M8 2.5l6 11H2zM8 7v3M8 11.8h.01",
  json: "M6 3.5c-2.6 0-.6 4-3 4.5 2.4.5.4 4.5 3 4.5M10 3.5c2.6 0 .6 4 3 4.5-2.4.5-.4 4.5-3 4.5",
  list: "M3 4h.01M6 4h7M3 8h.01M6 8h7M3 12h.01M6 12h7",
};
const HEX = /^#[0-9a-f]{6}$/i;
const GREY = "#999999";
const SQUARE = [
  [-0.8, -0.6],
  [0.8, -0.6],
  [0.8, 0.6],
  [-0.8, 0.6],
];

/** A sign of 16 units; it says nothing to a screen reader, its button does. */
export function icon(name) {
  const dotted = name === "grip" || name === "more";
  return s(
    "svg",
    { class: dotted ? "icon dotted" : "icon", viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("path", { d: PATHS[name] }),
  );
}

/** The colour of a family, never anything but a hex colour. */
export function colour(family) {
  return HEX.test(family?.color ?? "") ? family.color : GREY;
}

/** The picture of a family: its outline filled with its colour. */
export function picture(family) {
  const given =
    Array.isArray(family?.outline) && family.outline.length > 2 ? family.outline : SQUARE;
  const points = given.map(([x, y]) => `${Number(x)},${Number(y)}`).join(" ");
  return s(
    "svg",
    { class: "picture", viewBox: "-1.15 -1.15 2.3 2.3", "aria-hidden": "true" },
    s("polygon", { points, fill: colour(family) }),
  );
}
