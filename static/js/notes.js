// Notes: pictures are pasted, dropped or chosen, terminal output is put into a block of its own.
//
// A picture is sent at once and stands in the text as a reference, so the text is all that a draft must keep.
// Without this script the form takes the files along.

const KINDS = /^image\/(png|jpeg|gif|webp)$/;
const ESCAPES = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]?/g;

const chooser = (field) => field?.id && document.querySelector(`[data-pictures-for="${CSS.escape(field.id)}"]`);
const token = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}")["x-csrftoken"] ?? "";

function insert(field, text, from = field.selectionStart, to = field.selectionEnd) {
  field.setRangeText(text, from, to, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function replace(field, old, text) {
  const at = field.value.indexOf(old);
  if (at >= 0) insert(field, text, at, at + old.length);
}

function complain(field, text) {
  const place = field.form?.querySelector(".note-problem");
  if (!place) return;
  place.textContent = text;
  place.hidden = !text;
}

async function send(url, file) {
  const body = new FormData();
  body.append("picture", file);
  let answer;
  try {
    answer = await fetch(url, { method: "POST", body, headers: { "x-csrftoken": token() } });
  } catch {
    return { problem: "The picture could not be sent: there is no connection. Paste it again when it is back." };
  }
  if (answer.redirected) return { problem: "The picture was not sent: sign in again, the text is kept." };
  if (answer.headers.get("Content-Type")?.startsWith("application/json")) return answer.json();
  return { problem: answer.status === 413 ? "The picture is too large." : "The picture was not taken. Try again." };
}

let sent = 0;
async function take(field, url, files) {
  complain(field, "");
  for (const file of files) {
    sent += 1;
    const waiting = `[picture ${sent} is being sent…]`;
    const before = field.value && !field.value.slice(0, field.selectionStart).endsWith("\n") ? "\n\n" : "";
    insert(field, `${before}${waiting}\n\n`);
    const { text, problem } = await send(url, file);
    replace(field, `${waiting}\n\n`, text ? `${text}\n\n` : "");
    if (problem) complain(field, problem);
  }
}

const pictures = (list) => [...(list ?? [])].filter((file) => KINDS.test(file.type));

function fenced(text) {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  return `${fence}\n${text.replace(/\n+$/, "")}\n${fence}\n`;
}

document.addEventListener("paste", (event) => {
  const field = event.target;
  const input = chooser(field);
  if (!input) return;
  const files = pictures(event.clipboardData?.files);
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (files.length) {
    event.preventDefault();
    take(field, input.dataset.pictures, files);
  } else if (text.includes("\x1b")) {
    // Colours and cursor movements come from a terminal only.
    event.preventDefault();
    insert(field, fenced(text.replace(ESCAPES, "")));
  }
});

document.addEventListener("dragover", (event) => {
  if (chooser(event.target) && event.dataTransfer?.types.includes("Files")) event.preventDefault();
});

document.addEventListener("drop", (event) => {
  const input = chooser(event.target);
  if (!input || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  const files = pictures(event.dataTransfer.files);
  if (files.length) take(event.target, input.dataset.pictures, files);
  else complain(event.target, "Only pictures are taken: PNG, JPEG, GIF and WebP.");
});

document.addEventListener("change", (event) => {
  const { pictures: url, picturesFor } = event.target.dataset ?? {};
  if (!url) return;
  const files = [...event.target.files];
  event.target.value = "";
  take(document.getElementById(picturesFor), url, files);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-fence]");
  const field = button && document.getElementById(button.dataset.fence);
  if (!field) return;
  const all = field.selectionStart === field.selectionEnd;
  const [from, to] = all ? [0, field.value.length] : [field.selectionStart, field.selectionEnd];
  insert(field, fenced(field.value.slice(from, to)), from, to);
  field.focus();
});

function show(root) {
  for (const button of root.querySelectorAll("[data-fence]")) button.hidden = false;
}

document.addEventListener("htmx:load", (event) => show(event.detail.elt.parentElement ?? document));
show(document);
