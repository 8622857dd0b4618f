// Things that open over the page: menus, the list of keys, the sheet with all blocks. They use the
// browser's own popover and dialog, which close on Escape and on a press outside.

import { h } from "./dom.js";
import { iconButton } from "./controls.js";
import { picture } from "./icons.js";
import { palette } from "./palette.js";

const MARGIN = 8;

export const KEYS = [
  ["↑ ↓", "next card; among the blocks the next block"],
  ["Home, End", "the first or the last of them"],
  ["Enter", "on a block: adds it"],
  ["Enter", "on a card: into it; Tab moves on inside"],
  ["Esc", "back to the card"],
  ["Space", "select a card, or not"],
  ["Shift ↑ ↓", "select several"],
  ["Ctrl A", "select all stages"],
  ["Alt ↑ ↓", "move"],
  ["Ctrl D", "duplicate"],
  ["Del", "delete"],
  ["Ctrl C, Ctrl V", "copy, paste"],
  ["Ctrl Z", "undo"],
  ["Ctrl Shift Z, Ctrl Y", "redo"],
  ["J", "the document as JSON"],
  ["← →", "next control inside a card"],
];

/** Opens `items` ({text, family, act, disabled}) below a button; arrow keys walk through them. */
export function openMenu(root, anchor, label, items) {
  const entry = ({ text, family, act, disabled }) =>
    h(
      "button",
      { class: "entry", type: "button", role: "menuitem", tabindex: "-1", act, disabled },
      family ? picture(family) : null,
      h("span", {}, text),
    );
  const menu = h(
    "div",
    { class: "menu", role: "menu", popover: "auto", "aria-label": label },
    items.map(entry),
  );
  menu.addEventListener("keydown", (event) => walk(event, menu));
  menu.addEventListener("click", (event) => {
    if (event.target.closest(".entry")) menu.hidePopover();
  });
  open(root, anchor, menu);
  menu.querySelector(".entry:not(:disabled)")?.focus();
}

function walk(event, menu) {
  const entries = [...menu.querySelectorAll(".entry:not(:disabled)")];
  const at = entries.indexOf(event.target);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") menu.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  entries.at(to % entries.length)?.focus();
}

/** The list of keys, below a button. */
export function openKeys(root, anchor) {
  const row = ([key, does]) => [h("dt", {}, key), h("dd", {}, does)];
  const list = h(
    "div",
    { class: "menu keys", role: "dialog", popover: "auto", "aria-label": "Keys", tabindex: "-1" },
    h("dl", {}, KEYS.map(row)),
  );
  open(root, anchor, list);
  list.focus();
}

function open(root, anchor, panel) {
  // The browser closes it on Escape as well, but gives the focus back only after the next key.
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    panel.hidePopover();
    anchor.focus?.({ preventScroll: true });
  });
  panel.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    const inside = panel.contains(root.activeElement);
    panel.remove();
    if (inside || !root.activeElement) anchor.focus?.();
  });
  root.querySelector(".over").append(panel);
  panel.showPopover();
  const from = anchor.getBoundingClientRect();
  const size = panel.getBoundingClientRect();
  const below = from.bottom + size.height + MARGIN < innerHeight;
  const top = below ? from.bottom + 4 : Math.max(MARGIN, from.top - size.height - 4);
  const left = Math.min(Math.max(MARGIN, from.left), innerWidth - size.width - MARGIN);
  panel.style.setProperty("top", `${top}px`);
  panel.style.setProperty("left", `${left}px`);
}

/** All blocks over the page, for narrow screens. */
export function openSheet(root, catalogue) {
  const sheet = h(
    "dialog",
    { class: "sheet", "aria-label": "Add a block" },
    h(
      "div",
      { class: "sheet-head" },
      h("b", {}, "Add a block"),
      iconButton("close", "Close", ["close"]),
    ),
    palette(catalogue, { act: "add", drag: false, id: "sheet" }),
  );
  sheet.addEventListener("close", () => sheet.remove());
  sheet.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    if (pressed || event.target === sheet) sheet.close();
  });
  root.querySelector(".over").append(sheet);
  sheet.showModal();
}
