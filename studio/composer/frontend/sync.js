// Which of two documents counts: the one on the screen or the one the server sent. Every edit
// raises the revision; the higher one wins. The server may have been restarted and know less than
// the screen does, so what it has not confirmed after a while is sent again.

export const PATIENCE_MS = 1500;
const MOST_UNHEARD = 20;

/** Follows the revisions of one composer; `send` hands `{rev, doc, why, base, before}` to the server.
 *  `base` is what the server had last told when the edit was made: the saved state that it is an edit
 *  of. `before` are earlier documents that the server may have saved without our hearing of it. */
export class Sync {
  /** At most one document is sent in so many milliseconds; the last one always is. */
  static paceMs = 120;

  constructor(send) {
    this.send = send;
    this.rev = null;
    this.heard = null;
    this.last = null;
    this.base = null;
    this.unheard = [];
    this.timer = 0;
    this.pace = 0;
    this.sentAt = -Infinity;
  }

  /** Takes note of what the server shows; true where the screen has to follow it. */
  receive(rev, doc, base = null) {
    this.heard = rev;
    this.unheard = this.unheard.filter((sent) => sent.rev > rev);
    // A server that knows less than the screen says nothing about what the screen was made from.
    if (this.rev === null || rev >= this.rev) this.base = base;
    const text = canonical(doc);
    // The same revision with another document: an edit of the server's own came first and counts.
    const overtaken = rev === this.rev && text !== this.last.text;
    const adopt = this.rev === null || rev > this.rev || overtaken;
    if (adopt) {
      this.rev = rev;
      this.last = { rev, doc, text, why: "" };
    }
    this._watch();
    return adopt;
  }

  /** Sends a document as the next revision. */
  emit(doc, why) {
    this.rev += 1;
    this.last = { rev: this.rev, doc, text: canonical(doc), why, base: this.base };
    this.unheard = [...this.unheard, this.last].slice(-MOST_UNHEARD);
    // Somebody who holds a key down makes edits faster than a server can answer them one by one.
    const wait = this.sentAt + Sync.paceMs - performance.now();
    clearTimeout(this.pace);
    if (wait <= 0) this._send();
    else this.pace = setTimeout(() => this._send(), wait);
  }

  _send() {
    clearTimeout(this.pace);
    this.pace = 0;
    this.sentAt = performance.now();
    const { rev, doc, why, base } = this.last;
    const before = this.unheard.filter((sent) => sent.rev < rev).map((sent) => sent.doc);
    this.send({ rev, doc, why, base, before });
    this._watch();
  }

  /** Sends again what is on the screen as long as the server shows less. */
  _watch() {
    clearTimeout(this.timer);
    if (this.heard >= this.rev) return;
    this.timer = setTimeout(() => this._send(), PATIENCE_MS);
  }

  /** No more sending, once what waits has gone. */
  stop() {
    if (this.pace) this._send();
    clearTimeout(this.timer);
  }
}

/** A document as text that does not depend on the order of keys: for comparing only. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join()}}`;
}
