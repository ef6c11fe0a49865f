// The page: draws the graph on a canvas, and answers mouse, touch and keyboard.
"use strict";

const PAGE = JSON.parse(document.getElementById("page-data").textContent);
const element = (id) => document.getElementById(id);
const reduced = window.matchMedia("(prefers-reduced-motion: reduce)");

/** Colours by what the layer does; the names are those of the style sheet's variables. */
const FAMILIES = {
  vision: "--vision", common: "--common", activation: "--activation", normalization: "--normalization",
  loss: "--loss", data: "--data", recurrent: "--recurrent", utility: "--utility",
};

/** One graph with its own view: a page of two nets has two of them. */
class Pane {
  constructor(canvas, variant) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.opened = new Set();
    this.scale = 1; this.x = 0; this.y = 0;
    this.show(variant);
  }

  show(variant) {
    this.variant = variant;
    this.boxes = makeBoxes(variant.layers);
    this.groups = findGroups(this.boxes);
    this.opened.clear();
    this.arrange();
  }

  arrange() {
    this.shown = foldGroups(this.boxes, this.groups, (group) => !this.opened.has(group.number));
    this.graph = layoutBoxes(this.shown);
    this.places = new Map();
    for (const box of this.shown) for (const layer of box.layers) this.places.set(layer.name, box);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    this.ratio = ratio;
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const graphWidth = this.graph.right - this.graph.left;
    // A net that is much taller than the window begins at its top, large enough to read.
    const whole = (height - 40) / this.graph.height;
    const wide = (width - 40) / graphWidth;
    this.scale = Math.min(1.25, Math.max(wide, 0.6), whole < 0.4 ? 0.8 : whole);
    const centre = graphWidth * this.scale > width - 20 ? this.shown[0].x : this.graph.left + graphWidth / 2;
    this.x = width / 2 - this.scale * centre;
    this.y = 20;
  }

  zoom(factor, x, y) {
    const scale = Math.min(4, Math.max(0.03, this.scale * factor));
    this.x = x - (x - this.x) * (scale / this.scale);
    this.y = y - (y - this.y) * (scale / this.scale);
    this.scale = scale;
  }

  centre(box) {
    this.x = this.canvas.clientWidth / 2 - this.scale * box.x;
    this.y = this.canvas.clientHeight / 2 - this.scale * (box.y + box.height / 2);
  }

  /** The layer, or the folded group, under a point of the canvas. */
  at(x, y) {
    const wx = (x - this.x) / this.scale, wy = (y - this.y) / this.scale;
    const box = this.shown.find((b) => Math.abs(wx - b.x) <= b.width / 2 && wy >= b.y && wy <= b.y + b.height);
    if (!box || box.group) return box ? { group: box.group } : null;
    const row = Math.floor((wy - box.y - SIZE.padding) / SIZE.line);
    return { layer: box.layers[Math.min(box.layers.length - 1, Math.max(0, row))] };
  }

  draw() {
    const { context } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = colour("--ground");
    context.fillRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    context.setTransform(this.ratio * this.scale, 0, 0, this.ratio * this.scale, this.ratio * this.x, this.ratio * this.y);
    const view = {
      left: -this.x / this.scale, top: -this.y / this.scale,
      right: (this.canvas.clientWidth - this.x) / this.scale, bottom: (this.canvas.clientHeight - this.y) / this.scale,
    };
    this.drawEdges(view);
    for (const box of this.shown) {
      const visible = box.x + box.width / 2 > view.left && box.x - box.width / 2 < view.right
        && box.y + box.height > view.top && box.y < view.bottom;
      if (visible) this.drawBox(box);
    }
  }

  drawEdges(view) {
    const { context } = this;
    const picked = state.layer ? this.places.get(state.layer) : null;
    for (const pass of [false, true]) {
      context.beginPath();
      for (const edge of this.graph.edges) {
        const first = edge.points[0], last = edge.points[edge.points.length - 1];
        if (last[1] < view.top || first[1] > view.bottom) continue;
        if ((edge.from === picked || edge.to === picked) === pass) trace(context, edge.points);
      }
      context.strokeStyle = colour(pass ? "--accent" : "--wire");
      context.lineWidth = (pass ? 2.2 : 1.2) / Math.max(0.5, Math.min(1, this.scale));
      context.stroke();
    }
  }

  drawBox(box) {
    const { context } = this;
    const left = box.x - box.width / 2;
    context.fillStyle = colour("--box");
    context.strokeStyle = colour("--box-line");
    context.lineWidth = 1;
    rounded(context, left, box.y, box.width, box.height, 7);
    context.fill();
    context.stroke();
    if (box.group) return this.drawGroup(box, left);
    box.layers.forEach((layer, row) => this.drawLayer(layer, left, box.y + SIZE.padding + row * SIZE.line, box.width));
  }

  drawGroup(box, left) {
    const { context } = this;
    const holds = box.layers.some((layer) => isMarked(layer));
    context.fillStyle = colour(holds ? "--accent" : "--group");
    rounded(context, left + 3, box.y + 3, box.width - 6, box.height - 6, 5);
    context.fill();
    if (this.scale < 0.3) return;
    context.fillStyle = colour("--on-group");
    context.font = "600 11px system-ui, sans-serif";
    context.fillText(shortened(context, box.group.label, box.width - 20), left + 10, box.y + 20);
    context.font = "11px system-ui, sans-serif";
    context.fillText(`${box.group.count} blocks, ${box.group.layers} layers — open`, left + 10, box.y + 36);
  }

  drawLayer(layer, left, top, width) {
    const { context } = this;
    context.fillStyle = layerColour(layer);
    rounded(context, left + 4, top + 1, width - 8, SIZE.line - 2, 4);
    context.fill();
    if (isMarked(layer) || layer.name === state.layer) {
      context.lineWidth = 2.5;
      context.strokeStyle = colour(layer.name === state.layer ? "--accent" : "--found");
      context.stroke();
    }
    if (this.scale < 0.3) return;
    context.fillStyle = colour("--on-layer");
    context.font = "600 11px system-ui, sans-serif";
    const name = shortened(context, layer.name, width * 0.58);
    context.fillText(name, left + 10, top + 14);
    const start = left + 16 + context.measureText(name).width;
    context.font = "10px system-ui, sans-serif";
    context.globalAlpha = 0.75;
    context.fillText(shortened(context, layer.type, left + width - 8 - start), start, top + 14);
    context.globalAlpha = 1;
  }
}

