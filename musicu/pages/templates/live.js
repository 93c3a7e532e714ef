const PERIOD = 2000;
const whole = (number) => number.toLocaleString("en");
const short = (number) => number === null || number === undefined ? "–"
  : number >= 100 ? Math.round(number).toLocaleString("en") : number >= 10 ? number.toFixed(1) : number.toFixed(2);
const text = (id, value) => { $(id).textContent = value; };
const ago = (seconds) => seconds < 60 ? `${seconds} s ago` : `${Math.floor(seconds / 60)} min ago`;

// The rows of a table; a row is a list of texts. nothing: what stands there where there is no row.
const fill = (id, rows, nothing) => {
  const cells = (row, name) => row.map((value) => {
    const cell = document.createElement("td");
    cell.textContent = value;
    cell.className = name;
    return cell;
  });
  $(id).replaceChildren(...(rows.length ? rows : [[nothing]]).map((row) => {
    const line = document.createElement("tr");
    line.append(...cells(row, rows.length ? "" : "nothing"));
    return line;
  }));
};

// A step for each minute that has a value, from an hour ago to now.
const line = (minutes, name, most) => {
  const wide = 600 / minutes.length;
  let pen = "M", path = "";
  minutes.forEach((minute, place) => {
    if (minute[name] === null) { pen = "M"; return; }
    path += `${pen}${(wide * place).toFixed(1)} ${(139 - 138 * minute[name] / most).toFixed(1)}h${wide.toFixed(1)}`;
    pen = "L";
  });
  return path;
};

const show = (now) => {
  text("a-second", short(now.requests.a_second));
  text("p50", short(now.requests.p50));
  text("p99", short(now.requests.p99));
  text("events", whole(now.events));
  text("uploads", whole(now.uploads.count));
  text("tracks", whole(now.tracks));
  const most = Math.max(1, ...now.minutes.map((minute) => minute.p99 ?? 0));
  $("line-p50").setAttribute("d", line(now.minutes, "p50", most));
  $("line-p99").setAttribute("d", line(now.minutes, "p99", most));
  text("top", `top: ${short(most)} ms`);
  text("listeners", `${now.listeners} listeners`);
  fill("outcomes", now.outcomes.map((each) => [each.kind.replaceAll("_", " "), whole(each.count)]), "nothing that enough listeners did");
  text("hidden", now.hidden_kinds ? `Not shown: what fewer than ten listeners did (${now.hidden_kinds} kinds).` : "");
  fill("rewards", now.rewards.map((each) => [each.name.replaceAll("_", " "), whole(each.count), each.mean.toFixed(3)]), "none of enough listeners");
  fill("latest", now.uploads.latest.map((each) => [each.title, ago(each.ago), `${short(each.seconds)} s`]), "none in the last hour");
  fill("routes", now.routes.map((each) => [each.route, whole(each.count), short(each.p50), short(each.p99)]), "none in the last hour");
  text("errors", now.requests.errors ? `${whole(now.requests.errors)} failed` : "none failed");
  text("state", `generation ${now.generation}${now.read_only ? ", read-only" : ""}; ${new Date().toLocaleTimeString("en-GB")}`);
  $("state").className = "";
};

const ask = async () => {
  try {
    const answer = await fetch("live/numbers", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
  } catch {
    text("state", "the service does not answer");
    $("state").className = "lost";
  }
  setTimeout(ask, document.hidden ? 5 * PERIOD : PERIOD);
};
ask();
