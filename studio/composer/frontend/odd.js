// Values where the document should have something else. A document may hold any JSON: what no card
// can show travels wrapped, so that the canvas finds objects and lists where it needs them, and is
// unwrapped again on its way out.

const RAW = Symbol("raw");
const MOST_SHOWN = 24;

/** Whether `value` is a JSON object. */
export const isMap = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Stands for a value that is no object. */
export const wrapped = (value) => ({ [RAW]: value });

/** Whether it is such a stand-in. */
export const isOdd = (part) => RAW in part;

/** What it stands for. */
export const oddValue = (part) => part[RAW];

/** `list`, or an empty list that stands for what is there instead; without a value, for nothing. */
export function listOf(value, wrap) {
  return Array.isArray(value) ? value.map(wrap) : Object.assign([], { [RAW]: value });
}

/** For `JSON.stringify`: the values behind the stand-ins. */
export const unwrap = (_, value) =>
  typeof value === "object" && value !== null && RAW in value ? value[RAW] : value;

/** A number to reckon with. */
export const numeric = (value, otherwise) => (typeof value === "number" ? value : otherwise);

/** A number in groups of three from 1 000 up. */
export function counted(value) {
  const [whole, part] = String(value).split(".");
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return part === undefined ? groups : `${groups}.${part}`;
}

/** Any JSON value in a few characters. */
export function said(value) {
  const text = typeof value === "object" ? JSON.stringify(value, unwrap) : String(value ?? "–");
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
