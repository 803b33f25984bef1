/** Files on their way to the server: how far they are, and what was wrong with them. */

import { upload } from "./api.js";
import { byId, tell } from "./dom.js";

let sending = 0; // several may be on their way, from here and from there

/**
 * Sends files one after another; one that is refused does not keep the others back.
 * @param {File[]} files @param {"photo"|"style"} kind
 * @returns {Promise<any[]>} the pictures that were taken
 */
export async function send(files, kind) {
  const taken = [];
  const troubles = [];
  tell("", "rail-trouble");
  sending += 1;
  byId("upload-part").hidden = false;
  for (const [n, file] of files.entries()) {
    const which = files.length > 1 ? `, ${n + 1} of ${files.length}` : "";
    byId("upload-text").textContent = `Uploading ${file.name || "the picture"}${which}`;
    byId("upload").value = 0;
    try { taken.push(await upload(file, kind, far)); } catch (error) {
      troubles.push(files.length > 1 ? `${file.name}: ${error.message}` : error.message);
    }
  }
  sending -= 1;
  byId("upload-part").hidden = sending === 0;
  tell(troubles.join("; "), "rail-trouble");
  return taken;
}

/** When all is sent the server still has to read it: a bar that only moves says so. */
function far(share) {
  if (share < 1) byId("upload").value = share;
  else byId("upload").removeAttribute("value");
}
