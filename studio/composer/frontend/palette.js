// The blocks to choose from: beside the canvas where there is room, a strip above it where there is
// not, and as a list in a sheet. Pressing one adds it; dragging one puts it where it is dropped.

import { h } from "./dom.js";
import { picture } from "./icons.js";

const MANY = 8;

/** The catalogue as [group, families] in the order in which groups first appear. */
export function groups(catalogue) {
  const found = new Map();
  for (const family of catalogue) {
    const name = family.group || "Blocks";
    found.set(name, [...(found.get(name) ?? []), family]);
  }
  return [...found];
}

/** The palette; `drag`: whether its items can be dragged (in the sheet they are only pressed). */
export function palette(catalogue, { act, drag, id }) {
  const search = h("input", {
    class: "search",
    type: "search",
    placeholder: `Find one of ${catalogue.length} blocks`,
    "aria-label": "Find a block",
    autocomplete: "off",
    act: ["find"],
  });
  const group = ([name, families], index) =>
    h(
      "div",
      { class: "group" },
      h("p", { class: "group-name", id: `${id}-${index}` }, name),
      h(
        "ul",
        { "aria-labelledby": `${id}-${index}` },
        families.map((family, at) => {
          const block = item(family, { act, drag, first: index === 0 && at === 0 });
          return h("li", { "data-words": words(family) }, block);
        }),
      ),
    );
  return h(
    "div",
    { class: "blocks" },
    catalogue.length > MANY ? search : null,
    h(
      "div",
      { class: "groups", role: "toolbar", "aria-label": "Blocks" },
      groups(catalogue).map(group),
    ),
    h("p", { class: "none", hidden: true }, "No block is called that."),
  );
}

/** Makes `block` the one that Tab reaches; arrow keys walk to the others. */
export function reach(block) {
  for (const one of block.closest(".groups").querySelectorAll(".block")) one.tabIndex = -1;
  block.tabIndex = 0;
}

/** Whether `key` walks through the blocks; if so the focus goes on from `block`. */
export function walk(block, key) {
  const all = [...block.closest(".groups").querySelectorAll("li:not([hidden]) > .block")];
  const at = all.indexOf(block);
  const [before, after] = [Math.max(at - 1, 0), Math.min(at + 1, all.length - 1)];
  const keys = { ArrowUp: before, ArrowLeft: before, ArrowDown: after, ArrowRight: after };
  const to = { ...keys, Home: 0, End: all.length - 1 }[key];
  all[to]?.focus();
  return to !== undefined;
}

function item(family, { act, drag, first }) {
  const source = family.source ? ` (${family.source})` : "";
  return h(
    "button",
    {
      class: "block",
      type: "button",
      tabindex: first ? "0" : "-1",
      title: `${family.about ?? ""}${source}`,
      act: [act, family.family],
      "data-family": drag ? family.family : null,
    },
    picture(family),
    h(
      "span",
      { class: "block-words" },
      h("b", {}, family.name),
      h("span", { class: "about" }, family.about ?? ""),
    ),
  );
}

function words(family) {
  const all = [family.name, family.family, family.group, family.about, family.source];
  return all.join(" ").toLowerCase();
}

/** Shows only the blocks that have all words of the search. */
export function find(blocks, text) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const group of blocks.querySelectorAll(".group")) {
    const items = [...group.querySelectorAll("li")];
    for (const one of items) one.hidden = !wanted.every((word) => one.dataset.words.includes(word));
    group.hidden = items.every((one) => one.hidden);
    found += items.filter((one) => !one.hidden).length;
  }
  blocks.querySelector(".none").hidden = found > 0;
  const seen = [...blocks.querySelectorAll("li:not([hidden]) > .block")];
  if (seen.length && !seen.some((block) => block.tabIndex === 0)) reach(seen[0]);
}
