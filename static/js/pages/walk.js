// The answer to an act is kept even if the button that was pressed has been drawn anew meanwhile.
//
// Parts of a step are redrawn while it runs. htmx looks for the parts to swap from the element that asked;
// once that has left the document it would find none of them, and a refusal would go unseen.
// An answer about another step than the one that is open by now is dropped: its parts have the same names.

const step = (path) => path?.match(/^.*\/step\/\d+\//)?.[0];

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  const { elt, xhr, pathInfo } = detail;
  if (elt.getAttribute("hx-target") !== "#walk-pulse") return;
  elt.addEventListener("htmx:beforeOnLoad", (event) => {
    if (elt.isConnected || event.detail.xhr !== xhr || xhr.status === 204) return;
    event.preventDefault();
    const open = document.getElementById("walk-pulse");
    if (step(open?.getAttribute("hx-get")) !== step(pathInfo.requestPath)) return;
    if (xhr.getResponseHeader("Content-Type")?.startsWith("text/html") && open) {
      window.htmx.swap(document.body, xhr.response, { swapStyle: "none" });
    }
  });
});
