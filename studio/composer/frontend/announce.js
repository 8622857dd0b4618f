// What a screen reader hears: one polite region, filled anew for every change.

import { h } from "./dom.js";

/** A region, and `say(text)`; saying the same twice is heard twice. */
export function announcer() {
  const region = h("div", { class: "hidden", role: "status", "aria-live": "polite" });
  const say = (text) => {
    region.textContent = region.textContent === text ? `${text}\u00a0` : text;
  };
  return { region, say };
}
