// What the console says back: toasts for small acts that worked, inline words for what did not.

const { body } = document;
const toasts = document.getElementById("toasts");
const pageErrors = document.getElementById("page-errors");
const announcer = document.getElementById("announce");
const TOAST_MS = 7_000;
const MOST_TOASTS = 3;

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  svg.firstChild.setAttribute("href", `${body.dataset.icons}#${name}`);
  return svg;
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

// Goes after TOAST_MS of not being looked at.
function expire(toast) {
  let left = TOAST_MS;
  const timer = setInterval(() => {
    if (document.hidden || toast.matches(":hover, :focus-within")) return;
    left -= 500;
    if (left > 0) return;
    clearInterval(timer);
    toast.remove();
  }, 500);
}

function toast(text) {
  const button = element("button", "btn btn-quiet btn-icon btn-sm", icon("close"));
  button.type = "button";
  button.setAttribute("aria-label", "Dismiss");
  button.dataset.toastClose = "";
  const made = element("div", "toastlet", icon("check"), element("span", "", text), button);
  toasts.append(made);
  while (toasts.children.length > MOST_TOASTS) toasts.firstElementChild.remove();
  expire(made);
}

function complain(near, text) {
  const box = element("div", "inline-error", icon("alert"), element("span", "", text));
  box.setAttribute("role", "alert");
  box.dataset.for = near?.id ?? "";
  const place = near?.closest("form") ?? near;
  if (place && place !== body && place.isConnected) place.after(box);
  else pageErrors.replaceChildren(box);
}

function forget(near) {
  const place = near.closest("form") ?? near;
  if (place.nextElementSibling?.matches(".inline-error")) place.nextElementSibling.remove();
}

const SENTENCES = {
  400: "The server could not read that. Reload the page and try again.",
  403: "Your roles do not cover this, so nothing was done.",
  404: "This no longer exists, or is not visible to you. Reload the page.",
  405: "This cannot be done here. Reload the page.",
  413: "That is too large to send.",
  429: "Too many requests. Wait a few seconds and try again.",
  503: "The server is busy. Wait a few seconds and try again.",
};

function sentence(xhr) {
  const plain = (xhr.getResponseHeader("Content-Type") ?? "").startsWith("text/plain");
  if (plain && xhr.responseText && xhr.responseText.length < 400) return xhr.responseText.trim();
  const reference = xhr.getResponseHeader("X-Request-ID");
  const words = SENTENCES[xhr.status] ?? "The server failed, and it is not certain that this was done. Reload to see.";
  return reference ? `${words} Reference ${reference}.` : words;
}

// Nobody pressed anything: news, or a look every so often, which no event has caused. The connection's word tells.
const isBackground = (detail) => {
  const cause = detail.requestConfig?.triggeringEvent;
  return cause ? cause.type.startsWith("live:") : /(^|, )every /.test(detail.elt?.getAttribute?.("hx-trigger") ?? "");
};

function signedOut() {
  if (pageErrors.querySelector("[data-signed-out]")) return;
  const link = element("a", "", "Sign in again");
  link.href = `${body.dataset.login}?next=${encodeURIComponent(location.pathname + location.search + location.hash)}`;
  const words = element("span", "", "You are signed out. ", link, "; what you were writing is kept in this browser.");
  const box = element("div", "inline-error", icon("lock"), words);
  box.dataset.signedOut = "";
  pageErrors.replaceChildren(box);
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, pathInfo } = event.detail;
  if (!xhr.responseURL || !body.dataset.login) return;
  const landed = new URL(xhr.responseURL).pathname;
  if (landed !== body.dataset.login || pathInfo.requestPath.startsWith(body.dataset.login)) return;
  event.detail.shouldSwap = false;
  event.detail.isError = false;
  signedOut();
});

document.addEventListener("htmx:responseError", (event) => {
  if (!isBackground(event.detail)) complain(event.detail.elt, sentence(event.detail.xhr));
});

for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    if (isBackground(event.detail)) return;
    const read = event.detail.requestConfig?.verb === "get";
    complain(
      event.detail.elt,
      read
        ? "The connection failed. Try again."
        : "The connection failed, and it is not certain that this was done. Reload to see before you repeat it.",
    );
  });
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isBackground(event.detail)) return;
  forget(event.detail.elt);
  (event.detail.requestConfig?.triggeringEvent?.submitter ?? event.detail.elt).setAttribute?.("aria-busy", "true");
});

document.addEventListener("htmx:afterRequest", (event) => {
  (event.detail.requestConfig?.triggeringEvent?.submitter ?? event.detail.elt)?.removeAttribute?.("aria-busy");
});

// A plain form is sent once; Back restores it.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.hasAttribute("hx-post") || form.method !== "post") return;
  if ("sent" in form.dataset) return event.preventDefault();
  form.dataset.sent = "";
  event.submitter?.setAttribute("aria-busy", "true");
  return undefined;
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("form [aria-busy]")) button.removeAttribute("aria-busy");
});

document.addEventListener("click", (event) => {
  event.target.closest?.("[data-toast-close]")?.closest(".toastlet").remove();
});
body.addEventListener("toast", (event) => toast(event.detail.text ?? event.detail.value));
body.addEventListener("announce", (event) => {
  announcer.textContent = "";
  requestAnimationFrame(() => {
    announcer.textContent = event.detail.text;
  });
});
document.addEventListener("htmx:load", (event) => {
  const wanted = event.detail.elt.matches?.("[data-focus-me]")
    ? event.detail.elt
    : event.detail.elt.querySelector?.("[data-focus-me]");
  wanted?.focus();
});

for (const waiting of toasts.querySelectorAll(".toastlet")) expire(waiting);
for (const error of toasts.querySelectorAll("[data-page-error]")) pageErrors.append(error);
document.querySelector("main [data-focus-me]")?.focus();
