/** Options that take pictures: uploaded here, named by their ids. */

import { upload } from "./api.js";
import { button, make } from "./dom.js";

const KINDS = { style_mask: "mask", semantic: "mask" };
/** Words for where to begin; anything else is a picture. */
export const BEGINNINGS = ["content", "noise", "fast"];
const SEEN = { content: "the photo", noise: "noise", fast: "the fast method's picture" };

/** Any number of pictures. */
export function pictures({ name, id, value, keep }) {
  const list = make("ul", { className: "given" });
  const trouble = make("p", { className: "trouble", role: "alert", hidden: true });
  let ids = [...(value || [])];
  const set = (told) => { ids = told; keep(told); draw(); };
  const add = adder(id, KINDS[name] || "photo", trouble, (picture) => set([...ids, picture.id]));
  const draw = () => list.replaceChildren(
    ...ids.map((one, n) => thumb(one, `picture ${n + 1}`, () => set(ids.filter((_, m) => m !== n)))), make("li", {}, add));
  draw();
  return make("div", {}, list, trouble);
}

/** Where to begin: by a word, or by a picture. */
export function beginning({ id, hint, value, keep }) {
  const own = Boolean(value) && !BEGINNINGS.includes(value);
  const trouble = make("p", { className: "trouble", role: "alert", hidden: true });
  const box = make("select", { id, "aria-label": "Begin with", "aria-describedby": hint },
    make("option", { value: "" }, "as usual"), ...BEGINNINGS.map((word) => make("option", { value: word }, SEEN[word])),
    make("option", { value: "own" }, "a picture of yours"));
  box.value = own ? "own" : value || "";
  const list = make("ul", { className: "given", hidden: !own });
  const draw = (picture) => list.replaceChildren(
    ...(picture ? [thumb(picture, "the first picture", () => { keep(null); draw(null); })] : [make("li", {}, add)]));
  const add = adder(id, "photo", trouble, (picture) => { keep(picture.id); draw(picture.id); });
  box.addEventListener("change", () => {
    list.hidden = box.value !== "own";
    draw(null);
    keep(box.value === "own" || !box.value ? null : box.value);
  });
  draw(own ? value : null);
  return make("div", {}, box, list, trouble);
}

function adder(id, kind, trouble, onPicture) {
  const file = make("input", { type: "file", className: "unseen", accept: "image/*", id: `${id}-file`, tabIndex: -1, "aria-label": "Picture file" });
  const press = button("Add a picture", "button", () => file.click());
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    trouble.hidden = true;
    press.disabled = true;
    try { onPicture(await upload(file.files[0], kind)); } catch (error) {
      trouble.textContent = error.message;
      trouble.hidden = false;
    }
    press.disabled = false;
    file.value = "";
  });
  return make("span", {}, press, file);
}

function thumb(id, called, onAway) {
  return make("li", {}, make("img", { src: `/api/pictures/${id}/thumbnail`, alt: called }),
    button("×", "away", onAway, { "aria-label": `Remove ${called}` }));
}
