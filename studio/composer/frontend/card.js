// A stage as a card. A function of what it shows; nothing is kept here.

import { chip, iconButton, labelled, oneOf, stepper } from "./controls.js";
import { h } from "./dom.js";
import { labelOf, MOST_DEPTH, MOST_WIDTH, WIDTH_STEP } from "./edits.js";
import { heat, problems } from "./found.js";
import { hint } from "./hint.js";
import { colour, icon, picture } from "./icons.js";
import { blocksOf, chosen, depthOf, fewest, ID } from "./model.js";
import { counted, isOdd, oddValue, said } from "./odd.js";
import { EMPTY, familyOf, slot } from "./slot.js";

const MOST_NAMES = 2; // of families, where a card is narrow

/** "MBConv or Ghost". */
export function names(view, stage) {
  return (
    blocksOf(stage)
      .map((block) => familyOf(view, block).name)
      .join(" or ") || "no block"
  );
}

/** The card of stage `index`; `view` is what the canvas knows, `figures` what was last computed. */
export function stageCard(view, stage, index, figures) {
  const id = stage[ID];
  const folded = view.folded.has(id);
  const families = blocksOf(stage).map((block) => familyOf(view, block));
  const selected = view.selection.includes(id);
  const title = `Stage ${index + 1}`;
  const words = `${title} of ${view.doc.stages.length}, ${names(view, stage)}`;
  return h(
    "div",
    {
      class: `card stage${selected ? " selected" : ""}${figures.errors.length ? " wrong" : ""}`,
      role: "group",
      "data-card": id,
      tabindex: view.current === id ? "0" : "-1",
      "aria-label": `${words}${selected ? ", selected" : ""}${folded ? ", collapsed" : ""}`,
      style: { "--family": colour(families[0]) },
    },
    header(view, stage, { id, title, folded, families, figures }),
    folded ? h("p", { class: "summary" }, summary(view, stage)) : body(view, stage, index),
    problems(folded ? figures : beyond(view, stage, figures)),
    footer(view, stage, folded, figures),
  );
}

function header(view, stage, { id, title, folded, families, figures }) {
  const { readonly } = view;
  const many = families.length > MOST_NAMES;
  const grip = iconButton("grip", `Move ${title.toLowerCase()}: drag, or Alt and ↑ ↓`, null, {
    class: "grip",
    "data-drag": id,
  });
  const fold = iconButton(folded ? "right" : "down", folded ? "Expand" : "Collapse", ["fold", id], {
    "aria-expanded": String(!folded),
  });
  return h(
    "div",
    { class: "head" },
    readonly ? null : grip,
    fold,
    h("span", { class: "pictures" }, families.map(picture)),
    h(
      "span",
      { class: "title" },
      h("b", {}, title),
      h("span", { class: many ? "names many" : "names" }, names(view, stage)),
      many ? h("span", { class: "names few" }, `${families.length} families`) : null,
    ),
    paths(figures, families),
    readonly
      ? null
      : iconButton("more", `More for ${title.toLowerCase()}`, ["menu", id], {
          "aria-haspopup": "menu",
        }),
  );
}

function paths(figures, families) {
  const number = figures.card?.paths;
  const known = number !== undefined && number !== null;
  if (!known && families.length < 2) return null;
  const text = !known ? "…" : number === 1 ? "single path" : `${number} paths`;
  const one = "One superkernel holds all these choices: they share their weights.";
  const title = !known ? null : number === 1 ? one : figures.card.paths_note || null;
  return h("span", { class: number > 1 ? "badge costs" : "badge", title }, text);
}

// The errors without those that stand beside their fields already.
function beyond(view, stage, figures) {
  const empty = blocksOf(stage).some((block) =>
    (familyOf(view, block).fields ?? []).some((field) => !chosen(block, field).length),
  );
  const errors = figures.errors.filter((text) => !(empty && text.startsWith(EMPTY)));
  return { ...figures, errors };
}

