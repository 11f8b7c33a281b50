"use strict";

function make(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

// Tables are sorted by a click on a head, or Enter on its button.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", "", ...head.childNodes);
    button.type = "button";
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const order = isNaN(x) || isNaN(y) || x === "" || y === "" ? x.localeCompare(y) : x - y;
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}

// Figures open in full size.
const large = document.getElementById("large");
function enlarge(image) {
  const copy = make("img");
  copy.src = image.src;
  copy.alt = image.alt;
  large.querySelector(".scroll").replaceChildren(copy);
  large.showModal();
}
large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
for (const image of document.querySelectorAll("figure:not(.strip) img")) {
  const button = make("button", "zoom");
  button.type = "button";
  button.title = "Show in full size";
  image.replaceWith(button);
  button.append(image);
  button.addEventListener("click", () => enlarge(image));
}
