"use strict";
(() => {
  const table = document.getElementById("ranking");
  if (table) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const value = (row, column) => {
      const cell = row.cells[column];
      return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent.trim().toLowerCase();
    };
    const sort = (head) => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const column = head.cellIndex;
      const order = (one, two) => {
        const [a, b] = [value(one, column), value(two, column)];
        return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
      };
      body.append(...rows.slice().sort(order));
    };
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.append(...head.childNodes);
      button.type = "button";
      button.addEventListener("click", () => sort(head));
      head.append(button);
    }
    const find = document.getElementById("find");
    const [text, level] = [find.querySelector("input"), find.querySelector("select")];
    const filter = () => {
      const wanted = text.value.trim().toLowerCase();
      let left = 0;
      for (const row of rows) {
        const fits = !level.value || row.dataset.level === level.value;
        row.hidden = !(fits && row.textContent.toLowerCase().includes(wanted));
        if (!row.hidden) left += 1;
      }
      find.querySelector("output").textContent = `${left} of ${rows.length} rows`;
    };
    for (const field of [text, level]) field.addEventListener("input", filter);
    find.hidden = false;
    filter();
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  document.documentElement.dataset.script = "ran";
})();
