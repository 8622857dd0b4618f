// The document and what can be done with its stages. Pure functions: a document goes in, a new one
// comes out, the old one stays as it was; keys that nobody here knows travel along untouched.
//
// A stage carries a name that lasts (its ID) under a symbol: copies made with `...` keep it, JSON
// does not see it. So cards know their stage through moves, undo and redo.

import { isMap, isOdd, listOf, numeric, oddValue, unwrap, wrapped } from "./odd.js";
import { canonical } from "./sync.js";

export const ID = Symbol("id");
export const LOCKS = Symbol("locks");
const NEW_DEPTH = [1, 2];
const FIRST_WIDTH = 16;
const SHAPE = new Set(["width", "depth", "stride", "layers"]);
let made = 0;

const listed = (value) => (Array.isArray(value) ? value : []);
const fresh = () => `s${++made}`;
const named = (stage) => ({ ...stage, [ID]: fresh() });

/** `doc` with an ID on every stage. A stage that was in `before` stays the same one with its locks;
 *  the others take the IDs of their positions. */
export function adopt(doc, before) {
  if (!isMap(doc)) return Object.assign(wrapped(doc), { stages: [] });
  const left = [...(before?.stages ?? [])];
  const texts = left.map((stage) => canonical(plain(stage)));
  const given = listOf(doc.stages, (stage) => {
    const at = texts.indexOf(canonical(stage));
    if (at < 0) return stage;
    texts[at] = null;
    return left.splice(at, 1, null)[0];
  });
  const name = (stage, at) => {
    if (isMap(stage) && ID in stage) return stage;
    const whole = isMap(stage) ? withBlocks(stage) : wrapped(stage);
    return { ...whole, [ID]: left[at]?.[ID] ?? fresh() };
  };
  given.forEach((stage, at) => given.splice(at, 1, name(stage, at)));
  return { ...doc, stages: given };
}

function withBlocks(stage) {
  if (!listed(stage.blocks).some((block) => !isMap(block))) return stage;
  return { ...stage, blocks: stage.blocks.map((block) => (isMap(block) ? block : wrapped(block))) };
}

/** `doc` with `blocks` in every stage that names its one block itself, as published files do. */
export function unfolded(doc) {
  const unfold = (stage) => {
    if (!isMap(stage) || "blocks" in stage || typeof stage.block !== "string") return stage;
    const entries = Object.entries(stage);
    const [shape, block] = [true, false].map((of) =>
      Object.fromEntries(entries.filter(([key]) => SHAPE.has(key) === of)),
    );
    return { ...shape, blocks: [block] };
  };
  return Array.isArray(doc.stages) ? { ...doc, stages: doc.stages.map(unfold) } : doc;
}

/** The document as JSON knows it. */
export const plain = (doc) => JSON.parse(JSON.stringify(doc, unwrap));

/** Whether there is anything that a card can show. */
export const drawable = (doc) =>
  doc.stages.length > 0 || ["input", "stem", "head"].some((name) => isMap(doc[name]));

/** What a document says of its input, stem or head; empty where that is no object. */
export const partOf = (doc, name) => (isMap(doc[name]) ? doc[name] : {});

/** IDs of all stages in order. */
export const order = (doc) => doc.stages.map((stage) => stage[ID]);

/** Position of a stage, -1 where there is none. */
export const position = (doc, id) => doc.stages.findIndex((stage) => stage[ID] === id);

/** "Stage 2", or "Stages 2, 3 and 5". */
export function titles(doc, ids) {
  const numbers = order(doc).flatMap((id, index) => (ids.includes(id) ? [index + 1] : []));
  if (numbers.length < 2) return `Stage ${numbers[0] ?? "?"}`;
  return `Stages ${numbers.slice(0, -1).join(", ")} and ${numbers.at(-1)}`;
}

/** Families of the catalogue by name. */
export const byName = (catalogue) => new Map(catalogue.map((family) => [family.family, family]));

/** The block options of a stage's slots. */
export const blocksOf = (stage) => listed(stage.blocks);

/** [least, most] layers of a stage. */
export function depthOf({ depth }) {
  const two = Array.isArray(depth) && depth.length === 2;
  return two && depth.every((end) => typeof end === "number") ? depth : NEW_DEPTH;
}

/** What a block has chosen for a field; where it says nothing, the field's default. */
export function chosen(block, field) {
  const values = block[field.name];
  if (values === undefined) return field.default ?? [];
  return Array.isArray(values) ? values : [values];
}

