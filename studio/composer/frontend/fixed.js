// The cards that every network has: input, stem and head. Their controls are data; the server may
// send other ones (`data.fixed`) when a stem or a head learns something new.

import { labelled, oneOf, stepper } from "./controls.js";
import { h } from "./dom.js";
import { labelOf } from "./edits.js";
import { heat, problems } from "./found.js";
import { hint } from "./hint.js";
import { icon } from "./icons.js";
import { partOf } from "./model.js";
import { counted, said } from "./odd.js";

const number = (name, label, least, most, step = 1) => ({ name, label, least, most, step });
const pick = (name, label, values, labels) => ({ name, label, values, labels });

/** Names of the fixed cards; the first two stand above the stages. */
export const FIXED = ["input", "stem", "head"];

const TITLES = { input: "Input", stem: "Stem", head: "Head" };
const ABOUT = {
  input: "what the network sees",
  stem: "the first convolution, never searched",
  head: "from the last map to the answer",
};
const SQUARES = [
  [1, 3, 5, 7],
  ["1×1", "3×3", "5×5", "7×7"],
];

/** The controls where the server sends none; activations are those that the catalogue offers. */
export function standard(catalogue) {
  const acts = catalogue.flatMap((family) =>
    (family.fields ?? []).filter(({ name }) => name === "act"),
  );
  const known = new Map(
    acts.flatMap(({ values, labels }) => values.map((v, i) => [v, labels?.[i] ?? v])),
  );
  const act =
    known.size > 1 ? [pick("act", "Activation", [...known.keys()], [...known.values()])] : [];
  return {
    input: [
      number("size", "Side", 4, 1024, 8),
      pick("channels", "Channels", [1, 3]),
      number("classes", "Classes", 2, 10000),
    ],
    stem: [
      number("width", "Width", 1, 4096, 8),
      pick("kernel", "Kernel", ...SQUARES),
      pick("stride", "Stride", [1, 2]),
      ...act,
    ],
    head: [
      number("width", "Width", 0, 8192, 8),
      number("hidden", "Hidden", 0, 8192, 8),
      number("dropout", "Dropout", 0, 0.95, 0.05),
      ...act,
    ],
  };
}

/** The card of the input, the stem or the head. */
export function fixedCard(view, name, figures) {
  const part = partOf(view.doc, name);
  const values = name === "input" ? { ...part, classes: view.doc.classes } : part;
  const folded = view.folded.has(name);
  const kind = name === "head" && values.kind ? ` · ${said(values.kind)}` : "";
  const shown = (view.fixed[name] ?? []).filter(
    ({ name: key }) => key in values || key !== "hidden",
  );
  return h(
    "div",
    {
      class: `card fixed${figures.errors.length ? " wrong" : ""}`,
      role: "group",
      "data-card": name,
      tabindex: view.current === name ? "0" : "-1",
      "aria-label": `${TITLES[name]}${folded ? ", collapsed" : ""}`,
    },
    h(
      "div",
      { class: "head" },
      h("button", foldProps(name, folded), icon(folded ? "right" : "down")),
      h(
        "span",
        { class: "title" },
        h("b", {}, TITLES[name]),
        h("span", { class: "names" }, `${ABOUT[name]}${kind}`),
      ),
    ),
    folded
      ? h(
          "p",
          { class: "summary" },
          shown
            .map((field) => `${field.label.toLowerCase()} ${words(field, values[field.name])}`)
            .join(" · "),
        )
      : h(
          "div",
          { class: "row", "data-place": "shape" },
          shown.map((field) => control(view, name, field, values[field.name])),
          hint(view, name, "shape"),
        ),
    problems(figures),
    h("div", { class: "foot" }, heat(view, figures)),
  );
}

function foldProps(name, folded) {
  const label = folded ? "Expand" : "Collapse";
  const said = { title: label, "aria-label": label, "aria-expanded": String(!folded) };
  return { class: "sign", type: "button", act: ["fold", name], ...said };
}

function words(field, value) {
  if (value === undefined) return "–";
  if (!field.values) return typeof value === "number" ? counted(value) : said(value);
  return labelOf(field, value);
}

function control(view, card, field, value) {
  const { name, label, values } = field;
  const act = ["fixed", card, name];
  const disabled = view.readonly;
  if (!values) {
    const { least, most, step } = field;
    const digits = step % 1 ? 4 : String(most).length;
    return labelled(
      label,
      stepper({
        label: `${TITLES[card]}: ${label}`,
        value: value ?? 0,
        least,
        most,
        step,
        act,
        disabled,
        digits,
      }),
    );
  }
  const all = value === undefined || values.includes(value) ? values : [...values, value];
  const options = all.map((one) => [one, words(field, one)]);
  return labelled(
    label,
    oneOf({ label: `${TITLES[card]}: ${label}`, options, value, act, disabled }),
  );
}
