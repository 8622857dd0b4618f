// What a control of a stage card does to the document, for one card or for all selected ones. Pure,
// like model.js. Each function gives [document, what was done in words].

import {
  blocksOf,
  change,
  chosen,
  depthOf,
  fewest,
  ID,
  LOCKS,
  newBlock,
  position,
  titles,
} from "./model.js";
import { counted, numeric, said } from "./odd.js";

export const MOST_DEPTH = 12;
export const MOST_WIDTH = 4096;
export const WIDTH_STEP = 8;
const SMALL = [1, 2, 3, 4, 6, 8];

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** A field as the family of `block` declares it; one without values where it does not. */
export function fieldOf(families, block, name) {
  const field = families?.get(block.block)?.fields?.find((one) => one.name === name);
  return field ?? { name, label: name };
}

/** The value in the family's words. */
export function labelOf(field, value) {
  const index = (field.values ?? []).indexOf(value);
  if (index < 0 && typeof value === "number") return alike(field, value);
  return said(field.labels?.[index] ?? value);
}

// A value that somebody added, written as the family writes its own: 9×9, ×4.5.
function alike(field, value) {
  const ways = [(one) => `${one}×${one}`, (one) => `×${one}`];
  const known = (field.values ?? []).map((one, at) => [one, field.labels?.[at]]);
  const way = ways.find((write) => known.some(([one, label]) => label === write(one)));
  return way ? way(value) : counted(value);
}

/** All values that a block may show for a field: the family's, and those that people added. */
export function offered(field, block) {
  const known = field.values ?? [];
  const own = [...chosen(block, field), ...(block[LOCKS]?.[field.name] ?? [])];
  const extra = [...new Set(own.filter((value) => !known.includes(value)))];
  if (!extra.length) return known;
  const all = [...known, ...extra];
  return all.every((value) => typeof value === "number") ? all.sort((a, b) => a - b) : all;
}

/** True while one value is fixed by the lock. */
export function isLocked(block, field) {
  return Boolean(block[LOCKS]?.[field.name]) && chosen(block, field).length === 1;
}

/** One step from a value: to the next multiple of the step, below 8 to the next of a few widths
 *  (a field that may be 0 has none of these), and a step below 1 is added. */
export function stepped(value, by, least) {
  const step = Math.abs(by);
  const up = by > 0;
  if (step >= WIDTH_STEP && least > 0) {
    const small = SMALL.filter((one) => (up ? one > value : one < value));
    if (small.length && value <= WIDTH_STEP) return up ? small[0] : small.at(-1);
  }
  if (step <= 1) return value + by;
  return up ? Math.floor(value / step) * step + step : Math.ceil(value / step) * step - step;
}

/** Width: typed (`to`) for all, or steps (`by`) for each from its own. */
export function setWidth(doc, ids, { to, by }) {
  const next = (width) => {
    const wanted = by === undefined ? Math.round(to) : stepped(numeric(width, 0), by, 1);
    return clamp(wanted, 1, MOST_WIDTH);
  };
  const result = change(doc, ids, (stage) => ({ ...stage, width: next(stage.width) }));
  return [result, `${titles(doc, ids)}: width ${of(result, ids, (stage) => counted(stage.width))}`];
}

/** One end of the depth range (0: least, 1: most); the other end gives way. */
export function setDepth(doc, ids, end, { to, by }) {
  const result = change(doc, ids, (stage) => {
    const depth = [...depthOf(stage)];
    const wanted = by === undefined ? Math.round(to) : depth[end] + by;
    depth[end] = clamp(wanted, end, MOST_DEPTH);
    depth[1 - end] = end ? Math.min(depth[0], depth[1]) : Math.max(depth[0], depth[1]);
    return { ...stage, depth: depth[1] < 1 ? [0, 1] : depth };
  });
  const words = of(result, ids, ({ depth: [least, most] }) =>
    least === most ? `${most}` : `${least} to ${most}`,
  );
  return [result, `${titles(doc, ids)}: layers ${words}`];
}

/** Stride of the first layer. */
export function setStride(doc, ids, stride) {
  const result = change(doc, ids, (stage) => ({ ...stage, stride }));
  return [result, `${titles(doc, ids)}: stride ${stride}`];
}

/** "own": each layer chooses for itself; "same": one choice for all layers of the stage. */
export function setLayers(doc, ids, layers) {
  const result = change(doc, ids, (stage) => ({ ...stage, layers }));
  const words = layers === "same" ? "one choice for all layers" : "each layer chooses for itself";
  return [result, `${titles(doc, ids)}: ${words}`];
}

