// JSON as people type it: parsed, or the first fault in one sentence with its place. Pure. The
// browsers' own messages differ, and some tell no place.

import { canonical } from "./sync.js";

export const MOST_TEXT = 500_000;
const MOST_LEVELS = 60;
const SHOWN = 16;

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;
const PIECE = /"[^"\n]*"?|[\w.+-]+|./suy;
const KINDS = { string: "text", number: "a number", boolean: "true or false" };

const lengthAt = (pattern, text, at) => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
};

/** The text of a document: two spaces per level, and lists of plain values on one line. */
export function written(value, before = "") {
  const inner = `${before}  `;
  const list = Array.isArray(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const flat = list && value.every((one) => typeof one !== "object" || one === null);
  const parts = list
    ? value.map((one) => written(one, inner))
    : Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${written(one, inner)}`);
  const [open, close] = list ? "[]" : "{}";
  if (flat || !parts.length) return `${open}${parts.join(", ")}${close}`;
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${before}${close}`;
}

/** Whether two documents are the same but for the order of their keys. */
export const same = (one, other) => canonical(one) === canonical(other);

/** {doc} that `text` describes, or {fault, at, length}: a sentence and where it points. */
export function read(text) {
  if (text.length > MOST_TEXT) {
    const most = MOST_TEXT.toLocaleString("en").replace(",", "\u202f");
    return { fault: `The document may have at most ${most} characters.`, at: MOST_TEXT, length: 0 };
  }
  const fault = firstFault(text);
  if (fault) return located(text, fault);
  const doc = JSON.parse(text);
  if (typeof doc === "object" && doc !== null && !Array.isArray(doc)) return { doc };
  const got = Array.isArray(doc) ? "a list" : (KINDS[typeof doc] ?? "null");
  const at = lengthAt(SPACE, text, 0);
  return located(text, { at, words: "the document must be an object {…}", got });
}

function located(text, { at, words, got }) {
  const before = text.slice(0, at).split("\n");
  const length = lengthAt(PIECE, text, at);
  const piece = text.slice(at, at + length);
  const short = piece.length > SHOWN ? `${piece.slice(0, SHOWN)}…` : piece;
  const seen = short ? `“${short}”` : "the end";
  const what = got ?? (short === "\n" ? "the end of the line" : seen);
  const place = `Line ${before.length}, column ${before.at(-1).length + 1}`;
  return { fault: `${place}: ${words}${got === "" ? "" : `, got ${what}`}.`, at, length };
}

// One pass with a stack of open brackets; `wants` is what the grammar allows next.
function firstFault(text) {
  const open = [];
  let wants = "value";
  let at = lengthAt(SPACE, text, 0);
  for (; at < text.length || wants !== "nothing"; at += lengthAt(SPACE, text, at)) {
    const sign = text[at];
    const last = open.at(-1);
    const step = next(text, at, { sign, last, wants });
    if (step.words) return { at, ...step };
    if (step.push) open.push(sign);
    if (step.pop) open.pop();
    if (open.length > MOST_LEVELS) {
      return { at, words: `at most ${MOST_LEVELS} levels are possible` };
    }
    at += step.length;
    wants = step.wants ?? (open.length ? "comma" : "nothing");
  }
  return null;
}

const CLOSES = { "{": "}", "[": "]" };

function next(text, at, { sign, last, wants }) {
  const close = CLOSES[last];
  if (wants === "nothing") return { words: "nothing may follow the document" };
  if (wants === "colon") {
    if (sign === ":") return { length: 1, wants: "value" };
    return { words: "a : is required after the name" };
  }
  if (sign === close && ["comma", "first name", "first value"].includes(wants)) {
    return { length: 1, pop: true };
  }
  if (wants === "comma") {
    if (sign !== ",") return { words: `a comma or ${close} is required` };
    return { length: 1, wants: last === "{" ? "name" : "value" };
  }
  if (sign && sign === close) return { words: "something must follow the comma" };
  if (sign === '"') return string(text, at, wants);
  if (sign === "'") return { words: "text must be in double quotes" };
  if (wants.endsWith("name")) return { words: "a name in double quotes is required" };
  if (sign in CLOSES) {
    return { length: 1, push: true, wants: sign === "{" ? "first name" : "first value" };
  }
  const length = lengthAt(SCALAR, text, at);
  return length ? { length } : { words: "a value is required" };
}

function string(text, at, wants) {
  const length = lengthAt(STRING, text, at);
  if (!length) {
    const closed = /^"(?:[^"\\]|\\.)*"/.test(text.slice(at).split("\n", 1)[0]);
    const words = closed
      ? "a backslash or a tab must be escaped"
      : "a closing double quote is missing";
    return { words, got: "" };
  }
  return { length, wants: wants.endsWith("name") ? "colon" : undefined };
}
