
(() => {
  const $ = (id) => document.getElementById(id);
  const boxes = [...document.querySelectorAll("[data-track]")];
  const tracks = boxes.map((box) => ({
    box,
    audio: box.querySelector("audio"),
    button: box.querySelector(".play"),
    title: box.querySelector(".title").textContent,
    artist: box.querySelector(".artist").textContent,
    cover: box.querySelector("img").src,
  })).filter((track) => track.audio);
  let current = null;

  const fail = (track, why) => {
    const note = track.box.querySelector(".problem");
    note.querySelector(".why").textContent = why;
    note.hidden = false;
    track.box.classList.add("broken");
    track.button.hidden = true;
  };
  const usable = (track) => !track.box.classList.contains("broken");
  const beside = (track, step) => {
    let at = tracks.indexOf(track) + step;
    while (tracks[at] && !usable(tracks[at])) at += step;
    return tracks[at];
  };

  const show = () => {
    if (!current) return;
    const playing = !current.audio.paused;
    for (const track of tracks) {
      const own = track === current && playing;
      track.box.classList.toggle("current", track === current);
      track.box.classList.toggle("playing", own);
      track.button.setAttribute("aria-label", `${own ? "Pause" : "Play"} ${track.title} by ${track.artist}`);
    }
    $("player").classList.toggle("playing", playing);
    $("toggle").setAttribute("aria-label", playing ? "Pause" : "Play");
  };
  const tick = positionBar(() => current && current.audio);
  const announce = (track) => {
    $("now-cover").src = track.cover;
    $("now-title").textContent = track.title;
    $("now-artist").textContent = track.artist;
    $("said").textContent = `Playing ${track.title} by ${track.artist}`;
    $("player").hidden = false;
    if ("mediaSession" in navigator) {
      navigator.mediaSession.metadata = new MediaMetadata({ title: track.title, artist: track.artist });
    }
  };

  const play = (track) => {
    if (!track) return;
    if (track !== current) {
      if (current) current.audio.pause();
      current = track;
      if (track.audio.ended) track.audio.currentTime = 0;
      announce(track);
      track.box.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    }
    track.audio.play().catch(() => show());
  };
  const toggle = (track) => {
    if (track === current && !track.audio.paused) track.audio.pause();
    else play(track);
  };
  const first = () => tracks.find((track) => track.box.matches("li") && usable(track)) || tracks.find(usable);
  const skip = (seconds) => {
    if (current) current.audio.currentTime = Math.max(0, Math.min(current.audio.duration || 0, current.audio.currentTime + seconds));
  };

  for (const track of tracks) {
    track.button.hidden = false;
    track.button.addEventListener("click", () => toggle(track));
    track.audio.addEventListener("play", () => {
      for (const other of tracks) if (other !== track) other.audio.pause();
      if (track !== current) { current = track; announce(track); }
      show();
    });
    track.audio.addEventListener("pause", show);
    track.audio.addEventListener("timeupdate", () => { if (track === current) tick(); });
    track.audio.addEventListener("durationchange", () => { if (track === current) tick(); });
    track.audio.addEventListener("ended", () => { if (track === current) play(beside(track, 1)); });
    track.audio.addEventListener("error", () => {
      fail(track, "The file is not where this page expects it, or this browser cannot play it.");
      if (track === current) { show(); play(beside(track, 1)); }
    });
    if (!track.audio.canPlayType(track.audio.dataset.type)) fail(track, "This browser cannot play this format.");
  }
  document.documentElement.classList.add("js");
  $("keys").hidden = false;
  if (first()) $("play-all").hidden = false;
  $("play-all").addEventListener("click", () => play(first()));
  $("toggle").addEventListener("click", () => toggle(current));
  $("next-track").addEventListener("click", () => play(beside(current, 1)));
  $("previous").addEventListener("click", () => play(beside(current, -1)));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, summary, a, audio")) return;
    const acts = {
      j: () => play(current ? beside(current, 1) : first()),
      k: () => play(current ? beside(current, -1) : first()),
      ArrowRight: () => skip(5),
      ArrowLeft: () => skip(-5),
    };
    if (!event.target.matches("button")) acts[" "] = () => current ? toggle(current) : play(first());
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  if ("mediaSession" in navigator) {
    navigator.mediaSession.setActionHandler("nexttrack", () => play(beside(current, 1)));
    navigator.mediaSession.setActionHandler("previoustrack", () => play(beside(current, -1)));
  }
})();