function trace(context, points) {
  context.moveTo(points[0][0], points[0][1]);
  for (let i = 1; i < points.length; i++) {
    const [fromX, fromY] = points[i - 1], [x, y] = points[i];
    const middle = (fromY + y) / 2;
    if (fromX === x) context.lineTo(x, y);
    else context.bezierCurveTo(fromX, middle, x, middle, x, y);
  }
}

function rounded(context, x, y, width, height, radius) {
  context.beginPath();
  context.roundRect(x, y, width, height, radius);
}

/** Cuts a text in its middle, where names of one block are alike. */
const shortenedTexts = new Map();
function shortened(context, text, width) {
  const key = `${context.font}|${Math.round(width)}|${text}`;
  if (!shortenedTexts.has(key)) {
    let result = text;
    for (let keep = text.length - 1; context.measureText(result).width > width && keep > 1; keep--) {
      result = `${text.slice(0, Math.ceil(keep / 2))}…${text.slice(text.length - Math.floor(keep / 2))}`;
    }
    shortenedTexts.set(key, result);
  }
  return shortenedTexts.get(key);
}

const colours = new Map();
function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return colours.get(name);
}

// ---- what is shown

const state = { layer: null, query: "", mode: "type" };
let panes = [];
let active = null;
let waiting = false;

