// Undo and redo as two lists of documents. Documents are never changed in place, so a step costs
// one reference. Pure: no clock, no page.

export const LIMIT = 200;

/** Nothing done yet. */
export const empty = () => ({ past: [], future: [] });

/** After a change away from `doc`; what was undone before is gone. */
export function push(history, doc, why) {
  return { past: [...history.past, { doc, why }].slice(-LIMIT), future: [] };
}

/** [history, doc, why] one step back from `doc`, or null at the beginning. */
export function undo(history, doc) {
  const last = history.past.at(-1);
  if (!last) return null;
  const future = [...history.future, { doc, why: last.why }];
  return [{ past: history.past.slice(0, -1), future }, last.doc, last.why];
}

/** [history, doc, why] one step forward from `doc`, or null at the end. */
export function redo(history, doc) {
  const next = history.future.at(-1);
  if (!next) return null;
  const past = [...history.past, { doc, why: next.why }];
  return [{ past, future: history.future.slice(0, -1) }, next.doc, next.why];
}
