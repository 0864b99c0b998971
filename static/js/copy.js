// Copy buttons. Without a secure context the clipboard API is missing; the old way still works there.

function source(button) {
  if (button.dataset.copy) return document.querySelector(button.dataset.copy);
  return button.parentElement?.querySelector("code, pre, .mono");
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr-only";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done ? undefined : Promise.reject(new Error("copying is not allowed"));
}

// Other scripts say what they want copied with `copy:text`.
document.body.addEventListener("copy:text", async ({ detail }) => {
  try {
    await copy(detail.text);
    document.body.dispatchEvent(new CustomEvent("toast", { detail: { text: "Copied." } }));
  } catch {
    document.body.dispatchEvent(new CustomEvent("announce", { detail: { text: "Copying is not allowed here." } }));
  }
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy], [data-copy-near]");
  const from = button && source(button);
  if (!from) return;
  try {
    await copy(from.textContent);
    document.body.dispatchEvent(new CustomEvent("toast", { detail: { text: "Copied." } }));
  } catch {
    getSelection().selectAllChildren(from);
    document.body.dispatchEvent(
      new CustomEvent("announce", { detail: { text: "Copying is not allowed here; the text is selected." } }),
    );
  }
});
