// Narrows the rows of a picker while somebody types; without it the form asks the server.

document.addEventListener("input", ({ target }) => {
  const rows = document.getElementById(target.dataset?.pickFilter ?? "");
  if (!rows) return;
  const wanted = target.value.trim().toLowerCase();
  let shown = 0;
  for (const row of rows.querySelectorAll("[data-pick-row]")) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    shown += !row.hidden;
  }
  rows.querySelector("[data-pick-none]").hidden = shown > 0;
});

// Enter narrows, which has happened: it must not leave the sheet.
document.addEventListener("submit", (event) => {
  if (event.target.classList.contains("pick-filter") && event.target.closest("dialog")) event.preventDefault();
});
