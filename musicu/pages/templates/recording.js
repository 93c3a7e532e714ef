
const seconds = Number(document.querySelector("main").dataset.seconds);
const sound = $("sound"), lanes = $("lanes"), scroll = $("scroll"), cursor = $("cursor");
const seek = $("seek"), toggle = $("toggle"), zoom = $("zoom");

for (const mark of document.querySelectorAll("[data-top]")) mark.style.top = mark.dataset.top + "%";
for (const mark of document.querySelectorAll("[data-left]")) {
  mark.style.left = mark.dataset.left + "%";
  if (Number(mark.dataset.left) > 94) mark.classList.add("last");
}

const place = () => {
  const share = Math.min(sound.currentTime / seconds, 1), x = share * lanes.clientWidth;
  cursor.style.left = 100 * share + "%";
  cursor.hidden = false;
  seek.value = sound.currentTime;
  seek.setAttribute("aria-valuetext", clock(sound.currentTime));
  $("time").textContent = clock(sound.currentTime) + " / " + clock(Math.round(seconds));
  const inside = x >= scroll.scrollLeft && x <= scroll.scrollLeft + scroll.clientWidth;
  if (!inside && !sound.paused) scroll.scrollLeft = x - 0.1 * scroll.clientWidth;
};

const go = (time) => {
  sound.currentTime = Math.max(0, Math.min(time, seconds));
  place();
};

const fail = (text) => {
  $("controls").hidden = true;
  cursor.hidden = true;
  $("problem").textContent = text;
  $("problem").hidden = false;
};

$("zoom-label").hidden = false;
zoom.addEventListener("input", () => {
  const middle = (scroll.scrollLeft + scroll.clientWidth / 2) / lanes.clientWidth;
  lanes.style.width = 100 * 2 ** Number(zoom.value) + "%";
  zoom.setAttribute("aria-valuetext", 2 ** Number(zoom.value) + " times");
  scroll.scrollLeft = middle * lanes.clientWidth - scroll.clientWidth / 2;
});

if (sound) {
  $("controls").hidden = false;
  const frame = () => {
    place();
    if (!sound.paused) requestAnimationFrame(frame);
  };
  const shown = () => {
    document.body.classList.toggle("playing", !sound.paused);
    toggle.setAttribute("aria-label", sound.paused ? "Play" : "Pause");
    if (!sound.paused) requestAnimationFrame(frame);
  };
  for (const event of ["play", "pause", "ended"]) sound.addEventListener(event, shown);
  for (const event of ["seeked", "timeupdate"]) sound.addEventListener(event, place);
  sound.addEventListener("error", () => fail("This browser cannot play the file."));
  const flip = () => {
    if (sound.paused) sound.play().catch(() => fail("This browser cannot play the file."));
    else sound.pause();
  };
  toggle.addEventListener("click", flip);
  seek.addEventListener("input", () => go(Number(seek.value)));
  lanes.addEventListener("click", (event) => {
    const box = lanes.getBoundingClientRect();
    go((event.clientX - box.left) / box.width * seconds);
  });
  onKeys("input, audio", (event) => ({
    ArrowLeft: () => go(sound.currentTime - 5),
    ArrowRight: () => go(sound.currentTime + 5),
    ...(event.target.matches("button") ? {} : { " ": flip }),
  }));
  place();
}
