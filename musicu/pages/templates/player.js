
const GONE = "The file is not where this page expects it, or this browser cannot play it.";

// Plays the tracks of a page, one at a time: the bar below, keys, previews while the pointer rests.
// A track has title, artist, source and, where there is one, cover. The page says
//   usable(track): whether it can be played;
//   beside(track, step): the one after (1) or before (-1) it;
//   first(): where to begin;
//   changed(): called when another track plays, or none;
//   failed(track): called where its sound cannot be had; returns the track to go on with;
//   keys(event): what further keys do.
const createPlayer = ({ usable, beside, first, changed, failed, keys = () => ({}) }) => {
  const audio = new Audio();
  audio.preload = "none";
  let current = null;   // what plays, or is paused
  let chosen = false;   // by a click or key; else it is a preview, which ends with the hover
  let touched = false;  // browsers let sound begin only after the first click or key
  let wait = 0, fade = 0;

  const show = () => {
    $("player").classList.toggle("playing", !audio.paused);
    $("toggle").setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    changed();
  };
  const announce = () => {
    const { title, artist, cover } = current;
    if (cover) $("now-cover").src = cover;
    $("now-title").textContent = title;
    $("now-artist").textContent = artist;
    if (chosen) $("said").textContent = `Playing ${title} by ${artist}`;
    $("player").hidden = false;
    if ("mediaSession" in navigator) navigator.mediaSession.metadata = new MediaMetadata({ title, artist });
  };
  const start = (track, byHand = true) => {
    if (!track) return;
    if (!usable(track)) {
      if (byHand) $("said").textContent = `${track.title} cannot be played here`;
      return;
    }
    clearInterval(fade);
    chosen = byHand;
    if (track !== current) {
      current = track;
      audio.src = track.source;
    }
    audio.volume = byHand ? 1 : 0;
    if (!byHand) fade = setInterval(() => {
      audio.volume = Math.min(1, audio.volume + .1);
      if (audio.volume === 1) clearInterval(fade);
    }, 40);
    announce();
    audio.play().catch(show);
    show();
  };
  const toggle = (track = current || first()) => {
    if (track && track === current && chosen && !audio.paused) audio.pause();
    else start(track);
  };
  const step = (by) => start(current ? beside(current, by) : first());
  const stop = () => {
    clearTimeout(wait);
    audio.pause();
    chosen = false;
    show();
  };
  // a preview, while the pointer rests on a track
  const enter = (track) => {
    clearTimeout(wait);
    if (!$("preview").checked || !touched || (chosen && !audio.paused)) return;
    wait = setTimeout(() => start(track, false), 350);
  };
  const leave = () => {
    clearTimeout(wait);
    if (!chosen) audio.pause();
  };

  for (const event of ["play", "pause"]) audio.addEventListener(event, show);
  audio.addEventListener("ended", () => {
    const next = chosen && beside(current, 1);
    if (next) start(next); else show();
  });
  audio.addEventListener("error", () => {
    if (!current) return;
    const next = failed(current);
    if (chosen && next) start(next); else show();
  });

  let seeking = false;
  const tick = () => {
    const { currentTime, duration } = audio;
    $("length").textContent = clock(duration);
    if (!seeking) {
      $("elapsed").textContent = clock(currentTime);
      $("position").value = duration ? 1000 * currentTime / duration : 0;
    }
    $("position").setAttribute("aria-valuetext", `${clock(currentTime)} of ${clock(duration)}`);
  };
  const sought = () => $("position").value / 1000 * (audio.duration || 0);
  for (const event of ["timeupdate", "durationchange"]) audio.addEventListener(event, tick);
  $("position").addEventListener("input", () => {
    seeking = true;
    $("elapsed").textContent = clock(sought());
  });
  $("position").addEventListener("change", () => {
    seeking = false;
    audio.currentTime = sought();
  });

  $("toggle").addEventListener("click", () => toggle());
  $("next-track").addEventListener("click", () => step(1));
  $("previous").addEventListener("click", () => step(-1));
  addEventListener("pointerdown", () => { touched = true; }, { capture: true });
  addEventListener("keydown", () => { touched = true; }, { capture: true });
  onKeys("input, select, summary, audio", (event) => ({
    j: () => step(1),
    k: () => step(-1),
    Escape: stop,
    ...(event.target.matches("button, a") ? {} : { " ": () => toggle() }),
    ...keys(event),
  }));
  if ("mediaSession" in navigator) {
    navigator.mediaSession.setActionHandler("nexttrack", () => step(1));
    navigator.mediaSession.setActionHandler("previoustrack", () => step(-1));
  }
  return { audio, start, toggle, stop, enter, leave, current: () => current, chosen: () => chosen };
};

// The next track of a list that can be played.
const neighbour = (list, track, step, usable) => {
  let at = list.indexOf(track) + step;
  while (list[at] && !usable(list[at])) at += step;
  return list[at];
};
const labelOf = (track, playing) => `${playing ? "Pause" : "Play"} ${track.title} by ${track.artist}`;
const bringIntoView = (box) => box.scrollIntoView({ block: "nearest", inline: "nearest", behavior: calm ? "auto" : "smooth" });
