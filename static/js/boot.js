// Runs before the first paint: choices that only this browser knows. Classic script on purpose.
(() => {
  const root = document.documentElement;
  try {
    if (localStorage.getItem("erpops:rail") === "narrow") root.dataset.rail = "narrow";
    if (localStorage.getItem("erpops:density") === "compact") root.dataset.density = "compact";
  } catch {
    // Storage is switched off: the defaults stand.
  }
  // tokens.css follows the system by itself; this is for rules that ask for data-bs-theme.
  if (root.dataset.theme === "system") {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const apply = () => {
      root.dataset.bsTheme = dark.matches ? "dark" : "light";
    };
    apply();
    dark.addEventListener("change", apply);
  }
})();
