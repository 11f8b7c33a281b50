"""Style sheet and script of the page."""

STYLE = """
:root { color-scheme: light; --ink: #1c1c1c; --soft: #5b5b5b; --line: #d8d8d8; --tint: #f5f6f8; --accent: #0072b2; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 76rem; color: var(--ink); background: #fff;
       font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; } h3 { font-size: 1rem; }
p.note, figcaption { color: var(--soft); font-size: .9rem; max-width: 60rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; font-size: .9rem; border-block: 1px solid var(--line);
      padding: .5rem 0; }
nav a { color: var(--accent); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child, th.text, td.text { text-align: left; }
thead th { background: var(--tint); position: sticky; top: 0; }
table.sortable thead th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; }
table.sortable thead th button { cursor: pointer; }
th[aria-sort=ascending] button::after { content: " \\25B2"; }
th[aria-sort=descending] button::after { content: " \\25BC"; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
td img { max-width: none; display: block; border: 3px solid transparent; }
td img.correct { border-color: #009e73; } td img.wrong { border-color: #c1272d; border-style: dashed; }
.candidate { display: inline-block; margin-right: .5rem; text-align: left; }
.pair, .tables { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
.pair figure { flex: 1 1 24rem; max-width: 100%; } .tables .scroll { max-height: 30rem; overflow-y: auto; }
.tables > * { max-width: 100%; } .tables .scroll + .scroll { margin-top: 1rem; } td small { color: var(--soft); }
.people { display: flex; flex-wrap: wrap; gap: 1rem; } .people figure { margin: 0; }
.people img { image-rendering: pixelated; height: 12rem; width: auto; }
details { margin: .6rem 0; } pre { background: var(--tint); padding: .8rem; overflow-x: auto; font-size: .8rem; }
@media (max-width: 40rem) { body { padding: .7rem; font-size: 15px; } th, td { padding: .25rem .45rem; } }
@media print { nav { display: none; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        const order = isNaN(x) || isNaN(y) || x === "" || y === "" ? x.localeCompare(y) : x - y;
        return up ? order : -order;
      });
      table.tBodies[0].append(...rows);
    });
  });
}
"""