/** Whether layers beyond the fewest possible may be left out. */
export function setSkip(doc, ids, on) {
  const result = change(doc, ids, (stage, index) => {
    const most = depthOf(stage)[1];
    const least = on ? Math.min(fewest(doc, index), most) : most;
    return { ...stage, depth: [least, most] };
  });
  return [result, `${titles(doc, ids)}: layers ${on ? "may be skipped" : "are all kept"}`];
}

/** A choice on or off; in a locked field it becomes the one value. Others never lose their last. */
export function setChip(doc, ids, { id, at, field, value, families }) {
  const block = blocksOf(doc.stages[position(doc, id)])[at];
  const on = isLocked(block, field) || !chosen(block, field).includes(value);
  const flip = (other, own) => {
    const its = own ? field : fieldOf(families, other, field.name);
    const now = chosen(other, its);
    if (!own && !its.free && !(its.values ?? [value]).includes(value)) return now;
    if (isLocked(other, its)) return on ? [value] : now;
    const rest = now.filter((one) => one !== value);
    if (!on) return own || rest.length ? rest : now;
    const all = offered(its, { ...other, [its.name]: [...rest, value] });
    return all.filter((one) => one === value || rest.includes(one));
  };
  const result = eachBlock(doc, ids, { id, at, field }, flip);
  const name = field.label.toLowerCase();
  const words = isLocked(block, field)
    ? `${name} fixed to ${labelOf(field, value)}`
    : `${name} ${labelOf(field, value)} ${on ? "on" : "off"}`;
  return [result, `${titles(doc, ids)}: ${words}`];
}

/** Locks a field to its largest chosen value, or gives back what was chosen before. */
export function setLock(doc, ids, { id, at, field }) {
  const lock = !isLocked(blocksOf(doc.stages[position(doc, id)])[at], field);
  const each = (block) => {
    if (lock === isLocked(block, field)) return block;
    const locks = { ...block[LOCKS] };
    if (!lock) {
      const before = locks[field.name];
      delete locks[field.name];
      return { ...block, [LOCKS]: locks, [field.name]: before };
    }
    const values = chosen(block, field).length ? chosen(block, field) : (field.values ?? []);
    if (!values.length) return block;
    locks[field.name] = values;
    return { ...block, [LOCKS]: locks, [field.name]: [largest(values)] };
  };
  const result = eachWhole(doc, ids, { id, at, field }, each);
  const now = chosen(blocksOf(result.stages[position(doc, id)])[at], field);
  const values = now.map((value) => labelOf(field, value)).join(", ");
  const name = field.label.toLowerCase();
  const words = lock ? `${name} fixed to ${values}` : `${name} free again: ${values}`;
  return [result, `${titles(doc, ids)}: ${words}`];
}

/** One more family for the slots of a stage. */
export function addBlock(doc, ids, family) {
  const result = change(doc, ids, (stage) => {
    const blocks = blocksOf(stage);
    const there = blocks.some((block) => block.block === family.family);
    return there ? stage : { ...stage, blocks: [...blocks, newBlock(family)] };
  });
  return [result, `${titles(doc, ids)}: ${family.name} added as an option`];
}

/** One family less. */
export function removeBlock(doc, id, at, name) {
  const result = change(doc, [id], (stage) => ({
    ...stage,
    blocks: blocksOf(stage).toSpliced(at, 1),
  }));
  return [result, `${titles(doc, [id])}: ${name} removed`];
}

function largest(values) {
  const numbers = values.every((value) => typeof value === "number");
  return numbers ? Math.max(...values) : values.at(-1);
}

function eachBlock(doc, ids, target, values) {
  const one = (block, own) => ({ ...block, [target.field.name]: values(block, own) });
  return eachWhole(doc, ids, target, one);
}

// In the card that was touched: that one block. In the others: blocks of its family, and where
// there is none, every block that has chosen something for a field of this name.
function eachWhole(doc, ids, { id, at, field }, changeOne) {
  const family = blocksOf(doc.stages[position(doc, id)])[at].block;
  return change(doc, ids, (stage) => {
    const blocks = blocksOf(stage);
    const kin = blocks.some((block) => block.block === family);
    const meant = (block, index) =>
      stage[ID] === id ? index === at : kin ? block.block === family : field.name in block;
    const each = (block, index) =>
      meant(block, index) ? changeOne(block, stage[ID] === id) : block;
    return { ...stage, blocks: blocks.map(each) };
  });
}

function of(doc, ids, read) {
  const values = doc.stages.filter((stage) => ids.includes(stage[ID])).map(read);
  return [...new Set(values.map(String))].join(", ");
}
