// Unsent words stay in this browser until they have been sent, per person and place.
//
// A form sent through htmx forgets its draft when the answer is a success. A plain form cannot see its
// answer, so its draft waits under a "sent" mark: the next page drops it if it brought a success message,
// and keeps it otherwise (a refused form, or a sign-in page in between).

const PREFIX = `erpops:draft:${document.body.dataset.user ?? ""}:`;
const SENT = `erpops:sent:${document.body.dataset.user ?? ""}:`;
const FIELDS = "textarea[data-draft], input[data-draft]";

const store = {
  read: (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  write: (key, value) => {
    try {
      if (value) localStorage.setItem(key, value);
      else localStorage.removeItem(key);
    } catch {
      // Full or switched off: the words stay in the field only.
    }
  },
};

function keys(prefix) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    return [];
  }
}

function settle() {
  const succeeded = document.querySelector("[data-toast]");
  for (const mark of keys(SENT)) {
    if (succeeded) store.write(PREFIX + mark.slice(SENT.length), "");
    store.write(mark, "");
  }
}

// What was typed in this page since it was sent last: a part that is drawn again must not take it away.
const typed = new Map();

function restore(root) {
  for (const field of root.querySelectorAll(FIELDS)) {
    const kept = store.read(PREFIX + field.dataset.draft);
    if (typed.has(field.dataset.draft)) field.value = typed.get(field.dataset.draft);
    else if (kept && !field.value) field.value = kept;
  }
}

function forget(form) {
  for (const field of form.querySelectorAll(FIELDS)) {
    typed.delete(field.dataset.draft);
    store.write(PREFIX + field.dataset.draft, "");
  }
}

document.addEventListener("input", (event) => {
  if (!event.target.matches(FIELDS)) return;
  typed.set(event.target.dataset.draft, event.target.value);
  store.write(PREFIX + event.target.dataset.draft, event.target.value);
});

document.addEventListener("submit", (event) => {
  if ("draftsClear" in event.target.dataset) {
    for (const key of [...keys("erpops:draft:"), ...keys("erpops:sent:")]) store.write(key, "");
  } else if (!event.target.hasAttribute("hx-post")) {
    for (const field of event.target.querySelectorAll(FIELDS)) store.write(SENT + field.dataset.draft, "1");
  }
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig, shouldSwap } = event.detail;
  const sent = requestConfig?.verb !== "get" && xhr.status < 300 && (shouldSwap || xhr.status === 204);
  const form = requestConfig?.elt?.closest?.("form");
  if (sent && form) forget(form);
});
document.addEventListener("htmx:load", (event) => restore(event.detail.elt.parentElement ?? document));

settle();
restore(document);
