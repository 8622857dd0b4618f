// What the server found out about a card: errors in words, and its share of the cost.

import { oneOf, percent } from "./controls.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

/** What a share can be a share of. */
export const HEAT = { latency: "latency", macs: "MACs", params: "parameters" };

const UNMEASURED = "latency: the device is not measured yet";

/** The entries of one card in what the server computed: the figures, errors, and both as text. */
export function entries(insight, key) {
  const card = insight.cards?.[key] ?? null;
  const own = (insight.errors ?? []).filter((error) => error.card === key);
  const errors = own.map(({ text }) => withoutPlace(text, key));
  return { card, errors, text: JSON.stringify([card, errors]) };
}

// The card itself says which one it is.
function withoutPlace(text, key) {
  const place = `${key}: `;
  const rest = text.toLowerCase().startsWith(place) ? text.slice(place.length) : text;
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}

/** Whether any card has a share of the latency; null where no card has any share. */
export function measured(insight) {
  const shares = Object.values(insight?.cards ?? {}).flatMap(({ share }) => share ?? []);
  return shares.length ? shares.some(({ latency }) => typeof latency === "number") : null;
}

/** The switch between the shares. */
export function heatSwitch(view) {
  const options = Object.entries(HEAT).map(([name, text]) => {
    const off = name === "latency" && !view.measured;
    return [name, text === "parameters" ? "params" : text, off ? UNMEASURED : text, off];
  });
  const label = "Bars on the cards show the share of";
  return oneOf({ label, options, value: view.heat, act: ["heat"] });
}

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
    h(
      "span",
      { class: "share", title: `Share of the ${HEAT[view.heat]} of the median network` },
      `${percent(share)} of ${HEAT[view.heat]}`,
      h("span", { class: "hidden" }, " of the median network"),
    ),
  );
}
