// The entry that Streamlit calls: once when the component appears and again whenever its data or
// the theme changes. One composer per place on the page.

import { Composer } from "./composer.js";

const composers = new WeakMap();

export default function mount({ data, parentElement, setStateValue }) {
  let composer = composers.get(parentElement);
  if (!composer) {
    composer = new Composer(parentElement, data?.place);
    composers.set(parentElement, composer);
  }
  if (data) composer.update(data, setStateValue);
  return () => setTimeout(() => leave(parentElement, composer));
}

// Streamlit also cleans up after a call that a newer one has overtaken, and then the composer stays.
// Only a place that is no longer on the page has really been left.
function leave(parentElement, composer) {
  if ((parentElement.host ?? parentElement).isConnected) return;
  composer.stop();
  composers.delete(parentElement);
}
