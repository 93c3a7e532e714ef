
const rows = [...document.querySelectorAll(".cards")].map((list) =>
  [...list.querySelectorAll(".card")].map((box) => ({
    box,
    face: box.querySelector(".face"),
    title: box.querySelector(".title").textContent,
    artist: box.querySelector(".artist").textContent,
    cover: box.querySelector("img").src,
    source: box.dataset.source,
  })));
const cards = rows.flat();
const rowOf = (card) => rows.find((row) => row.includes(card)) || [];
const usable = (card) => card.source && !card.box.classList.contains("broken");
const beside = (card, step) => neighbour(rowOf(card), card, step, usable);
let shown = null;

const player = createPlayer({
  usable,
  beside,
  first: () => cards.find(usable),
  changed: () => {
    const current = player.current(), playing = !player.audio.paused;
    for (const card of cards) {
      const own = card === current;
      card.box.classList.toggle("current", own && player.chosen());
      card.box.classList.toggle("playing", own && playing);
      if (usable(card)) card.face.setAttribute("aria-label", labelOf(card, own && playing));
    }
    if (player.chosen() && current !== shown) bringIntoView(current.box);
    shown = player.chosen() ? current : null;
  },
  failed: (card) => {
    card.box.classList.add("broken");
    card.face.setAttribute("aria-disabled", "true");
    card.face.setAttribute("aria-label", `${card.title} by ${card.artist} cannot be played`);
    const note = document.createElement("p");
    note.className = "problem";
    note.textContent = GONE;
    card.box.append(note);
    return beside(card, 1);
  },
  keys: (event) => {
    const card = cards.find((each) => each.face === event.target);
    if (!card) return {};
    const row = rowOf(card), at = row.indexOf(card);
    return {
      ArrowRight: () => move(row[at + 1]),
      ArrowLeft: () => move(row[at - 1]),
      ArrowDown: () => move(across(card, 1)),
      ArrowUp: () => move(across(card, -1)),
      Home: () => move(row[0]),
      End: () => move(row.at(-1)),
    };
  },
});

// One card of a row is in the tab order; arrow keys move from there.
const move = (to) => {
  if (!to) return;
  for (const card of rowOf(to)) card.face.tabIndex = card === to ? 0 : -1;
  to.face.focus({ preventScroll: true });
  bringIntoView(to.box);
};
const across = (from, step) => {
  let next = rows.indexOf(rowOf(from)) + step;
  while (rows[next] && !rows[next].length) next += step;
  if (!rows[next]) return null;
  const left = (card) => card.box.getBoundingClientRect().left;
  const gap = (card) => Math.abs(left(card) - left(from));
  return rows[next].reduce((best, card) => gap(card) < gap(best) ? card : best);
};

for (const row of rows) row.forEach((card, place) => {
  card.face.tabIndex = place ? -1 : 0;
  if (usable(card)) card.face.setAttribute("aria-label", labelOf(card, false));
  card.face.addEventListener("click", () => player.toggle(card));
  card.box.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") player.enter(card); });
  card.box.addEventListener("pointerleave", player.leave);
  card.face.addEventListener("focus", () => { if (card.face.matches(":focus-visible")) player.enter(card); });
  card.face.addEventListener("blur", player.leave);
});

for (const section of document.querySelectorAll(".row")) {
  const list = section.querySelector(".cards");
  const [back, on] = section.querySelectorAll(".arrows button");
  const fit = () => {
    const end = list.scrollWidth - list.clientWidth;
    section.querySelector(".arrows").hidden = end < 8;
    back.disabled = list.scrollLeft < 8;
    on.disabled = list.scrollLeft > end - 8;
  };
  const turn = (step) => list.scrollBy({ left: step * .85 * list.clientWidth, behavior: calm ? "auto" : "smooth" });
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  list.addEventListener("scroll", fit, { passive: true });
  addEventListener("resize", fit);
  fit();
}
$("preview").checked = !calm;
$("hover").hidden = false;
$("keys").hidden = false;
