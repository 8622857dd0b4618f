// The small controls that cards are made of: buttons, steppers, chips, switches. Each is a function
// of what it shows; what it does is its `act`.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { numeric, said } from "./odd.js";

/** A button with a sign only; `label` is what it is called. */
export function iconButton(sign, label, act, more = {}) {
  const { class: extra = "", ...rest } = more;
  const props = { class: `sign ${extra}`, type: "button", title: label, "aria-label": label, act };
  return h("button", { ...props, ...rest }, icon(sign));
}

/** − [value] +; `act` gets {by} from the buttons and {to} from typing. */
export function stepper({ label, value, least, most, step = 1, act, disabled, digits = 3 }) {
  const button = (sign, words, by, end) =>
    h(
      "button",
      {
        class: "step",
        type: "button",
        "aria-label": `${label}: ${words}`,
        act: [...act, { by }],
        disabled: disabled || end,
      },
      icon(sign),
    );
  const input = h("input", {
    class: "number",
    inputmode: step % 1 ? "decimal" : "numeric",
    autocomplete: "off",
    role: "spinbutton",
    "aria-label": label,
    "aria-valuenow": numeric(value),
    "aria-valuemin": least,
    "aria-valuemax": most,
    style: { "--digits": digits },
    value: said(value),
    disabled,
    act: ["typed", { act, by: step, least, most }],
  });
  return h(
    "span",
    { class: "stepper" },
    button("minus", "less", -step, numeric(value) <= least),
    input,
    button("plus", "more", step, numeric(value) >= most),
  );
}

/** One value that is on or off. `dead`: no network within the limit uses it. */
export function chip({ text, label, on, dead, radio, act, disabled }) {
  const title = dead ? `${label}: no network within the limit uses this` : label;
  const props = radio
    ? { role: "radio", "aria-checked": String(on) }
    : { "aria-pressed": String(on) };
  return h(
    "button",
    {
      class: `chip${on ? " on" : ""}${dead ? " dead" : ""}`,
      type: "button",
      title,
      "aria-label": dead ? title : label,
      act,
      disabled,
      ...props,
    },
    text,
  );
}

/** One of a few: [value, text, description, off] each; `act` gets the value. */
export function oneOf({ label, options, value, act, disabled }) {
  const button = ([option, text, words, off]) =>
    h(
      "button",
      {
        type: "button",
        role: "radio",
        "aria-checked": String(option === value),
        title: words ?? null,
        "aria-label": words ?? null,
        act: [...act, option],
        disabled: disabled || off,
      },
      text,
    );
  return h(
    "span",
    { class: "one-of", role: "radiogroup", "aria-label": label },
    options.map(button),
  );
}

/** A label in front of a control. */
export function labelled(text, ...control) {
  const label = h("span", { class: "label", "aria-hidden": "true" }, text);
  return h("span", { class: "labelled" }, label, h("span", { class: "control" }, control));
}

/** A share of 0..1 as people read it: "31 %". */
export function percent(share) {
  if (!(share > 0)) return "0\u202f%";
  return share < 0.01 ? "< 1\u202f%" : `${Math.round(share * 100)}\u202f%`;
}
