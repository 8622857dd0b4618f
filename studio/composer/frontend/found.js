// What the server found out about a card: errors in words, and its share of the cost.

import { percent } from "./controls.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

/** What a share can be a share of. */
export const HEAT = { latency: "latency", macs: "MACs", params: "parameters" };

/** Errors in words; said politely when they appear. */
export function problems(figures) {
  const one = (text) => h("p", { class: "problem" }, icon("wrong"), h("span", {}, text));
  return h(
    "div",
    { class: "problems", role: "alert", "aria-live": "polite" },
    figures.errors.map(one),
  );
}

/** The share of a card as a bar in the family's colour, and as a number. */
export function heat(view, figures) {
  const share = figures.card?.share?.[view.heat];
  if (share === undefined || share === null) return null;
  return h(
    "div",
    { class: "heat" },
    h("span", { class: "gauge", style: { "--share": Math.min(share, 1) } }),
    h("span", { class: "share" }, `${percent(share)} of ${HEAT[view.heat]}`),
  );
}
