
(() => {
  const $ = (id) => document.getElementById(id);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const audio = new Audio();
  audio.preload = "none";
  const rows = [...document.querySelectorAll(".cards")].map((list) =>
    [...list.querySelectorAll(".card")].map((box) => ({
      box, list,
      face: box.querySelector(".face"),
      title: box.querySelector(".title").textContent,
      artist: box.querySelector(".artist").textContent,
      cover: box.querySelector("img").src,
      source: box.dataset.source,
    })));
  const cards = rows.flat();
  let current = null;   // what plays, or is paused
  let chosen = false;   // by a click or key; else it is a preview, which ends with the hover
  let touched = false;  // browsers let sound begin only after the first click or key
  let wait = 0;
  let fade = 0;

  const usable = (card) => card && card.source && !card.box.classList.contains("broken");
  const show = () => {
    for (const card of cards) {
      const own = card === current;
      const playing = own && !audio.paused;
      card.box.classList.toggle("current", own && chosen);
      card.box.classList.toggle("playing", playing);
      if (usable(card)) card.face.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${card.title} by ${card.artist}`);
    }
    $("player").classList.toggle("playing", !audio.paused);
    $("toggle").setAttribute("aria-label", audio.paused ? "Play" : "Pause");
  };
  const fail = (card) => {
    card.box.classList.add("broken");
    card.face.setAttribute("aria-disabled", "true");
    card.face.setAttribute("aria-label", `${card.title} by ${card.artist} cannot be played`);
    const note = document.createElement("p");
    note.className = "problem";
    note.textContent = "The file is not where this page expects it, or this browser cannot play it.";
    card.box.append(note);
  };
  const announce = (card) => {
    $("now-cover").src = card.cover;
    $("now-title").textContent = card.title;
    $("now-artist").textContent = card.artist;
    if (chosen) $("said").textContent = `Playing ${card.title} by ${card.artist}`;
    $("player").hidden = false;
    if ("mediaSession" in navigator) navigator.mediaSession.metadata = new MediaMetadata({ title: card.title, artist: card.artist });
  };
  const swell = (target) => {
    clearInterval(fade);
    fade = setInterval(() => {
      audio.volume = Math.min(1, audio.volume + .1);
      if (audio.volume >= target) clearInterval(fade);
    }, 40);
  };
  const start = (card, byHand) => {
    if (!usable(card)) return;
    chosen = byHand;
    if (card !== current) {
      current = card;
      audio.src = card.source;
      audio.volume = byHand ? 1 : 0;
      announce(card);
      if (byHand) card.box.scrollIntoView({ block: "nearest", inline: "nearest", behavior: calm ? "auto" : "smooth" });
    } else if (byHand) {
      audio.volume = 1;
      announce(card);
    }
    if (!byHand) swell(1); else clearInterval(fade);
    audio.play().catch(() => show());
    show();
  };
  const toggle = (card) => {
    if (!card) return;
    if (card === current && chosen && !audio.paused) audio.pause();
    else start(card, true);
  };
  const stop = () => {
    clearTimeout(wait);
    audio.pause();
    chosen = false;
    show();
  };
  const beside = (card, step) => {
    const row = rows.find((list) => list.includes(card)) || [];
    let at = row.indexOf(card) + step;
    while (row[at] && !usable(row[at])) at += step;
    return row[at];
  };
  const first = () => cards.find(usable);

  const hear = (card) => {
    clearTimeout(wait);
    if (!$("preview").checked || !touched || (chosen && !audio.paused)) return;
    wait = setTimeout(() => start(card, false), 350);
  };
  const leave = (card) => {
    clearTimeout(wait);
    if (card === current && !chosen) audio.pause();
  };

  for (const card of cards) {
    card.face.addEventListener("click", () => { touched = true; toggle(card); });
    card.box.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") hear(card); });
    card.box.addEventListener("pointerleave", () => leave(card));
    card.face.addEventListener("focus", () => { if (card.face.matches(":focus-visible")) hear(card); });
    card.face.addEventListener("blur", () => leave(card));
    card.face.tabIndex = -1;
  }
  for (const row of rows) if (row.length) row[0].face.tabIndex = 0;
  const move = (to) => {
    if (!to) return;
    const row = rows.find((list) => list.includes(to));
    for (const card of row) card.face.tabIndex = card === to ? 0 : -1;
    to.face.focus({ preventScroll: true });
    to.box.scrollIntoView({ block: "nearest", inline: "nearest", behavior: calm ? "auto" : "smooth" });
  };
  const across = (from, step) => {
    const at = rows.findIndex((list) => list.includes(from));
    let next = at + step;
    while (rows[next] && !rows[next].length) next += step;
    if (!rows[next]) return null;
    const x = from.box.getBoundingClientRect().left;
    const gap = (card) => Math.abs(card.box.getBoundingClientRect().left - x);
    return rows[next].reduce((best, card) => gap(card) < gap(best) ? card : best);
  };

  audio.addEventListener("play", show);
  audio.addEventListener("pause", show);
  audio.addEventListener("ended", () => { const next = beside(current, 1); if (chosen && next) start(next, true); else show(); });
  audio.addEventListener("error", () => {
    if (!current || !audio.src) return;
    const failed = current;
    fail(failed);
    const next = chosen && beside(failed, 1);
    if (next) start(next, true); else show();
  });
  const tick = positionBar(() => audio);
  audio.addEventListener("timeupdate", tick);
  audio.addEventListener("durationchange", tick);
  $("toggle").addEventListener("click", () => { chosen = true; if (audio.paused) start(current, true); else audio.pause(); });
  $("next-track").addEventListener("click", () => start(beside(current, 1), true));
  $("previous").addEventListener("click", () => start(beside(current, -1), true));

  for (const section of document.querySelectorAll(".row")) {
    const list = section.querySelector(".cards");
    const [back, on] = section.querySelectorAll(".arrows button");
    const fit = () => {
      const end = list.scrollWidth - list.clientWidth;
      section.querySelector(".arrows").hidden = end < 8;
      back.disabled = list.scrollLeft < 8;
      on.disabled = list.scrollLeft > end - 8;
    };
    const page = (step) => list.scrollBy({ left: step * .85 * list.clientWidth, behavior: calm ? "auto" : "smooth" });
    back.addEventListener("click", () => page(-1));
    on.addEventListener("click", () => page(1));
    list.addEventListener("scroll", fit, { passive: true });
    addEventListener("resize", fit);
    fit();
  }

  addEventListener("pointerdown", () => { touched = true; }, { capture: true });
  document.addEventListener("keydown", (event) => {
    touched = true;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, summary, audio")) return;
    const card = cards.find((each) => each.face === event.target);
    const acts = {
      j: () => start(current ? beside(current, 1) : first(), true),
      k: () => start(current ? beside(current, -1) : first(), true),
      Escape: stop,
    };
    if (card) Object.assign(acts, {
      ArrowRight: () => { const row = rows.find((list) => list.includes(card)); move(row[row.indexOf(card) + 1]); },
      ArrowLeft: () => { const row = rows.find((list) => list.includes(card)); move(row[row.indexOf(card) - 1]); },
      ArrowDown: () => move(across(card, 1)),
      ArrowUp: () => move(across(card, -1)),
      Home: () => move(rows.find((list) => list.includes(card))[0]),
      End: () => move(rows.find((list) => list.includes(card)).at(-1)),
    });
    if (!event.target.matches("button, a")) acts[" "] = () => toggle(current || first());
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  if ("mediaSession" in navigator) {
    navigator.mediaSession.setActionHandler("nexttrack", () => start(beside(current, 1), true));
    navigator.mediaSession.setActionHandler("previoustrack", () => start(beside(current, -1), true));
  }
  document.documentElement.classList.add("js");
  $("preview").checked = !calm;
  $("hover").hidden = false;
  $("keys").hidden = false;
  show();
})();
