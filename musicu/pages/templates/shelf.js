
const tracks = [...document.querySelectorAll("[data-track]")].map((box) => {
  const audio = box.querySelector("audio");  // for browsers that run no script
  return {
    box,
    button: box.querySelector(".play"),
    title: box.querySelector(".title").textContent,
    artist: box.querySelector(".artist").textContent,
    cover: box.querySelector("img").src,
    source: audio && audio.src,
    type: audio && audio.dataset.type,
  };
}).filter((track) => track.source);

const usable = (track) => !track.box.classList.contains("broken");
const fail = (track, why) => {
  const note = track.box.querySelector(".problem");
  note.querySelector(".why").textContent = why;
  note.hidden = false;
  track.box.classList.add("broken");
  track.button.hidden = true;
};
const beside = (track, step) => neighbour(tracks, track, step, usable);
const first = () => tracks.find((track) => track.box.matches("li") && usable(track)) || tracks.find(usable);
let shown = null;

const player = createPlayer({
  usable,
  beside,
  first,
  changed: () => {
    const current = player.current(), playing = !player.audio.paused;
    for (const track of tracks) {
      const own = track === current && playing;
      track.box.classList.toggle("current", track === current);
      track.box.classList.toggle("playing", own);
      track.button.setAttribute("aria-label", labelOf(track, own));
    }
    if (current && current !== shown) bringIntoView(current.box);
    shown = current;
  },
  failed: (track) => {
    fail(track, GONE);
    return beside(track, 1);
  },
  keys: () => ({ ArrowRight: () => skip(5), ArrowLeft: () => skip(-5) }),
});
const skip = (seconds) => {
  const { audio } = player;
  if (player.current()) audio.currentTime = Math.max(0, Math.min(audio.duration || 0, audio.currentTime + seconds));
};

for (const track of tracks) {
  track.button.hidden = false;
  track.button.addEventListener("click", () => player.toggle(track));
  if (!player.audio.canPlayType(track.type)) fail(track, "This browser cannot play this format.");
}
$("keys").hidden = false;
$("play-all").hidden = !first();
$("play-all").addEventListener("click", () => player.start(first()));
