// Sheets and dialogs: native <dialog>, filled by htmx, and confirm buttons that do not fire by accident.

const ARM_MS = 400;
const sheet = document.getElementById("sheet");
const slot = document.getElementById("sheet-body");

function name(dialog) {
  const heading = dialog.querySelector("h2");
  if (!heading) return;
  heading.id ||= `${dialog.id || "dialog"}-title`;
  dialog.setAttribute("aria-labelledby", heading.id);
}

function open(dialog) {
  if (!dialog.open) dialog.showModal();
  name(dialog);
}

async function load(url) {
  slot.innerHTML = '<p class="sheet-body-loading" role="status"><span class="spinner"></span>Loading…</p>';
  open(sheet);
  try {
    await window.htmx.ajax("GET", url, { target: slot, swap: "innerHTML" });
  } catch {
    // The message below is the report.
  }
  if (slot.querySelector(".sheet-body-loading")) {
    slot.innerHTML =
      '<p class="sheet-body-loading" role="alert">This could not be loaded. <a>Open it as a page</a> or close and try again.</p>';
    slot.querySelector("a").href = url;
  }
  name(sheet);
  slot.querySelector("[autofocus], [data-focus-me]")?.focus();
}

// The browser puts the cursor into a search before htmx listens to it: what was typed until now is asked for.
slot?.addEventListener("htmx:load", (event) => {
  const field = event.target.querySelector?.("[role=search] [autofocus]");
  if (field?.value) field.form.requestSubmit();
});

document.addEventListener("click", (event) => {
  const trigger = event.target.closest?.("[data-sheet-url], [data-sheet-open], [data-sheet-close]");
  if (!trigger || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (trigger.getAttribute("aria-disabled") === "true") return event.preventDefault();
  event.preventDefault();
  if ("sheetClose" in trigger.dataset) return trigger.closest("dialog")?.close();
  trigger.closest("details.menu")?.removeAttribute("open");
  if (trigger.dataset.sheetUrl) return void load(trigger.dataset.sheetUrl);
  const dialog = document.querySelector(trigger.dataset.sheetOpen);
  if (dialog) {
    dialog.dispatchEvent(new CustomEvent("sheet:open"));
    open(dialog);
  }
  return undefined;
});

// A click on the backdrop closes, unless something was typed.
document.addEventListener("pointerdown", (event) => {
  const dialog = event.target;
  if (!(dialog instanceof HTMLDialogElement) || !dialog.open || "dirty" in dialog.dataset) return;
  const box = dialog.getBoundingClientRect();
  const outside =
    event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
  if (outside) dialog.close();
});

document.addEventListener("input", (event) => {
  const dialog = event.target.closest("dialog");
  if (dialog) dialog.dataset.dirty = "";
  const wanted = event.target.dataset.mustEqual;
  if (wanted !== undefined) check(event.target, wanted);
});

// The browser's own validation explains; the server checks again.
function check(input, wanted) {
  input.setCustomValidity(input.value.trim() === wanted ? "" : `Type exactly: ${wanted}`);
}

document.addEventListener(
  "close",
  (event) => {
    delete event.target.dataset.dirty;
    // What a closed sheet watched is watched no longer: live.js sees its elements go.
    if (event.target === sheet) slot.replaceChildren();
  },
  true,
);

document.body.addEventListener("sheet:close", () => sheet?.close());

const shownAt = new WeakMap();
const eyes = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting, boundingClientRect } of entries) {
    if (isIntersecting && !shownAt.has(target)) shownAt.set(target, performance.now());
    else if (!boundingClientRect.width) shownAt.delete(target);
  }
});

function prepare(root) {
  for (const button of root.querySelectorAll("[data-arm]")) eyes.observe(button);
  for (const input of root.querySelectorAll("[data-must-equal]")) check(input, input.dataset.mustEqual);
}

document.addEventListener(
  "click",
  (event) => {
    const button = event.target.closest?.("[data-arm]");
    if (!button) return;
    const since = performance.now() - (shownAt.get(button) ?? performance.now());
    if (!shownAt.has(button)) shownAt.set(button, performance.now());
    // A press that counts starts the time again: the second half of a double click is not one more.
    if (since >= ARM_MS) return void shownAt.set(button, performance.now());
    event.preventDefault();
    event.stopImmediatePropagation();
    return undefined;
  },
  true,
);

document.addEventListener("htmx:load", (event) => prepare(event.detail.elt.parentElement ?? document));
prepare(document);