function isMarked(layer) {
  return state.query !== "" && matches(layer);
}

function matches(layer) {
  const query = state.query.toLowerCase();
  return layer.name.toLowerCase().includes(query) || layer.type.toLowerCase().includes(query);
}

const largest = new Map();
function share(layer, field) {
  const variant = active.variant;
  const key = `${PAGE.variants.indexOf(variant)}|${field}`;
  if (!largest.has(key)) largest.set(key, Math.max(1, ...variant.layers.map((one) => one[field])));
  return Math.sqrt(layer[field] / largest.get(key));
}

const MODES = {
  type: (layer) => colour(FAMILIES[layer.family] || "--utility"),
  cost: (layer) => heat(share(layer, "multiplyAdds")),
  memory: (layer) => heat(share(layer, "memory")),
  learns: (layer) => colour(layer.learns ? "--learns" : layer.parameters ? "--fixed" : "--plain"),
  parity: (layer) => colour(layer.parity ? `--${layer.parity.verdict.replaceAll(" ", "-")}` : "--plain"),
  difference: (layer) => colour(`--${layer.difference || "plain"}`),
};

function layerColour(layer) {
  return MODES[state.mode](layer);
}

function heat(part) {
  return `color-mix(in oklab, ${colour("--hot")} ${Math.round(100 * part)}%, ${colour("--plain")})`;
}

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    panes.forEach((pane) => pane.draw());
    drawOverview();
  });
}

function drawOverview() {
  const canvas = element("overview"), pane = active;
  const context = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width) return;
  canvas.width = width * ratio; canvas.height = height * ratio;
  const { graph } = pane;
  const scale = Math.min(width / (graph.right - graph.left + 40), height / (graph.height + 40));
  const offset = { x: width / 2 - scale * (graph.left + graph.right) / 2, y: 20 * scale };
  canvas.overview = { scale, offset };
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const box of pane.shown) {
    const marked = box.layers.some((layer) => isMarked(layer) || layer.name === state.layer);
    context.fillStyle = marked ? colour("--accent") : box.group ? colour("--group") : layerColour(box.layers[0]);
    const w = Math.max(2, scale * box.width);
    context.fillRect(offset.x + scale * box.x - w / 2, offset.y + scale * box.y, w, Math.max(1.5, scale * box.height));
  }
  context.strokeStyle = colour("--accent");
  context.lineWidth = 1.5;
  context.strokeRect(
    offset.x + scale * (-pane.x / pane.scale), offset.y + scale * (-pane.y / pane.scale),
    scale * pane.canvas.clientWidth / pane.scale, scale * pane.canvas.clientHeight / pane.scale,
  );
}

// ---- details

const number = new Intl.NumberFormat("en");

function short(value) {
  const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const found = steps.find(([size]) => value >= size);
  return found ? `${(value / found[0]).toPrecision(3)} ${found[1]}` : String(value);
}

function bytes(value) {
  return value < 1024 ? `${value} B` : value < 1048576 ? `${(value / 1024).toPrecision(3)} KiB` : `${(value / 1048576).toPrecision(4)} MiB`;
}

function node(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  return made;
}

function table(rows, caption) {
  const made = node("table");
  if (caption) made.append(node("caption", caption));
  for (const [name, value, quiet] of rows) {
    const row = node("tr", null, quiet ? { class: "quiet" } : {});
    row.append(node("th", name, { scope: "row" }), node("td", value));
    made.append(row);
  }
  return made;
}

