"use strict";

const PAGE = 60;
const list = document.getElementById("list");
const more = document.getElementById("more");
const filter = document.getElementById("filter");
const modality = document.getElementById("modality");
const wanted = document.getElementById("wanted");
const answers = document.getElementById("answers");
const form = document.getElementById("drop");
const state = document.getElementById("state");
let tracklets = [];
let shown = PAGE;
let chosen = null;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function strip(entry) {
  const image = element("img", "strip");
  image.loading = "lazy";
  image.alt = `Frames of ${entry.name}, and their silhouettes`;
  image.src = `strips/${entry.key}`;
  image.onerror = () => {
    const note = element("div", "missing", "–");
    note.title = "The frames of this tracklet are not on this machine.";
    image.replaceWith(note);
  };
  return image;
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(1).padStart(4, "0")}`;
}

function facts(entry) {
  const time = entry.start === null ? "" : `, ${clock(entry.start)} to ${clock(entry.end)}`;
  return entry.modality + time;
}

async function ask(address, options) {
  const reply = await fetch(address, options);
  const content = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(content.error || `The server answered with status ${reply.status}.`);
  return content;
}

function drawList() {
  const words = filter.value.toLowerCase();
  const fitting = tracklets.filter((entry) =>
    entry.name.toLowerCase().includes(words) && (!modality.value || entry.modality === modality.value));
  document.getElementById("count").textContent = `${fitting.length} of ${tracklets.length} tracklets`;
  list.replaceChildren(...fitting.slice(0, shown).map((entry) => {
    const button = element("button", "tracklet");
    button.setAttribute("aria-pressed", String(entry.key === chosen));
    button.append(strip(entry), element("span", "name", entry.name), element("span", "faint", facts(entry)));
    button.onclick = () => choose(entry);
    const item = element("li");
    item.append(button);
    return item;
  }));
  more.hidden = fitting.length <= shown;
}

async function choose(entry) {
  chosen = entry.key;
  history.replaceState(null, "", `#${chosen}`);
  for (const button of list.querySelectorAll("button")) button.setAttribute("aria-pressed", "false");
  drawList();
  let result;
  try {
    result = await ask(`answers/${entry.key}?modality=${wanted.value}`);
  } catch (error) {
    answers.replaceChildren(element("p", "verdict false", error.message));
    return;
  }
  if (chosen !== entry.key) return; // Another was chosen meanwhile.
  const head = element("div", "query");
  const text = element("div");
  text.append(element("h1", "", entry.name), element("p", "faint", facts(entry)),
    element("p", `verdict ${result.somebody}`, result.verdict));
  head.append(strip(entry), text);
  const cards = element("ol");
  cards.id = "candidates";
  cards.append(...result.candidates.map((candidate, rank) => {
    const known = { ...tracklets.find((other) => other.key === candidate.key), ...candidate };
    const button = element("button");
    const chance = known.p === null ? "" : `, p ${known.p.toPrecision(2)}`;
    button.append(strip(known), element("div", "name", `${rank + 1}. ${known.name}`),
      element("div", "faint", facts(known)), element("div", "faint", `distance ${known.distance.toFixed(3)}${chance}`));
    button.onclick = () => choose(known);
    const item = element("li");
    item.append(button);
    return item;
  }));
  answers.replaceChildren(head, cards);
  answers.scrollTop = 0;
}

async function add(files) {
  if (!files.length) return;
  const content = new FormData();
  for (const file of files) content.append("files", file);
  content.append("modality", form.elements.modality.value);
  state.textContent = "Looking for people …";
  try {
    const { keys } = await ask("added", { method: "POST", body: content });
    await load();
    state.textContent = `${keys.length} tracklet${keys.length === 1 ? "" : "s"} added.`;
    choose(tracklets.find((entry) => entry.key === keys[0]));
  } catch (error) {
    state.textContent = error.message;
  }
  form.elements.files.value = "";
}

async function load() {
  tracklets = (await ask("tracklets")).tracklets;
  drawList();
}

filter.oninput = modality.onchange = () => { shown = PAGE; drawList(); };
wanted.onchange = () => {
  const entry = tracklets.find((other) => other.key === chosen);
  if (entry) choose(entry);
};
more.onclick = () => { shown += PAGE; drawList(); };
form.elements.files.onchange = (event) => add(event.target.files);
form.onsubmit = (event) => event.preventDefault();
document.ondragover = (event) => { event.preventDefault(); form.classList.add("over"); };
document.ondragleave = () => form.classList.remove("over");
document.ondrop = (event) => { event.preventDefault(); form.classList.remove("over"); add(event.dataTransfer.files); };
load().then(() => {
  const linked = tracklets.find((entry) => `#${entry.key}` === location.hash) || tracklets[0];
  if (linked) choose(linked);
});
