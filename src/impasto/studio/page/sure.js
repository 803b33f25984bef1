/** A question before something is deleted; by keyboard as by mouse. */

import { button, make } from "./dom.js";

/** @param {string} text @param {string} word on the button that does it @returns {Promise<boolean>} whether it is meant */
export function sure(text, word = "Delete") {
  const told = make("dialog", { className: "sure", "aria-labelledby": "sure-text" }, make("p", { id: "sure-text" }, text));
  told.append(make("div", { className: "row" }, button("Keep it", "button", () => told.close(), { autofocus: true }),
    button(word, "button warn", () => told.close("yes"))));
  document.body.append(told);
  told.showModal(); // Escape closes it, and the focus goes back to where it was
  return new Promise((done) => {
    told.addEventListener("close", () => { told.remove(); done(told.returnValue === "yes"); });
  });
}
