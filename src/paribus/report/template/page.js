"use strict";
// Legends: press a name to see its series alone.
for (const figure of document.querySelectorAll("figure")) {
  const buttons = [...figure.querySelectorAll(".legend button")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const pressed = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(pressed));
      const chosen = new Set(buttons.filter(b => b.getAttribute("aria-pressed") === "true").map(b => b.value));
      figure.classList.toggle("focused", chosen.size > 0);
      for (const mark of figure.querySelectorAll("[data-series]")) {
        mark.classList.toggle("on", chosen.has(mark.dataset.series));
      }
    });
  }
}

// The table of all runs: data as JSON, rows made on demand as text, never as markup.
const source = document.getElementById("runs-data");
if (source) {
  const { columns, numeric, choices, rows } = JSON.parse(source.textContent);
  const table = document.getElementById("runs-table");
  const count = document.getElementById("runs-count");
  const more = document.getElementById("runs-more");
  const text = document.getElementById("runs-filter");
  const selects = new Map();
  const state = { column: -1, descending: false, shown: 50 };

  const asNumber = value => typeof value === "number" ? value : { "inf": Infinity, "-inf": -Infinity }[value] ?? NaN;
  const compare = (a, b) => {
    if (!numeric[state.column]) return String(a).localeCompare(String(b), undefined, { numeric: true });
    const [x, y] = [asNumber(a), asNumber(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return x < y ? -1 : x > y ? 1 : 0;
  };

  const selected = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = rows.filter(row =>
      [...selects].every(([column, select]) => select.value === "" || String(row[column]) === select.value) &&
      words.every(word => row.some(cell => String(cell).toLowerCase().includes(word))));
    if (state.column < 0) return kept;
    const sign = state.descending ? -1 : 1;
    return kept.map((row, place) => [row, place])
      .sort((a, b) => {
        const missing = cell => cell === "" || cell === "nan";
        const [x, y] = [a[0][state.column], b[0][state.column]];
        if (missing(x) !== missing(y)) return missing(x) ? 1 : -1;
        return sign * compare(x, y) || a[1] - b[1];
      })
      .map(pair => pair[0]);
  };

  const draw = () => {
    const kept = selected();
    const body = document.createElement("tbody");
    for (const row of kept.slice(0, state.shown)) {
      const line = body.insertRow();
      row.forEach((cell, column) => {
        const place = line.insertCell();
        place.textContent = typeof cell === "number" ? String(Number(cell.toPrecision(5))) : String(cell);
        if (numeric[column]) place.className = "number";
      });
    }
    table.tBodies[0].replaceWith(body);
    count.textContent = `${kept.length} of ${rows.length} rows`;
    more.hidden = kept.length <= state.shown;
    more.textContent = `Show ${Math.min(200, kept.length - state.shown)} more`;
  };

  const head = table.tHead.insertRow();
  columns.forEach((name, column) => {
    const cell = document.createElement("th");
    const button = document.createElement("button");
    cell.scope = "col";
    if (numeric[column]) cell.className = "number";
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => {
      state.descending = state.column === column && !state.descending;
      state.column = column;
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      draw();
    });
    cell.append(button);
    head.append(cell);
  });
  for (const column of choices) {
    const label = document.createElement("label");
    const select = document.createElement("select");
    label.append(columns[column], select);
    select.append(new Option("all", ""));
    for (const level of new Set(rows.map(row => String(row[column])))) select.append(new Option(level, level));
    select.addEventListener("change", () => { state.shown = 50; draw(); });
    selects.set(column, select);
    document.getElementById("runs-tools").append(label);
  }
  text.addEventListener("input", () => { state.shown = 50; draw(); });
  more.addEventListener("click", () => { state.shown += 200; draw(); });
  draw();
}
