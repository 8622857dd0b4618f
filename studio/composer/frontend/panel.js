// The whole document as text beside the cards. What parses becomes the document a moment later;
// what does not stays here, untouched by edits of the cards, until it is mended or dropped.

import { iconButton } from "./controls.js";
import { h, patch } from "./dom.js";
import { icon } from "./icons.js";
import { read, same, written } from "./jsontext.js";
import { adopt, plain, unfolded } from "./model.js";

const PAUSE_MS = 400;
const SAID = { id: "json-said", "aria-live": "polite" };
const LABEL = "The whole document as JSON";

/** The text field and what there is to say about it; `host` is the composer. */
export class Panel {
  constructor(host) {
    this.host = host;
    this.open = false;
    this.base = null; // the document that the text was last the same as
    this.fault = null;
    this.timer = 0;
    this.text = h("textarea", {
      class: "json",
      id: "json",
      wrap: "off",
      spellcheck: "false",
      autocomplete: "off",
      autocapitalize: "off",
      "aria-describedby": "json-said",
      act: ["json"],
    });
    this.said = h("div", { class: "json-said", ...SAID });
    this.element = h(
      "section",
      { class: "panel", "aria-label": "JSON", hidden: true },
      h(
        "div",
        { class: "panel-head" },
        h("label", { for: "json" }, LABEL),
        iconButton("close", "Close JSON", ["json"]),
      ),
      this.text,
      this.said,
    );
  }

  toggle() {
    if (this.open) this.close();
    else this.show();
  }

  show() {
    this.open = true;
    this.host.draw();
    this.text.focus({ preventScroll: true });
    this.text.setSelectionRange(0, 0);
    this.text.scrollTop = 0;
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Out of sight; a text that does not parse is kept for the next time. */
  close() {
    this.flush();
    this.open = false;
    this.host.draw();
    this.host.canvas.bar.querySelector(".json-button")?.focus();
  }

  /** Something was typed. */
  typed() {
    clearTimeout(this.timer);
    this.fault = null;
    const { doc, ...fault } = read(this.text.value);
    if (!doc) this.fault = fault;
    this.timer = doc ? setTimeout(() => this.flush(), PAUSE_MS) : 0;
    this.draw();
  }

  /** What was typed last becomes the document now. */
  flush() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    const { host } = this;
    const doc = unfolded(read(this.text.value).doc);
    // The base is set first: drawing shall not write over the text that somebody is in.
    this.base = same(doc, plain(host.doc)) ? host.doc : adopt(doc, host.doc);
    host.commit(this.base, "Edited as JSON");
    this.draw();
  }

  /** Forgets what was typed and does not parse. */
  drop() {
    this.fault = null;
    this.base = null;
    this.draw();
    this.text.focus();
  }

  /** Puts the caret where the fault is. */
  showFault() {
    const { at, length } = this.fault;
    const line = this.text.value.slice(0, at).split("\n").length;
    const height = Number.parseFloat(getComputedStyle(this.text).lineHeight);
    this.text.focus();
    this.text.setSelectionRange(at, at + length);
    this.text.scrollTop = (line - 3) * height;
  }

  /** Follows the document, unless the text has something that the document has not. */
  draw() {
    const { host, text } = this;
    this.element.hidden = !this.open;
    if (!this.open) return;
    text.readOnly = host.readonly;
    if (!this.timer && !this.fault && this.base !== host.doc) this._follow();
    text.setAttribute("aria-invalid", String(Boolean(this.fault)));
    const look = this._stale() ? "json-said stale" : "json-said";
    patch(this.said, h("div", { ...SAID, class: look }, this._words()));
  }

  _follow() {
    const doc = plain(this.host.doc);
    this.base = this.host.doc;
    const known = this.text.value && read(this.text.value).doc;
    if (known && same(known, doc)) return;
    const { selectionStart: at, scrollTop } = this.text;
    this.text.value = written(doc);
    this.text.setSelectionRange(at, at);
    this.text.scrollTop = scrollTop;
  }

  _stale() {
    return !this.fault && (Boolean(this.timer) || this.host.stale);
  }

  _words() {
    const { insight } = this.host;
    if (this.fault) return faultWords(this.fault, this.base !== this.host.doc);
    if (!insight) return null;
    const errors = insight.errors ?? [];
    if (errors.length) return errors.map(({ text }) => problem(text));
    return h("p", { class: "note" }, this._stale() ? "Checking …" : "This space can be built.");
  }
}

const problem = (text, ...more) =>
  h("p", { class: "problem" }, icon("wrong"), h("span", {}, text), more);

function faultWords({ fault }, overtaken) {
  const button = (text, act) => h("button", { class: "plain", type: "button", act }, text);
  const kept = overtaken
    ? "Meanwhile the cards were edited; once this text parses, it replaces that."
    : "Until it parses, the cards stay as they are.";
  return [
    problem(fault),
    h("p", { class: "note" }, kept),
    h(
      "p",
      { class: "acts" },
      button("Show the place", ["json-show"]),
      button("Drop the text", ["json-drop"]),
    ),
  ];
}
