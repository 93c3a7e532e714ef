
"use strict";
const test = JSON.parse(document.getElementById("test").textContent);
const memory = "musicu-judge-" + test.test;
const answers = new Map();
const players = {};
let current = 0;
let began = Date.now();

const cards = [...document.querySelectorAll(".card")];
const byId = (id) => document.getElementById(id);

function remembered() {
  try {
    for (const answer of JSON.parse(localStorage.getItem(memory) || "[]")) answers.set(answer.trial, answer);
  } catch { /* a browser that keeps nothing for files: the page works without */ }
}

function remember() {
  try { localStorage.setItem(memory, JSON.stringify([...answers.values()])); } catch { /* as above */ }
}

for (const card of cards) {
  const player = new Audio();
  const side = card.dataset.side;
  players[side] = player;
  player.preload = "none";
  const seek = card.querySelector(".seek");
  player.addEventListener("play", () => {
    for (const [other, one] of Object.entries(players)) if (other !== side) one.pause();
    card.classList.add("playing");
  });
  player.addEventListener("pause", () => card.classList.remove("playing"));
  player.addEventListener("timeupdate", () => {
    if (player.duration) seek.value = 1000 * player.currentTime / player.duration;
  });
  player.addEventListener("error", () => {
    if (player.getAttribute("src")) byId("problem").textContent = "This browser cannot play one of the three: skip it with “No difference”, or try another browser.";
  });
  seek.addEventListener("input", () => {
    const go = () => { player.currentTime = seek.value / 1000 * player.duration; };
    if (player.duration) go();
    else { player.addEventListener("loadedmetadata", go, { once: true }); player.load(); }
  });
  card.querySelector(".play").addEventListener("click", () => toggle(side));
}

function toggle(side) {
  const player = players[side];
  if (player.paused) player.play().catch(() => {}); else player.pause();
}

function show(place) {
  current = Math.max(0, Math.min(place, test.trials.length));
  const over = current === test.trials.length;
  byId("trial").hidden = over;
  byId("done").hidden = !over;
  byId("problem").textContent = "";
  const bar = byId("bar");
  bar.setAttribute("aria-valuenow", answers.size);
  bar.firstElementChild.style.width = 100 * answers.size / test.trials.length + "%";
  byId("progress").textContent = over
    ? `${answers.size} of ${test.trials.length} answered`
    : `${current + 1} of ${test.trials.length}`;
  for (const card of cards) {
    const player = players[card.dataset.side];
    player.pause();
    card.classList.remove("playing");
    card.querySelector(".seek").value = 0;
    if (over) player.removeAttribute("src"); else player.src = test.trials[current][card.dataset.side];
  }
  const before = answers.get(current);
  for (const button of document.querySelectorAll(".choose")) {
    button.classList.toggle("chosen", before !== undefined && before.choice === button.dataset.choice);
  }
  byId("back").disabled = current === 0;
  began = Date.now();
}

function choose(choice) {
  if (current >= test.trials.length) return;
  answers.set(current, { trial: current, choice, seconds: Math.round((Date.now() - began) / 100) / 10 });
  remember();
  show(current + 1);
}

function documentOfAnswers() {
  const sorted = [...answers.values()].sort((a, b) => a.trial - b.trial);
  return { format: test.format, test: test.test, sealed: test.sealed, questions: test.trials.length, answers: sorted };
}

function save() {
  const blob = new Blob([JSON.stringify(documentOfAnswers(), null, 1)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `answers-${test.test}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  byId("saved").textContent = `${answers.size} answers saved`;
}

for (const button of document.querySelectorAll(".choose")) button.addEventListener("click", () => choose(button.dataset.choice));
byId("back").addEventListener("click", () => show(current - 1));
byId("save").addEventListener("click", save);

const keys = {
  " ": () => toggle("seed"), 0: () => toggle("seed"), 1: () => toggle("left"), 2: () => toggle("right"),
  ArrowLeft: () => choose("left"), ArrowRight: () => choose("right"), ArrowDown: () => choose("same"),
  Backspace: () => show(current - 1), s: save, S: save,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const inside = event.target.closest("input, button");
  if (inside && (inside.matches("input") || event.key === " ")) return;
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

remembered();
const open = test.trials.findIndex((_, place) => !answers.has(place));
show(open < 0 ? test.trials.length : open);
