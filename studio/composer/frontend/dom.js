// Making and patching elements: the only module that creates nodes. Text is always a text node;
// markup in a name stays the characters it is. No listeners here: an element carries its `act`,
// and one listener at the root looks it up.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `props.act` is [name, ...values], `props.style` sets custom properties. */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "act") element.act = value;
    else if (name === "style") setStyle(element, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

function setStyle(element, values) {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
}

/** Makes `old` equal to `fresh` and keeps every node that can stay, so focus and clicks survive. */
export function patch(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return old;
  }
  old.act = fresh.act;
  patchAttributes(old, fresh);
  patchChildren(old, fresh);
  return old;
}

function patchAttributes(old, fresh) {
  const untouched = old.nodeName === "INPUT" && old.value === old.defaultValue;
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  // What somebody is typing is theirs until they leave the field.
  if (old.nodeName === "INPUT" && (untouched || !old.matches(":focus")))
    old.value = old.defaultValue;
}

function patchChildren(old, fresh) {
  const olds = [...old.childNodes];
  const news = [...fresh.childNodes];
  news.forEach((child, index) => {
    if (index < olds.length) patch(olds[index], child);
    else old.append(child);
  });
  for (const child of olds.slice(news.length)) child.remove();
}

/** The nearest element at or above `node` that `test` holds for, up to the root of its tree. */
export function closest(node, test) {
  while (node && node.nodeType === Node.ELEMENT_NODE && !test(node)) node = node.parentNode;
  return node && node.nodeType === Node.ELEMENT_NODE ? node : null;
}

/** How much of the page's upper edge the header lies over, in pixels. */
export function covered() {
  const header = document.querySelector("[data-testid=stHeader]");
  if (!header || getComputedStyle(header).backgroundColor === "rgba(0, 0, 0, 0)") return 0;
  return header.offsetHeight;
}

/** The nearest box around `node` that scrolls, through shadow roots; the page's own at last. */
export function scroller(node) {
  let at = node;
  while (at) {
    if (at.nodeType === Node.ELEMENT_NODE && at.scrollHeight > at.clientHeight + 1) {
      const { overflowY } = getComputedStyle(at);
      if (overflowY === "auto" || overflowY === "scroll") return at;
    }
    at = at.parentNode ?? at.host;
  }
  return document.scrollingElement;
}
