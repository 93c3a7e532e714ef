
"use strict";
// The bar that shows and sets how far a track has played. playing: the audio element, or null.
const positionBar = (playing) => {
  const $ = (id) => document.getElementById(id);
  const clock = (s) => Number.isFinite(s) ? `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}` : "";
  let seeking = false;
  const length = () => playing()?.duration || 0;
  $("position").addEventListener("input", (event) => {
    seeking = true;
    $("elapsed").textContent = clock(event.target.value / 1000 * length());
  });
  $("position").addEventListener("change", (event) => {
    seeking = false;
    if (length()) playing().currentTime = event.target.value / 1000 * length();
  });
  const tick = () => {
    const { currentTime, duration } = playing();
    $("length").textContent = clock(duration);
    if (!seeking) {
      $("elapsed").textContent = clock(currentTime);
      $("position").value = duration ? 1000 * currentTime / duration : 0;
    }
    $("position").setAttribute("aria-valuetext", `${clock(currentTime)} of ${clock(duration)}`);
  };
  return tick;
};
