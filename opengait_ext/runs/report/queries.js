"use strict";

// Every query of both directions, one page at a time, so that pictures are decoded only when they are shown.
const PER_PAGE = 20;
const data = JSON.parse(document.getElementById("query-data").textContent);
const filters = document.getElementById("filters");
const list = document.getElementById("query-list");
const pageInput = document.getElementById("query-page");
let fitting = [];
let page = 1;

const tracklet = (index) => {
  const [person, camera, track, modality, picture] = data.tracklets[index];
  return { person, camera, track, modality, picture };
};
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function strip(index, kind, mark, note) {
  const { person, camera, track, modality, picture } = tracklet(index);
  let image = make("div", "missing", "no picture");
  if (picture) {
    image = make("img");
    image.loading = "lazy";
    image.alt = `${kind ? `${kind}: ` : ""}person ${person}, camera ${camera}, ${modality}`;
    image.src = picture;
  }
  const caption = make("figcaption", "", make("b", "", mark), ` ${person}, camera ${camera}`);
  caption.title = `tracklet ${track}`;
  if (note) caption.append(make("br"), note);
  return make("figure", `strip ${kind}`, image, caption);
}

function part(title, ...strips) {
  return make("div", "part", make("p", "", title), make("div", "row", ...strips));
}

function card([index, precision, first, answers, missed]) {
  const query = tracklet(index);
  const facts = first ? `AP ${percent(precision)}, first right answer at rank ${first}` : "no match in the gallery";
  const head = make("h3", "", `Person ${query.person}, camera ${query.camera} `, make("small", "", facts));
  const row = make("div", "compared", part(`query, ${query.modality}`, strip(index, "", "query", "")));
  const strips = answers.map(([other, distance, right], rank) =>
    strip(other, right ? "correct" : "wrong", `${rank + 1}. ${right ? "✓" : "✗"}`, distance.toFixed(3)));
  row.append(part("nearest first, with distances", ...strips));
  if (missed) {
    const [other, rank, distance] = missed;
    row.append(part("the right answer that was missed", strip(other, "correct", `${rank}. ✓`, distance.toFixed(3))));
  }
  return make("li", "", head, row);
}

function direction() {
  return data.directions[Number(filters.elements.direction.value)];
}

function matches(query) {
  const { answer, person, camera } = Object.fromEntries(new FormData(filters));
  const shown = tracklet(query[0]);
  const words = person.trim();
  const exact = people.has(words);
  const kind = query[2] === 0 ? "none" : query[2] === 1 ? "right" : "wrong";
  return (!answer || answer === kind) && (!camera || camera === String(shown.camera))
    && (!words || (exact ? shown.person === words : shown.person.includes(words)));
}

function show() {
  const pages = Math.max(1, Math.ceil(fitting.length / PER_PAGE));
  page = Math.min(Math.max(1, page), pages);
  list.replaceChildren(...fitting.slice((page - 1) * PER_PAGE, page * PER_PAGE).map(card));
  pageInput.value = page;
  pageInput.max = pages;
  document.getElementById("query-pages").textContent = pages;
  document.querySelector("[data-step='-1']").disabled = page === 1;
  document.querySelector("[data-step='1']").disabled = page === pages;
  document.getElementById("query-count").value = `${fitting.length} of ${direction().queries.length} queries`;
}

function select() {
  fitting = direction().queries.filter(matches);
  const order = filters.elements.order.value;
  const keys = order === "ap" ? ([, precision, first]) => (first ? precision : 2) : null;
  fitting.sort((a, b) => keys ? keys(a) - keys(b)
    : tracklet(a[0]).person.localeCompare(tracklet(b[0]).person) || tracklet(a[0]).camera - tracklet(b[0]).camera);
  page = 1;
  show();
}

function turn(step) {
  page += step;
  show();
  document.getElementById("queries").scrollIntoView();
}

const shownPeople = data.directions.flatMap(({ queries }) => queries.map(([index]) => tracklet(index)));
const people = new Set(shownPeople.map(({ person }) => person).sort());
const cameras = [...new Set(shownPeople.map(({ camera }) => camera))].sort((a, b) => a - b);
filters.elements.direction.append(...data.directions.map(({ title }, number) => new Option(title, number)));
filters.elements.camera.append(...cameras.map((camera) => new Option(camera, camera)));
document.getElementById("people-list").append(...[...people].map((person) => new Option(person)));
filters.addEventListener("input", select);
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("reset", () => setTimeout(select));
pageInput.addEventListener("change", () => { page = Number(pageInput.value) || 1; show(); });
for (const button of document.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => turn(Number(button.dataset.step)));
}
// The table of people leads to the queries of one.
for (const link of document.querySelectorAll("a[data-person]")) {
  link.addEventListener("click", () => {
    filters.reset();
    filters.elements.person.value = link.dataset.person;
    select();
  });
}
select();