function showDetails() {
  const panel = element("details");
  panel.replaceChildren();
  const layer = active.variant.layers.find((one) => one.name === state.layer);
  if (!layer) return showSummary(panel);
  panel.append(node("h2", layer.name), node("p", layer.type, { class: "type" }));
  if (layer.note) panel.append(node("p", layer.note, { class: "note" }));
  const shape = (names, shapes) => names.map((name, i) => `${name} ${shapes[i] ? shapes[i].join(" × ") : "?"}`).join("\n");
  panel.append(table([
    ["reads", shape(layer.bottoms, layer.bottomShapes) || "nothing"],
    ["makes", shape(layer.tops, layer.topShapes) || "nothing"],
    ["parameters", `${number.format(layer.parameters)}${layer.blobShapes.length ? ` (${layer.blobShapes.map((s) => s.join("×")).join(", ")})` : ""}`],
    ["multiply-adds", short(layer.multiplyAdds)],
    ["memory of tops", bytes(layer.memory)],
    ["sees of the input", layer.sees === null ? "everything" : `${layer.sees} wide, step ${layer.step}`],
    ["learns", layer.parameters ? (layer.learns ? `yes, lr_mult ${layer.lrMults.join(", ")}` : "no: fixed in this net") : "has no weights"],
  ]));
  if (layer.parity) panel.append(table([["verdict", layer.parity.verdict], ["largest error", layer.parity.error]], "Parity"));
  if (layer.changes) panel.append(table(layer.changes.map((change) => [change[0], `${change[1] || "—"} → ${change[2] || "—"}`]), "Differs"));
  if (layer.fields.length) panel.append(table(layer.fields.map(([name, value, set]) => [name, value, !set]), "Fields (grey: completed by default)"));
  (layer.weights || []).forEach((blob) => panel.append(...histogram(blob)));
  if (layer.filters) panel.append(node("h3", "First filters"), node("img", null, { src: layer.filters, alt: `the filters of ${layer.name}`, class: "filters" }));
  const group = active.groups.find((one) => [...one.members].some((id) => active.boxes[id].layers.includes(layer)));
  if (group && active.opened.has(group.number)) {
    const button = node("button", `Fold ${group.label}`, { type: "button" });
    button.onclick = () => toggleGroup(group);
    panel.append(button);
  }
}

function showSummary(panel) {
  const { totals, label } = active.variant;
  panel.append(node("h2", PAGE.title), node("p", label, { class: "type" }), table([
    ["layers", number.format(totals.layers)],
    ["parameters", number.format(totals.parameters)],
    ["multiply-adds", short(totals.multiply_adds)],
    ["memory of tops", bytes(totals.memory)],
  ]));
  if (PAGE.notes.length) PAGE.notes.forEach((note) => panel.append(node("p", note, { class: "note" })));
  panel.append(node("p", "Choose a layer in the picture or in the list. Press ? for the keys.", { class: "quiet" }));
}

function histogram(blob) {
  const tallest = Math.max(1, ...blob.counts);
  const bars = blob.counts.map((count, i) => `<rect x="${4 * i}" y="${40 - 40 * count / tallest}" width="3.4" height="${40 * count / tallest}"/>`);
  const picture = node("div", null, { class: "histogram", role: "img", "aria-label": `histogram of ${blob.name}` });
  picture.innerHTML = `<svg viewBox="0 0 ${4 * blob.counts.length} 40" preserveAspectRatio="none">${bars.join("")}</svg>`;
  return [node("h3", `${blob.name} ${blob.shape.join("×")}`), picture, node("p", `${blob.least} to ${blob.most}, mean ${blob.mean}, deviation ${blob.deviation}`, { class: "quiet" })];
}

// ---- the list and the search

function fillList() {
  const list = element("layers");
  const found = active.variant.layers.filter((layer) => !state.query || matches(layer));
  list.replaceChildren(...found.map((layer) => {
    const item = node("li");
    const button = node("button", null, { type: "button", "data-layer": layer.name });
    button.append(node("span", layer.name), node("small", layer.type));
    if (layer.name === state.layer) button.setAttribute("aria-current", "true");
    button.onclick = () => choose(layer.name, true);
    item.append(button);
    return item;
  }));
  element("count").textContent = state.query ? `${found.length} of ${active.variant.layers.length}` : `${found.length} layers`;
}