/** A block of a family with everything at its default. */
export function newBlock(family) {
  const values = (family.fields ?? []).map((field) => [field.name, [...(field.default ?? [])]]);
  return { block: family.family, ...Object.fromEntries(values) };
}

/** A stage to be put at position `index`: as wide as what comes before it. */
export function newStage(doc, index, family) {
  const width = numeric(doc.stages[index - 1]?.width ?? partOf(doc, "stem").width, FIRST_WIDTH);
  const rest = { depth: [...NEW_DEPTH], stride: 1, layers: "own", blocks: [newBlock(family)] };
  return named({ width, ...rest });
}

/** `doc` with `stages` before position `index`. */
export function insert(doc, index, stages) {
  return { ...(isOdd(doc) ? {} : doc), stages: doc.stages.toSpliced(index, 0, ...stages) };
}

/** `doc` without some stages. */
export function remove(doc, ids) {
  return { ...doc, stages: doc.stages.filter((stage) => !ids.includes(stage[ID])) };
}

/** Copies of stages to be inserted elsewhere: new IDs, and they keep the map's side. */
export function copies(stages) {
  return stages.map((stage) => {
    if (isOdd(stage)) return named(wrapped(oddValue(stage)));
    return named({ ...structuredClone(stage), stride: 1, ...locksOf(stage) });
  });
}

// A deep copy drops symbols; the locks are worth keeping, and so are stand-ins.
function locksOf(stage) {
  const blocks = blocksOf(stage);
  if (!blocks.some((block) => block[LOCKS] || isOdd(block))) return {};
  const copy = (block) => {
    if (isOdd(block)) return wrapped(oddValue(block));
    return { ...structuredClone(block), ...(block[LOCKS] && { [LOCKS]: block[LOCKS] }) };
  };
  return { blocks: blocks.map(copy) };
}

/** [doc, ids of the copies]: each run of chosen stages once more, after the last of them. */
export function duplicate(doc, ids) {
  const twins = copies(doc.stages.filter((stage) => ids.includes(stage[ID])));
  const last = Math.max(...ids.map((id) => position(doc, id)));
  return [insert(doc, last + 1, twins), twins.map((stage) => stage[ID])];
}

/** `doc` with stages brought together at a gap (0: before the first, n: after the last). */
export function move(doc, ids, gap) {
  const moving = doc.stages.filter((stage) => ids.includes(stage[ID]));
  const before = doc.stages.slice(0, gap).filter((stage) => !ids.includes(stage[ID]));
  const after = doc.stages.slice(gap).filter((stage) => !ids.includes(stage[ID]));
  return { ...doc, stages: [...before, ...moving, ...after] };
}

/** `doc` with stages one position up (-1) or down (1); the same document at the end. */
export function shift(doc, ids, by) {
  const at = ids.map((id) => position(doc, id));
  const gap = by < 0 ? Math.min(...at) - 1 : Math.max(...at) + 2;
  return gap < 0 || gap > doc.stages.length ? doc : move(doc, ids, gap);
}

/** `doc` with every stage of `ids` replaced by `change(stage, index)`. */
export function change(doc, ids, changeOne) {
  const each = (stage, index) => (ids.includes(stage[ID]) ? changeOne(stage, index) : stage);
  return { ...doc, stages: doc.stages.map(each) };
}

/** `doc` with one entry of its input, stem or head replaced; `classes` belongs to no card. */
export function setFixed(doc, card, name, value) {
  if (card === "input" && name === "classes") return { ...doc, classes: value };
  return { ...doc, [card]: { ...partOf(doc, card), [name]: value } };
}

/** 0 where the first layer of a stage keeps the shape and so may be skipped, else 1. */
export function fewest(doc, index) {
  const before = doc.stages[index - 1]?.width ?? partOf(doc, "stem").width;
  const stage = doc.stages[index];
  return stage.stride === 1 && stage.width === before ? 0 : 1;
}

/** Side and channels of the map after the input, the stem and every stage. */
export function maps(doc) {
  const input = partOf(doc, "input");
  const result = [{ side: numeric(input.size, 0), channels: numeric(input.channels, 0) }];
  for (const part of [partOf(doc, "stem"), ...doc.stages]) {
    const side = Math.ceil(result.at(-1).side / (numeric(part.stride, 1) || 1));
    result.push({ side, channels: numeric(part.width, 0) });
  }
  return result;
}
