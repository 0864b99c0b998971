// <details> menus close by themselves; the rail and the row height remember their size.

const root = document.documentElement;

function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage is switched off: the choice lasts for this page.
  }
}

function close(menu, refocus) {
  menu.open = false;
  if (refocus) menu.querySelector("summary").focus();
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) close(menu, false);
  }
  if (event.target.closest("[data-rail-toggle]")) {
    root.dataset.rail = root.dataset.rail === "narrow" ? "" : "narrow";
    keep("erpops:rail", root.dataset.rail || "wide");
  }
  const density = event.target.closest("[data-density-set]")?.dataset.densitySet;
  if (density) {
    root.dataset.density = density;
    keep("erpops:density", density);
    showDensity();
  }
});

// A drawer gives way to the page that its link opened.
document.addEventListener("click", (event) => {
  const drawer = event.target.closest?.("a[href]")?.closest("[popover]");
  if (drawer?.matches(":popover-open")) drawer.hidePopover();
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) close(menu, true);
});

document.addEventListener("focusout", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) close(menu, false);
});

function showDensity() {
  for (const button of document.querySelectorAll("[data-density-set]")) {
    button.setAttribute("aria-pressed", String(button.dataset.densitySet === (root.dataset.density ?? "comfortable")));
  }
}
showDensity();