/** All that a folded card says. */
function summary(view, stage) {
  const [least, most] = depthOf(stage);
  const layers = least === most ? `${most}` : `${least}–${most}`;
  const parts = [
    `${typeof stage.width === "number" ? counted(stage.width) : said(stage.width)} wide`,
    `${layers} layer${most > 1 ? "s" : ""}`,
    `stride ${said(stage.stride)}`,
  ];
  for (const block of blocksOf(stage)) {
    for (const field of familyOf(view, block).fields ?? []) {
      const values = chosen(block, field).map((value) => labelOf(field, value));
      parts.push(`${field.label.toLowerCase()} ${values.join(", ") || "none"}`);
    }
  }
  return parts.join(" · ");
}

function body(view, stage, index) {
  if (isOdd(stage)) {
    const words = `No stage: an object is needed here, the document has ${said(oddValue(stage))}.`;
    return h("p", { class: "note odd" }, words);
  }
  const blocks = blocksOf(stage);
  const figures = view.figures(stage[ID]);
  const one = (block, at) => slot(view, stage, { block, at, title: blocks.length > 1, figures });
  return [
    shape(view, stage, index, view.readonly),
    h("div", { class: "fields" }, choices(stage, view.readonly)),
    blocks.map(one),
  ];
}

/** The last row: one more family, what several paths cost, and the share. */
function footer(view, stage, folded, figures) {
  const note = figures.card?.paths > 1 && figures.card?.paths_note;
  const act = ["families", stage[ID]];
  const add = h(
    "button",
    { class: "quiet", type: "button", act, "aria-haspopup": "menu" },
    icon("plus"),
    "another family",
  );
  return h(
    "div",
    { class: "foot" },
    note && !folded ? h("span", { class: "note" }, note) : null,
    folded || view.readonly || isOdd(stage) ? null : add,
    heat(view, figures),
  );
}

function shape(view, stage, index, disabled) {
  const id = stage[ID];
  const [least, most] = depthOf(stage);
  const possible = fewest(view.doc, index) < most;
  const depth = (label, end, value, from) =>
    stepper({
      label,
      value,
      least: from,
      most: MOST_DEPTH,
      act: ["depth", id, end],
      disabled,
      digits: 2,
    });
  return h(
    "div",
    { class: "row", "data-place": "shape" },
    labelled(
      "Width",
      stepper({
        label: "Width",
        value: stage.width,
        least: 1,
        most: MOST_WIDTH,
        step: WIDTH_STEP,
        act: ["width", id],
        disabled,
        digits: 4,
      }),
    ),
    labelled(
      "Layers",
      depth("Fewest layers", 0, least, 0),
      h("span", { class: "to", "aria-hidden": "true" }, "to"),
      depth("Most layers", 1, most, 1),
      chip({
        text: "skip",
        label: possible
          ? "skip: layers beyond the fewest may be left out"
          : "skip: not possible, the first layer changes the shape",
        on: least < most,
        act: ["skip", id, !(least < most)],
        disabled: disabled || (!possible && least >= most),
      }),
    ),
    labelled(
      "Stride",
      oneOf({
        label: "Stride",
        options: [1, 2].map((stride) => [stride, String(stride), `Stride ${stride}`]),
        value: stage.stride,
        act: ["stride", id],
        disabled,
      }),
    ),
    hint(view, id, "shape"),
  );
}

/** Whether the layers of a stage choose together. */
function choices(stage, disabled) {
  const options = [
    ["own", "per layer", "per layer: each layer chooses for itself"],
    ["same", "same for all", "same for all: one choice for all layers of this stage"],
  ];
  const value = stage.layers ?? "own";
  const act = ["layers", stage[ID]];
  return h(
    "div",
    { class: "field" },
    h("span", { class: "label", "aria-hidden": "true" }, "Choices"),
    h("div", {}, oneOf({ label: "Choices of the layers", options, value, act, disabled })),
  );
}
