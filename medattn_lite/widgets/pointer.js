// The page's half of an explorer: tells the kernel whether the page is dark, and what the mouse does in a plane.
// A click gives the picture the wheel; a click elsewhere, or Escape, gives it back to the page.
const STEADY = 4; // pixels: a hand that moves less has clicked

function isDark() {
  const { jpThemeLight } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (document.body.className.includes("vscode-")) return !/vscode-(light|high-contrast-light)/.test(document.body.className);
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function render({ model, el }) {
  el.style.display = "none";
  const over = new AbortController();
  const { signal } = over;
  let picture = null, begun = null, active = false, total = 0, drags = 0;

  const tell = () => { model.set("dark", isDark()); model.save_changes(); };
  const watch = new MutationObserver(tell);
  watch.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell, { signal });
  tell();

  const send = (event) => { model.set("event", event); model.save_changes(); };
  const place = ({ clientX, clientY }) => {
    const box = picture.getBoundingClientRect();
    return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
  };
  const inPlane = ({ x, y }) => model.get("boxes").some(([left, top, right, bottom]) =>
    x >= left && x <= right && y >= top && y <= bottom);
  const setActive = (now) => {
    active = now;
    picture.style.outline = now ? "2px solid var(--jp-brand-color1, #1976d2)" : "";
  };

  const down = (event) => {
    const at = place(event);
    if (event.button !== 0 || !inPlane(at)) return;
    event.preventDefault(); // or the browser would drag the picture away
    picture.setPointerCapture(event.pointerId);
    begun = { ...at, left: event.clientX, top: event.clientY, moved: false };
    setActive(true);
  };
  const move = (event) => {
    picture.style.cursor = inPlane(place(event)) ? "crosshair" : "";
    if (!begun) return;
    const right = event.clientX - begun.left, below = event.clientY - begun.top;
    if (!begun.moved && Math.hypot(right, below) < STEADY) return;
    if (!begun.moved) { begun.moved = true; drags += 1; }
    const box = picture.getBoundingClientRect();
    send({ kind: "drag", number: drags, x: begun.x, y: begun.y, right: right / box.width, down: below / box.height });
  };
  const up = () => {
    if (begun && !begun.moved) send({ kind: "click", x: begun.x, y: begun.y, again: Date.now() });
    begun = null;
  };
  const wheel = (event) => {
    const at = place(event);
    if (!active || !inPlane(at) || event.ctrlKey || !event.deltaY) return; // with Ctrl the browser zooms
    event.preventDefault();
    total -= Math.sign(event.deltaY);
    send({ kind: "wheel", total, ...at });
  };

  const attach = () => {
    picture = el.closest(".medattn-explorer")?.querySelector("img.medattn-picture") ?? null;
    if (!picture) return;
    clearInterval(waiting);
    picture.style.touchAction = "pan-y";
    picture.addEventListener("pointerdown", down, { signal });
    picture.addEventListener("pointermove", move, { signal });
    picture.addEventListener("pointerup", up, { signal });
    picture.addEventListener("pointercancel", () => { begun = null; }, { signal });
    picture.addEventListener("wheel", wheel, { signal, passive: false });
    document.addEventListener("pointerdown", (event) => { if (event.target !== picture) setActive(false); }, { signal });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") setActive(false); }, { signal });
  };
  const waiting = setInterval(attach, 100); // the explorer enters the page after its parts are made
  return () => { over.abort(); watch.disconnect(); clearInterval(waiting); };
}

export default { render };