function choose(name, move) {
  state.layer = name;
  if (name && move) panes.forEach((pane) => reveal(pane, name));
  document.querySelectorAll("#layers [aria-current]").forEach((one) => one.removeAttribute("aria-current"));
  if (name) document.querySelector(`#layers [data-layer="${CSS.escape(name)}"]`)?.setAttribute("aria-current", "true");
  showDetails();
  redraw();
}

function reveal(pane, name) {
  const box = pane.places.get(name);
  if (!box) return;
  if (box.group) { pane.opened.add(box.group.number); pane.arrange(); }
  if (pane.scale < 0.5) pane.scale = 0.8;
  pane.centre(pane.places.get(name));
}

function toggleGroup(group) {
  const [first] = group.members;
  const before = active.shown.find((box) => box.id === first || box.group === group);
  const y = before ? active.y + active.scale * before.y : null;
  if (active.opened.has(group.number)) active.opened.delete(group.number); else active.opened.add(group.number);
  active.arrange();
  const after = active.shown.find((box) => box.id === first);
  if (y !== null && after) active.y = y - active.scale * after.y;
  showDetails();
  redraw();
}

function toggleAll() {
  const open = active.opened.size < active.groups.length;
  active.opened = new Set(open ? active.groups.map((group) => group.number) : []);
  active.arrange();
  active.fit();
  redraw();
}

function step(direction) {
  const layers = state.query ? active.variant.layers.filter(matches) : active.variant.layers;
  if (!layers.length) return;
  const now = layers.findIndex((layer) => layer.name === state.layer);
  const next = now < 0 ? (direction > 0 ? 0 : layers.length - 1) : (now + direction + layers.length) % layers.length;
  choose(layers[next].name, true);
}

// ---- events

function listenToCanvas(pane) {
  const { canvas } = pane;
  const fingers = new Map();
  let moved = 0, pinch = 0;
  canvas.addEventListener("pointerdown", (event) => {
    active = pane;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) {
      const hit = pane.at(event.offsetX, event.offsetY);
      canvas.style.cursor = hit ? "pointer" : "grab";
      return;
    }
    const last = fingers.get(event.pointerId);
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()];
      const distance = Math.hypot(a.offsetX - b.offsetX, a.offsetY - b.offsetY);
      if (pinch) pane.zoom(distance / pinch, (a.offsetX + b.offsetX) / 2, (a.offsetY + b.offsetY) / 2);
      pinch = distance;
    } else {
      pane.x += event.offsetX - last.offsetX;
      pane.y += event.offsetY - last.offsetY;
    }
    moved += Math.abs(event.offsetX - last.offsetX) + Math.abs(event.offsetY - last.offsetY);
    redraw();
  });
  const up = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    pinch = 0;
    if (moved > 6 || event.type === "pointercancel") return;
    const hit = pane.at(event.offsetX, event.offsetY);
    if (hit && hit.group) toggleGroup(hit.group);
    else choose(hit ? hit.layer.name : null, false);
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    active = pane;
    if (event.ctrlKey || !event.shiftKey) pane.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    else pane.x -= event.deltaY;
    redraw();
  }, { passive: false });
}

function listenToOverview() {
  const canvas = element("overview");
  const go = (event) => {
    if (!event.buttons) return;
    const { scale, offset } = canvas.overview;
    active.x = active.canvas.clientWidth / 2 - active.scale * (event.offsetX - offset.x) / scale;
    active.y = active.canvas.clientHeight / 2 - active.scale * (event.offsetY - offset.y) / scale;
    redraw();
  };
  canvas.addEventListener("pointerdown", go);
  canvas.addEventListener("pointermove", go);
}

