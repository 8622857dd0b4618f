// Dragging with mouse, finger or pen: a block from the palette to a gap, stages to another gap.
// Pointer events only. Nothing is drawn anew while something is in the air.

import { covered, h, scroller } from "./dom.js";

const STARTS_AT = 5;
const EDGE = 56;
const SPEED = 16;
const SIDE = 48;
export const DROP = "composer-drop";

/** Follows one press until it is let go; `host` has stage cards, a line, and says what to do. */
export class Drag {
  constructor(event, { host, source, picture, text }) {
    Object.assign(this, { host, source, picture, text });
    this.start = { x: event.clientX, y: event.clientY };
    this.at = this.start;
    this.pointer = event.pointerId;
    this.active = false;
    this.gap = null;
    this.ended = new AbortController();
    const how = { signal: this.ended.signal };
    window.addEventListener("pointermove", (moved) => this._move(moved), {
      ...how,
      passive: false,
    });
    window.addEventListener("pointerup", (up) => this._up(up), how);
    window.addEventListener("pointercancel", (gone) => this._cancel(gone), how);
    window.addEventListener("blur", () => this._end(), how);
    window.addEventListener("keydown", (key) => this._key(key), { ...how, capture: true });
  }

  _mine(event) {
    return event.pointerId === this.pointer;
  }

  _move(event) {
    if (!this._mine(event)) return;
    this.at = { x: event.clientX, y: event.clientY };
    const far = Math.hypot(this.at.x - this.start.x, this.at.y - this.start.y);
    if (!this.active && far >= STARTS_AT) this._begin();
    if (!this.active) return;
    event.preventDefault();
    this._follow();
  }

  _begin() {
    this.active = true;
    this.ghost = h(
      "div",
      { class: "ghost", popover: "manual" },
      this.picture,
      h("span", {}, this.text),
    );
    this.host.root.querySelector(".over").append(this.ghost);
    this.ghost.showPopover();
    this.host.lifted(this.source, true);
    this.box = scroller(this.host.canvas.list);
    this.frame = requestAnimationFrame(() => this._scroll());
  }

  _follow() {
    const { x, y } = this.at;
    this.ghost.style.setProperty("transform", `translate(${x + 12}px, ${y - 18}px)`);
    this.gap = this._gapAt(x, y);
    this._showLine();
  }

  _gapAt(x, y) {
    const area = this.host.canvas.flow.getBoundingClientRect();
    if (
      x < area.left - SIDE ||
      x > area.right + SIDE ||
      y < area.top - SIDE ||
      y > area.bottom + SIDE
    )
      return null;
    const above = this.host.cards().filter((card) => middle(card) < y);
    return above.length;
  }

  _showLine() {
    const { line, flow } = this.host.canvas;
    line.hidden = this.gap === null;
    if (this.gap === null) return;
    const cards = this.host.cards();
    const before = this.gap ? cards[this.gap - 1] : this.host.canvas.card("stem");
    const after = cards[this.gap] ?? this.host.canvas.card("head");
    const { top, bottom } = flow.getBoundingClientRect();
    const from = before?.getBoundingClientRect().bottom ?? top;
    const y = (from + (after?.getBoundingClientRect().top ?? bottom)) / 2 - top;
    line.style.setProperty("transform", `translateY(${y}px)`);
  }

  // Near the upper or lower edge of what is visible the page moves under the pointer.
  _scroll() {
    const page = this.box === document.scrollingElement;
    const seen = page ? { top: 0, bottom: innerHeight } : this.box.getBoundingClientRect();
    const top = Math.max(seen.top, covered());
    const bottom = Math.min(seen.bottom, innerHeight);
    const { y } = this.at;
    const by = y < top + EDGE ? y - top - EDGE : y > bottom - EDGE ? y - bottom + EDGE : 0;
    if (by) {
      this.box.scrollBy(0, (Math.max(-EDGE, Math.min(EDGE, by)) / EDGE) * SPEED);
      this._follow();
    }
    this.frame = requestAnimationFrame(() => this._scroll());
  }

  _up(event) {
    if (!this._mine(event)) return;
    const from = this.ghost?.getBoundingClientRect();
    const begun = performance.now();
    this._end(this.gap === null ? null : { source: this.source, gap: this.gap, from });
    performance.clearMeasures(DROP);
    performance.measure(DROP, { start: begun, end: performance.now() });
  }

  _cancel(event) {
    if (this._mine(event)) this._end();
  }

  _key(event) {
    if (event.key !== "Escape" || !this.active) return;
    event.preventDefault();
    event.stopPropagation();
    this._end();
  }

  // Everything goes back to its place first; then the host hears what was dropped, if anything.
  _end(drop = null) {
    this.ended.abort();
    cancelAnimationFrame(this.frame);
    this.ghost?.remove();
    this.host.canvas.line.hidden = true;
    this.host.drag = null;
    if (!this.active) return;
    this.host.lifted(this.source, false);
    this.host.dropped(drop);
  }
}

function middle(card) {
  const { top, bottom } = card.getBoundingClientRect();
  return (top + bottom) / 2;
}
