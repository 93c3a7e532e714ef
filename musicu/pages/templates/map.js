
(async () => {
  const darkness = matchMedia("(prefers-color-scheme: dark)");

  // what is known of the tracks
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const packed = new Blob([bytes($("data").textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const known = await new Response(packed).json();
  $("data").remove();
  const n = known.n;
  const words16 = (text) => new Uint16Array(bytes(text).buffer);
  const x = Float32Array.from(words16(known.x), (v) => v / 65535);
  const y = Float32Array.from(words16(known.y), (v) => v / 65535);
  const region = words16(known.region);
  const lines = (text) => n ? text.split("\n") : [];
  const titles = lines(known.titles), artists = lines(known.artists), genres = lines(known.genres), files = lines(known.files);
  const hay = titles.map((title, i) => `${title}\n${artists[i]}\n${genres[i]}`.toLowerCase());

  // what is shown: 1 matches the filters; chosen: the selection, or null
  const shown = new Uint8Array(n).fill(1);
  let chosen = null;
  let regionsOn = new Set();
  let hovered = -1;

  // the view: place = offset + scale * coordinate, in CSS pixels
  const stage = $("stage"), points = $("points"), marks = $("marks");
  const ink = points.getContext("2d", { alpha: false }), pen = marks.getContext("2d");
  let width = 1, height = 1, dpr = 1;
  let scale = 1, left = 0, top = 0, whole = 1, moved = false;

  // tracks by cells of a grid, for the one under the pointer
  const CELLS = Math.max(1, Math.min(256, Math.round(Math.sqrt(n / 4))));
  const cellOf = (i) => Math.min(CELLS - 1, Math.floor(x[i] * CELLS)) + CELLS * Math.min(CELLS - 1, Math.floor(y[i] * CELLS));
  const starts = new Uint32Array(CELLS * CELLS + 1), inCells = new Uint32Array(n);
  for (let i = 0; i < n; i++) starts[cellOf(i) + 1]++;
  for (let c = 0; c < CELLS * CELLS; c++) starts[c + 1] += starts[c];
  const fill = starts.slice();
  for (let i = 0; i < n; i++) inCells[fill[cellOf(i)]++] = i;

  const hueOf = (g) => (g * 137.508 + 12) % 360;
  const rgb = (h, s, l) => {
    const a = s * Math.min(l, 1 - l);
    const part = (k) => { const t = (k + h / 30) % 12; return Math.round(255 * (l - a * Math.max(-1, Math.min(t - 3, 9 - t, 1)))); };
    return [part(0), part(8), part(4)];
  };
  let colours = [], back = [0, 0, 0], faint = [0, 0, 0];
  const paint = () => {
    const dark = darkness.matches;
    colours = known.names.map((_, g) => rgb(hueOf(g), dark ? .68 : .62, (dark ? .64 : .46) + (g % 3 - 1) * .05));
    back = dark ? [17, 18, 24] : [246, 247, 250];
    faint = dark ? [58, 61, 72] : [205, 208, 217];
    document.querySelectorAll("#legend [data-region] i").forEach((dot, g) => { dot.style.background = `rgb(${colours[g]})`; });
  };

  const radius = () => Math.max(1.1, Math.min(9, (n > 20000 ? 1.2 : n > 3000 ? 2 : 3.6) * Math.pow(scale / whole, .45)));
  // a dot's pixels: those wholly in it, and those at its rim with their share of 256
  const disc = (r) => {
    const half = Math.ceil(r), core = [], rim = [];
    for (let dy = -half; dy <= half; dy++) for (let dx = -half; dx <= half; dx++) {
      const cover = Math.max(0, Math.min(1, r + .5 - Math.hypot(dx, dy)));
      if (cover >= .95) core.push([dx, dy]);
      else if (cover > .05) rim.push([dx, dy, Math.round(cover * 256)]);
    }
    return { half, core, rim };
  };
  let image = null, frame = null;
  const draw = () => {
    const W = points.width, H = points.height;
    if (!image || image.width !== W || image.height !== H) { image = ink.createImageData(W, H); frame = new Uint32Array(image.data.buffer); }
    const data = image.data;
    frame.fill((255 << 24 | back[2] << 16 | back[1] << 8 | back[0]) >>> 0);
    const dot = disc(radius() * dpr), half = dot.half;
    const core = dot.core.map(([dx, dy]) => dy * W + dx), rim = dot.rim.map(([dx, dy, a]) => [4 * (dy * W + dx), a]);
    const sx = scale * dpr, ox = left * dpr, oy = top * dpr;
    const solid = (c) => (255 << 24 | c[2] << 16 | c[1] << 8 | c[0]) >>> 0;
    const solids = colours.map(solid), faintly = solid(faint);
    const pass = (wanted) => {
      for (let i = 0; i < n; i++) {
        const on = shown[i] && (!chosen || chosen[i]) ? 1 : 0;
        if (on !== wanted) continue;
        const px = Math.round(ox + sx * x[i]), py = Math.round(oy + sx * y[i]);
        if (px < half || py < half || px >= W - half || py >= H - half) continue;
        const colour = on ? colours[region[i]] : faint, whole32 = on ? solids[region[i]] : faintly;
        const middle = py * W + px;
        for (let k = 0; k < core.length; k++) frame[middle + core[k]] = whole32;
        for (let k = 0; k < rim.length; k++) {
          const at = 4 * middle + rim[k][0], a = rim[k][1];
          data[at] += (colour[0] - data[at]) * a >> 8;
          data[at + 1] += (colour[1] - data[at + 1]) * a >> 8;
          data[at + 2] += (colour[2] - data[at + 2]) * a >> 8;
        }
      }
    };
    pass(0);
    pass(1);
    ink.putImageData(image, 0, 0);
  };

  let path = null;  // the box or lasso that is being drawn
  const mark = () => {
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const ring = (i, r, colour, line) => {
      pen.beginPath();
      pen.arc(left + scale * x[i], top + scale * y[i], r, 0, 7);
      pen.lineWidth = line; pen.strokeStyle = colour; pen.stroke();
    };
    const playing = player.current();
    if (playing) ring(playing.i, radius() + 6, style.getPropertyValue("--accent"), 3);
    if (hovered >= 0) ring(hovered, radius() + 3, style.getPropertyValue("--text"), 2);
    if (path && path.length > 1) {
      pen.beginPath();
      path.forEach(([px, py], k) => k ? pen.lineTo(px, py) : pen.moveTo(px, py));
      pen.closePath();
      pen.fillStyle = "rgb(120 130 255 / .14)"; pen.fill();
      pen.lineWidth = 1.5; pen.strokeStyle = style.getPropertyValue("--accent"); pen.stroke();
    }
  };

  // names of regions, where their tracks are densest; one in the way of another is left out
  const middles = known.names.map((_, g) => {
    const xs = [], ys = [];
    for (let i = 0; i < n; i++) if (region[i] === g) { xs.push(x[i]); ys.push(y[i]); }
    const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
    return xs.length ? [median(xs), median(ys)] : [.5, .5];
  });
  const labels = known.names.map((name) => {
    const label = document.createElement("span");
    label.textContent = name;
    $("labels").append(label);
    return label;
  });
  let sizes = null;
  const place = () => {
    sizes ||= labels.map((label) => [label.offsetWidth, label.offsetHeight]);
    const taken = [];
    labels.forEach((label, g) => {
      const [w, h] = sizes[g];
      const cx = left + scale * middles[g][0] - w / 2, cy = top + scale * middles[g][1] - h / 2;
      const free = cx > 4 && cy > 60 && cx + w < width - 4 && cy + h < height - 4
        && taken.every(([a, b, c, d]) => cx > c + 4 || cx + w < a - 4 || cy > d + 4 || cy + h < b - 4);
      label.hidden = !free || (regionsOn.size > 0 && !regionsOn.has(g));
      if (label.hidden) return;
      taken.push([cx, cy, cx + w, cy + h]);
      label.style.transform = `translate(${Math.round(cx)}px, ${Math.round(cy)}px)`;
    });
  };

  let due = 0;
  const refresh = () => { due ||= requestAnimationFrame(() => { due = 0; draw(); mark(); place(); }); };
  const fit = () => {
    width = stage.clientWidth; height = stage.clientHeight;
    dpr = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [points, marks]) { canvas.width = Math.round(width * dpr); canvas.height = Math.round(height * dpr); }
    const edge = Math.min(48, width * .06);
    const before = whole;
    whole = Math.max(60, Math.min(width - 2 * edge, height - 2 * edge - 40));
    if (!moved) { home(); return; }
    scale *= whole / before;
    refresh();
  };
  const home = () => { moved = false; scale = whole; left = (width - scale) / 2; top = (height - scale) / 2 + 14; refresh(); };
  const zoom = (factor, px = width / 2, py = height / 2) => {
    const next = Math.max(whole * .6, Math.min(whole * 400, scale * factor));
    left = px - (px - left) * next / scale;
    top = py - (py - top) * next / scale;
    scale = next;
    moved = true;
    refresh();
  };

  const shift = (dx, dy) => { left += dx; top += dy; moved = true; refresh(); };

  const nearest = (px, py) => {
    const reach = (radius() + 8) / scale, mx = (px - left) / scale, my = (py - top) / scale;
    const cell = (v) => Math.max(0, Math.min(CELLS - 1, Math.floor(v * CELLS)));
    let best = -1, least = reach * reach;
    for (let cy = cell(my - reach); cy <= cell(my + reach); cy++) for (let cx = cell(mx - reach); cx <= cell(mx + reach); cx++) {
      const c = cx + CELLS * cy;
      for (let k = starts[c]; k < starts[c + 1]; k++) {
        const i = inCells[k];
        if (!shown[i] || (chosen && !chosen[i])) continue;
        const far = (x[i] - mx) ** 2 + (y[i] - my) ** 2;
        if (far < least) { least = far; best = i; }
      }
    }
    return best;
  };

  // sound
  const made = new Map();
  const track = (i) => {
    if (i === undefined || i < 0) return null;
    if (!made.has(i)) made.set(i, { i, title: titles[i], artist: artists[i], source: files[i] });
    return made.get(i);
  };
  const beside = (from, by) => {
    const list = listed(), at = list.indexOf(from.i);
    return track(list[at + by] ?? list[0]);
  };
  const player = createPlayer({
    usable: ({ source }) => Boolean(source),
    beside,
    first: () => track(listed().find((i) => files[i])),
    changed: () => {
      const playing = player.current();
      for (const li of $("list").children) li.classList.toggle("current", Number(li.dataset.i) === playing?.i);
      mark();
    },
    failed: ({ title }) => {
      $("said").textContent = `${title}: ${GONE}`;
      $("now-artist").textContent = GONE;
    },
    keys: (event) => ({
      "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: home,
      Escape: () => { player.stop(); path = null; drawing = false; mark(); },
      ...(event.target !== points ? {} : {
        ArrowLeft: () => shift(60, 0), ArrowRight: () => shift(-60, 0),
        ArrowUp: () => shift(0, 60), ArrowDown: () => shift(0, -60),
        Enter: () => player.start(track(nearest(width / 2, height / 2))),
      }),
    }),
  });

  // the list beside the map: what is selected, else what matches
  const MOST = 150;
  const listed = (most = MOST) => {
    const found = [];
    for (let i = 0; i < n && found.length < most; i++) if (shown[i] && (!chosen || chosen[i])) found.push(i);
    return found;
  };
  const count = () => { let sum = 0; for (let i = 0; i < n; i++) sum += shown[i] && (!chosen || chosen[i]) ? 1 : 0; return sum; };
  const list = () => {
    const total = count();
    const filtered = total < n;
    $("count").textContent = chosen ? `${total.toLocaleString("en")} selected` : filtered ? `${total.toLocaleString("en")} match` : "All tracks";
    $("clear").hidden = !filtered && !chosen;
    $("save").disabled = !total;
    const items = listed().map((i) => {
      const li = document.createElement("li"), button = document.createElement("button");
      li.dataset.i = i;
      button.type = "button";
      for (const text of [titles[i], artists[i]]) { const line = document.createElement("bdi"); line.textContent = text; button.append(line); }
      button.addEventListener("click", () => player.toggle(track(i)));
      button.addEventListener("pointerenter", () => { hovered = i; mark(); });
      button.addEventListener("focus", () => { hovered = i; mark(); });
      li.append(button);
      li.classList.toggle("current", player.current()?.i === i);
      return li;
    });
    if (total > items.length) {
      const more = document.createElement("li");
      more.className = "more";
      more.textContent = `and ${(total - items.length).toLocaleString("en")} more, all in the playlist`;
      items.push(more);
    }
    $("list").replaceChildren(...items);
    mark();
  };

  const filter = () => {
    const wanted = $("words").value.toLowerCase().split(/\s+/).filter(Boolean), genre = $("genre").value.toLowerCase();
    for (let i = 0; i < n; i++) {
      shown[i] = (!regionsOn.size || regionsOn.has(region[i]))
        && (!genre || genres[i].toLowerCase().split(", ").includes(genre))
        && wanted.every((word) => hay[i].includes(word)) ? 1 : 0;
    }
    list();
    refresh();
  };
  let typing = 0;
  $("words").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(filter, 120); });
  $("genre").addEventListener("change", filter);
  const tally = new Map();
  for (const text of genres) for (const genre of text ? text.split(", ") : []) tally.set(genre, (tally.get(genre) || 0) + 1);
  const common = [...tally].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 200);
  $("genre").append(...common.map(([genre, many]) => new Option(`${genre} (${many})`, genre)));
  $("genre").hidden = !common.length;
  for (const button of document.querySelectorAll("#legend [data-region]")) {
    button.addEventListener("click", () => {
      const g = Number(button.dataset.region);
      if (regionsOn.has(g)) regionsOn.delete(g); else regionsOn.add(g);
      button.setAttribute("aria-pressed", String(regionsOn.has(g)));
      filter();
    });
  }
  $("clear").addEventListener("click", () => {
    chosen = null;
    regionsOn = new Set();
    $("words").value = ""; $("genre").value = "";
    document.querySelectorAll("#legend [data-region]").forEach((button) => button.setAttribute("aria-pressed", "false"));
    filter();
  });

  const inside = (px, py) => {  // even-odd rule
    let odd = false;
    for (let a = 0, b = path.length - 1; a < path.length; b = a++) {
      const [ax, ay] = path[a], [bx, by] = path[b];
      if (ay > py !== by > py && px < (bx - ax) * (py - ay) / (by - ay) + ax) odd = !odd;
    }
    return odd;
  };
  const select = () => {
    const found = new Uint8Array(n);
    let any = false;
    for (let i = 0; i < n; i++) if (shown[i] && inside(left + scale * x[i], top + scale * y[i])) { found[i] = 1; any = true; }
    chosen = any ? found : null;
    list();
  };
  const playlist = () => {
    const out = ["#EXTM3U", `#PLAYLIST:${document.title}`];
    for (const i of listed(n)) {
      if (!files[i]) continue;
      out.push(`#EXTINF:${known.seconds[i] || -1},${artists[i]} - ${titles[i]}`, new URL(files[i], document.baseURI).href);
    }
    return out.join("\n") + "\n";
  };
  $("save").addEventListener("click", () => download("selection.m3u8", playlist(), "audio/x-mpegurl"));

  // pointers
  let tool = "pan";
  for (const button of document.querySelectorAll("[data-tool]")) button.addEventListener("click", () => {
    tool = button.dataset.tool;
    points.classList.toggle("drawing", tool !== "pan");
    document.querySelectorAll("[data-tool]").forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
  });
  const at = (event) => { const box = points.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const tip = $("tip");
  const over = (i, px, py) => {
    if (i !== hovered) {
      hovered = i;
      player.leave();
      if (i >= 0) player.enter(track(i));
      points.classList.toggle("over", i >= 0);
      mark();
    }
    tip.hidden = i < 0;
    if (i < 0) return;
    const [a, b, c] = tip.children;
    a.textContent = titles[i]; b.textContent = artists[i];
    c.textContent = [genres[i], known.names[region[i]]].filter(Boolean).join(" · ");
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.transform = `translate(${Math.max(4, Math.min(width - w - 4, px + 16))}px, ${py + h + 22 > height ? py - h - 14 : py + 18}px)`;
  };
  const fingers = new Map();
  let dragged = 0, drawing = false;
  points.addEventListener("pointerdown", (event) => {
    points.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    dragged = 0;
    drawing = fingers.size === 1 && (tool !== "pan" || event.shiftKey);
    path = drawing ? [at(event)] : null;
  });
  points.addEventListener("pointermove", (event) => {
    const [px, py] = at(event), before = fingers.get(event.pointerId);
    if (!before) { over(nearest(px, py), px, py); return; }
    dragged += Math.hypot(px - before[0], py - before[1]);
    if (drawing) {
      if (tool === "box" && !event.shiftKey) { const [ax, ay] = path[0]; path = [[ax, ay], [px, ay], [px, py], [ax, py]]; } else path.push([px, py]);
      mark();
    } else if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const gap = Math.hypot(before[0] - other[0], before[1] - other[1]);
      zoom(Math.hypot(px - other[0], py - other[1]) / Math.max(1, gap), other[0], other[1]);
    } else if (dragged > 4) {
      left += px - before[0]; top += py - before[1];
      moved = true;
      over(-1);
      refresh();
    }
    fingers.set(event.pointerId, [px, py]);
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    const [px, py] = at(event);
    if (drawing) {
      if (dragged > 6) select();
      path = null; drawing = false;
      refresh();
    }
    if (dragged <= 6 && event.type === "pointerup") {
      const i = nearest(px, py);
      over(i, px, py);
      if (i >= 0) player.toggle(track(i));
    }
  };
  points.addEventListener("pointerup", lift);
  points.addEventListener("pointercancel", lift);
  points.addEventListener("pointerleave", () => { if (!fingers.size) over(-1); });
  points.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? .05 : .0016)), ...at(event));
  }, { passive: false });
  points.addEventListener("dblclick", (event) => zoom(2, ...at(event)));
  $("closer").addEventListener("click", () => zoom(1.6));
  $("farther").addEventListener("click", () => zoom(1 / 1.6));
  $("all").addEventListener("click", home);
  darkness.addEventListener("change", () => { paint(); refresh(); });
  new ResizeObserver(fit).observe(stage);
  $("preview").checked = !calm;
  $("legend").open = innerWidth > 720;
  paint();
  fit();
  list();
  $("wait").hidden = true;
  // for tests: what the page would do, without a pointer
  window.musicuMap = Object.freeze({
    n, playlist, nearest, at: (i) => [left + scale * x[i], top + scale * y[i]],
    frame: () => { const begin = performance.now(); draw(); mark(); place(); return performance.now() - begin; },
  });
})();
