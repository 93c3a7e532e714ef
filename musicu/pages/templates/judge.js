
const test = JSON.parse($("test").textContent);
const memory = "musicu-judge-" + test.test;
const answers = new Map();
const players = {};
const cards = [...document.querySelectorAll(".card")];
let session = "";  // one listener's answers, however often they are saved
let current = 0;
let began = Date.now();

function newSession() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(memory) || "{}");
    session = kept.session || "";
    for (const answer of kept.answers || []) answers.set(answer.trial, answer);
  } catch { /* a browser that keeps nothing for files: the page works without */ }
  session ||= newSession();
}

function remember() {
  try {
    localStorage.setItem(memory, JSON.stringify({ session, answers: [...answers.values()] }));
  } catch { /* as above */ }
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
    if (player.getAttribute("src")) $("problem").textContent = "This browser cannot play one of the three tracks. Answer “No difference”, or open the page in another browser.";
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
  $("trial").hidden = over;
  $("done").hidden = !over;
  $("problem").textContent = "";
  const bar = $("bar");
  bar.setAttribute("aria-valuenow", answers.size);
  bar.firstElementChild.style.width = 100 * answers.size / test.trials.length + "%";
  $("progress").textContent = over
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
  $("back").disabled = current === 0;
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
  const saved = new Date().toISOString();
  return { format: test.format, test: test.test, session, saved, sealed: test.sealed, questions: test.trials.length, answers: sorted };
}

function save() {
  download(`answers-${test.test}.json`, JSON.stringify(documentOfAnswers(), null, 1), "application/json");
  $("saved").textContent = `${answers.size} answers saved`;
}

function startOver() {
  answers.clear();
  session = newSession();
  remember();
  $("saved").textContent = "";
  show(0);
}

for (const button of document.querySelectorAll(".choose")) button.addEventListener("click", () => choose(button.dataset.choice));
$("back").addEventListener("click", () => show(current - 1));
$("save").addEventListener("click", save);
$("again").addEventListener("click", startOver);
onKeys("input", (event) => ({
  0: () => toggle("seed"), 1: () => toggle("left"), 2: () => toggle("right"),
  ArrowLeft: () => choose("left"), ArrowRight: () => choose("right"), ArrowDown: () => choose("same"),
  Backspace: () => show(current - 1), s: save,
  ...(event.target.matches("button") ? {} : { " ": () => toggle("seed") }),
}));

recall();
const unanswered = test.trials.findIndex((_, place) => !answers.has(place));
show(unanswered < 0 ? test.trials.length : unanswered);
