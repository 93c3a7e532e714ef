
// Tells the service what is played, skipped and saved on this page.
const { user, ticket } = $("live").dataset;
const someId = () => [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const tell = (card, kind, milliseconds = null) => {
  const event = {
    event_id: someId(),
    user_id: user,
    track_id: card.box.dataset.track,
    exposure_id: card.box.dataset.exposure,
    kind,
    milliseconds,
    at: new Date().toISOString(),
  };
  const again = (left) => fetch("/events", {
    method: "POST",
    keepalive: true,
    headers: { Authorization: `Bearer ${ticket}`, "Content-Type": "application/json" },
    body: JSON.stringify([event]),
  }).then((answer) => { if (answer.status >= 500) throw new Error(); })
    .catch(() => { if (left) setTimeout(again, 2000, left - 1); });
  again(5);
};

// What was listened to of the present track: previews and what is sought past do not count.
let heard = null;
const { audio } = player;
const done = (ended) => {
  if (!heard) return;
  const { card, seconds, length } = heard;
  heard = null;
  const much = ended || seconds >= 60 || seconds >= length / 2;
  tell(card, much ? "played" : "skipped", Math.round(1000 * seconds));
};
audio.addEventListener("timeupdate", () => {
  const card = player.current();
  if (!card || !player.chosen()) return;
  if (!heard || heard.card !== card) {
    done(false);
    heard = { card, seconds: 0, length: Infinity, at: audio.currentTime };
  }
  const step = audio.currentTime - heard.at;
  if (step > 0 && step < 2) heard.seconds += step;
  heard.at = audio.currentTime;
  heard.length = audio.duration || Infinity;
});
audio.addEventListener("ended", () => done(true));
audio.addEventListener("emptied", () => done(false));
addEventListener("pagehide", () => done(false));

const save = (card) => {
  const button = card.box.querySelector(".save");
  const saved = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", saved);
  tell(card, saved ? "saved" : "unsaved");
};
for (const card of cards) card.box.querySelector(".save").addEventListener("click", () => save(card));
onKeys("input, select, summary, audio", (event) => ({
  s: () => { const card = cards.find((each) => each.face === event.target) || player.current(); if (card) save(card); },
}));