const middle = () => [active.canvas.clientWidth / 2, active.canvas.clientHeight / 2];
const KEYS = {
  "/": () => element("search").focus(),
  "+": () => active.zoom(1.25, ...middle()), "=": () => active.zoom(1.25, ...middle()), "-": () => active.zoom(0.8, ...middle()),
  "0": () => active.fit(), f: toggleAll, n: () => step(1), p: () => step(-1),
  ArrowUp: () => { active.y += 80; }, ArrowDown: () => { active.y -= 80; },
  ArrowLeft: () => { active.x += 80; }, ArrowRight: () => { active.x -= 80; },
  Escape: () => choose(null, false), d: () => element("dark").click(), "?": () => element("help").showModal(),
};

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (typing && event.key === "Escape") { event.target.blur(); return; }
    if (typing && event.key === "Enter" && event.target.id === "search") { step(event.shiftKey ? -1 : 1); return; }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || element("help").open) return;
    const action = KEYS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
    redraw();
  });
}

function listenToControls() {
  element("search").addEventListener("input", (event) => { state.query = event.target.value.trim(); fillList(); redraw(); });
  element("mode").addEventListener("change", (event) => { state.mode = event.target.value; showLegend(); redraw(); });
  element("variant").addEventListener("change", (event) => {
    panes[0].show(PAGE.variants[Number(event.target.value)]);
    active = panes[0];
    active.fit(); fillList(); choose(state.layer, false); redraw();
  });
  element("zoom-in").onclick = () => { KEYS["+"](); redraw(); };
  element("zoom-out").onclick = () => { KEYS["-"](); redraw(); };
  element("fit").onclick = () => { active.fit(); redraw(); };
  element("fold").onclick = toggleAll;
  element("keys").onclick = () => element("help").showModal();
  element("dark").onclick = () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    colours.clear(); redraw();
  };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours.clear(); redraw(); });
  window.addEventListener("resize", () => { panes.forEach((pane) => pane.resize()); redraw(); });
}

const LEGENDS = {
  type: Object.entries(FAMILIES), cost: [["few multiply-adds", "--plain"], ["most", "--hot"]],
  memory: [["small tops", "--plain"], ["largest", "--hot"]],
  learns: [["learns", "--learns"], ["fixed", "--fixed"], ["no weights", "--plain"]],
  parity: PAGE.verdicts.map((verdict) => [verdict, `--${verdict.replaceAll(" ", "-")}`]),
  difference: [["same", "--same"], ["changed", "--changed"], ["only here", "--added"]],
};

function showLegend() {
  element("legend").replaceChildren(...LEGENDS[state.mode].map(([text, name]) => {
    const item = node("li", text);
    item.style.setProperty("--swatch", `var(${name})`);
    return item;
  }));
}

function fillChoices() {
  const variants = element("variant");
  PAGE.variants.forEach((variant, index) => variants.append(node("option", variant.label, { value: index })));
  variants.hidden = variants.options.length < 2 || PAGE.compared;
  const modes = { type: "kind of layer", cost: "cost", memory: "memory", learns: "what learns" };
  if (PAGE.verdicts.length) modes.parity = "parity";
  if (PAGE.compared) modes.difference = "difference";
  Object.entries(modes).forEach(([value, text]) => element("mode").append(node("option", text, { value })));
  state.mode = PAGE.compared ? "difference" : PAGE.verdicts.length ? "parity" : "type";
  element("mode").value = state.mode;
}

function start() {
  fillChoices();
  const shown = PAGE.compared ? PAGE.variants.slice(0, 2) : PAGE.variants.slice(0, 1);
  panes = shown.map((variant, index) => {
    const frame = node("figure");
    const canvas = node("canvas", null, { tabindex: 0, "aria-label": `The net ${variant.label} as a graph; the list beside it has the same layers`, id: `graph-${index}` });
    frame.append(canvas);
    if (PAGE.compared) frame.append(node("figcaption", variant.label));
    element("panes").append(frame);
    return new Pane(canvas, variant);
  });
  active = panes[0];
  panes.forEach((pane) => { pane.resize(); pane.fit(); listenToCanvas(pane); });
  listenToOverview(); listenToKeys(); listenToControls();
  fillList(); showLegend(); showDetails(); redraw();
}

start();
