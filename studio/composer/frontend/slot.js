// One block option of a stage: its fields, and each field's choices as chips.

import { chip, iconButton } from "./controls.js";
import { h } from "./dom.js";
import { isLocked, labelOf, offered } from "./edits.js";
import { colour, icon, picture } from "./icons.js";
import { chosen, ID } from "./model.js";
import { hint } from "./hint.js";
import { isOdd, oddValue, said } from "./odd.js";

const MOST_CHIPS = 48;

/** How the sentence about a field without any choice begins, here and from the server. */
export const EMPTY = "Choose at least one ";

const unknown = (name) => ({
  family: name,
  name,
  about: "a block that this studio does not know.",
  fields: [],
});

/** The family of a block, also of one that the catalogue does not have. */
export const familyOf = (view, block) =>
  view.families.get(block.block) ??
  unknown(said(isOdd(block) ? oddValue(block) : block.block));

/** One block option: its fields, and above them its name where there are several. */
export function slot(view, stage, { block, at, title, figures }) {
  const family = familyOf(view, block);
  const id = stage[ID];
  const name = h(
    "div",
    { class: "slot-name" },
    picture(family),
    h("span", {}, family.name),
    view.readonly
      ? null
      : iconButton("close", `Remove ${family.name}`, ["unblock", id, at, family.name]),
  );
  const fields = (family.fields ?? []).map((field) =>
    fieldRow(view, { id, at, block, field, family, figures, title }),
  );
  const empty = view.families.has(block.block)
    ? null
    : h("p", { class: "note" }, `${family.name}: ${family.about} It is kept as it is.`);
  return h(
    "div",
    { class: title ? "slot several" : "slot", style: { "--family": colour(family) } },
    title ? name : null,
    empty,
    h("div", { class: "fields" }, fields),
  );
}

function fieldRow(view, { id, at, block, field, family, figures, title }) {
  const now = chosen(block, field);
  const locked = isLocked(block, field);
  const disabled = view.readonly;
  const dead = (value) =>
    (figures.card?.dead ?? []).some((text) => calledAs(field, value).includes(text));
  const one = (value) =>
    chip({
      text: labelOf(field, value),
      label: `${field.label} ${labelOf(field, value)}`,
      on: now.includes(value),
      dead: now.includes(value) && dead(value),
      radio: locked,
      act: ["chip", { id, at, field, value }],
      disabled,
    });
  const label = title ? `${family.name}: ${field.label}` : field.label;
  const lock = iconButton(
    locked ? "locked" : "open",
    locked ? `${label}: fixed; give all choices back` : `${label}: fix to one value`,
    ["lock", { id, at, field }],
    { class: locked ? "lock on" : "lock", "aria-pressed": String(locked), disabled },
  );
  return h(
    "div",
    { class: now.length ? "field" : "field refused", "data-place": `${at} ${field.name}` },
    h(
      "div",
      { class: "label" },
      h("span", { "aria-hidden": "true" }, field.label),
      disabled ? null : lock,
    ),
    h(
      "div",
      { class: "chips", role: locked ? "radiogroup" : "group", "aria-label": label },
      offered(field, block).slice(0, MOST_CHIPS).map(one),
      field.free && !disabled ? freeValue(field, { id, at, label }) : null,
    ),
    hint(view, id, `${at} ${field.name}`),
    now.length
      ? null
      : h(
          "p",
          { class: "refusal" },
          icon("wrong"),
          `${EMPTY}${field.label.toLowerCase()}.`,
        ),
  );
}

// How the dead-weight list may call a value: "kernel 5" or "Kernel 5×5".
function calledAs(field, value) {
  return [`${field.name} ${value}`, `${field.label} ${labelOf(field, value)}`];
}

function freeValue(field, { id, at, label }) {
  const { least, most } = field.free;
  return h("input", {
    class: "chip free",
    inputmode: "decimal",
    autocomplete: "off",
    placeholder: "+",
    title: `Another value from ${least} to ${most}`,
    "aria-label": `${label}: another value from ${least} to ${most}`,
    act: ["free", { id, at, field }],
  });
}
