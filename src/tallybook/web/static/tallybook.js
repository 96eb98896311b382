// Keeps a page true: what the server says looks different is put in its place. Without this, reload the page.
"use strict";

function keep(main) {
  const source = new EventSource(main.dataset.live);
  source.addEventListener("part", (event) => {
    const { part, html } = JSON.parse(event.data);
    const place = main.querySelector(`[data-part="${CSS.escape(part)}"]`);
    if (place) replace(place, html);
  });
  source.addEventListener("end", () => source.close());
  window.addEventListener("pagehide", () => source.close());
}

function replace(place, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  if (fresh.innerHTML === place.innerHTML) return;
  const open = [...place.querySelectorAll("details[open][id]")].map((each) => each.id);
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  const scrolled = [...place.querySelectorAll(".wide")].map((each) => each.scrollLeft);
  place.replaceChildren(fresh.content);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  place.querySelectorAll(".wide").forEach((each, index) => { each.scrollLeft = scrolled[index] ?? 0; });
}

document.querySelectorAll("[data-live]").forEach(keep);

document.querySelectorAll("[data-again]").forEach((main) => {
  setTimeout(() => location.reload(), 1000 * Number(main.dataset.again));
});
