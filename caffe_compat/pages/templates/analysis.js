// The page of a trained SRN: draws what the three menus choose, and answers mouse and keyboard.
"use strict";

const PAGE = JSON.parse(document.getElementById("page-data").textContent);
const element = (id) => document.getElementById(id);
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const MAPS = { A: bytes(PAGE.maps.A.values), U: bytes(PAGE.maps.U.values) };
const ACTIVATIONS = bytes(PAGE.activations.values);
const [ROWS, COLUMNS] = PAGE.grid;
const NEURONS = PAGE.activations.largest.length;
const AXES = ["vertical", "horizontal"];
const state = { image: 0, label: PAGE.images[0].present[0] ?? 0, neuron: 0, zoom: 1 };
const pictures = PAGE.images.map((image) => Object.assign(new Image(), { src: image.picture }));

const probability = (score) => 1 / (1 + Math.exp(-score));

/** Red over the picture where the map is high: opacity follows the value. */
function paint(canvas, image, kind, label) {
  const side = Math.round(104 * state.zoom);
  canvas.width = Math.round(side * PAGE.picture[1] / PAGE.picture[0]);
  canvas.height = side;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const draw = () => {
    context.drawImage(pictures[image], 0, 0, canvas.width, canvas.height);
    if (kind) paintMap(context, canvas, image, kind, label);
    if (label !== null) paintBoxes(context, canvas, image, label);
  };
  if (pictures[image].complete) draw(); else pictures[image].addEventListener("load", draw, { once: true });
}

function paintMap(context, canvas, image, kind, label) {
  const start = (image * PAGE.classes.length + label) * ROWS * COLUMNS;
  const width = canvas.width / COLUMNS, height = canvas.height / ROWS;
  const strength = kind === "U" ? PAGE.maps.U.largest[image][label] / Math.max(PAGE.maps.A.largest[image][label], 1e-30) : 1;
  for (let place = 0; place < ROWS * COLUMNS; place++) {
    const value = MAPS[kind][start + place] / 255 * Math.min(1, strength);
    context.fillStyle = `rgba(255, 64, 0, ${0.85 * value})`;
    context.fillRect(place % COLUMNS * width, Math.floor(place / COLUMNS) * height, width + 0.5, height + 0.5);
  }
}

function paintBoxes(context, canvas, image, label) {
  const scale = canvas.width / PAGE.picture[1];
  context.strokeStyle = "#00b7ff";
  context.lineWidth = 1.5;
  for (const [left, top, width, height] of PAGE.images[image].boxes[label] ?? [])
    context.strokeRect(left * scale, top * scale, width * scale, height * scale);
}

function figure(parent, layers, caption, chosen, choose) {
  const made = document.createElement("figure");
  for (const [image, kind, label] of layers) {
    const canvas = document.createElement("canvas");
    paint(canvas, image, kind, label);
    made.append(canvas);
  }
  const text = document.createElement("figcaption");
  text.append(...caption);
  made.append(text);
  made.classList.toggle("chosen", chosen);
  if (choose) made.addEventListener("click", choose);
  parent.append(made);
  return made;
}

function named(label, image) {
  const made = document.createElement("span");
  made.textContent = PAGE.classes[label];
  made.classList.toggle("true", PAGE.images[image].present.includes(label));
  return made;
}

function showFlow() {
  const { image, label } = state, scores = PAGE.images[image].scores, flow = element("flow");
  flow.replaceChildren();
  const arrow = (text) => flow.append(Object.assign(document.createElement("span"), { className: "arrow", textContent: text }));
  figure(flow, [[image, null, null]], ["image ", PAGE.images[image].name], false);
  arrow("→");
  figure(flow, [[image, "A", label]], ["attention A of ", named(label, image)], false);
  arrow("→");
  figure(flow, [[image, "U", label]], ["weighted attention U"], false);
  arrow("→");
  const said = document.createElement("p");
  said.id = "scores";
  said.textContent = Object.entries(scores).map(([name, values]) =>
    `${name} ${values[label].toFixed(2)} (${Math.round(100 * probability(values[label]))} %)`).join(", ");
  flow.append(said);
}

function showMaps() {
  const { image } = state, maps = element("maps");
  maps.replaceChildren();
  PAGE.classes.forEach((_, label) => {
    const score = PAGE.images[image].scores.y[label];
    const caption = [named(label, image), ` ${score.toFixed(1)}, ${Math.round(100 * probability(score))} %`];
    figure(maps, [[image, "A", label], [image, "U", label]], caption, label === state.label, () => choose({ label }));
  });
}

const activation = (image, neuron) => ACTIVATIONS[image * NEURONS + neuron] / 255 * PAGE.activations.largest[neuron];

/** The place of the only box of a label along an axis, or null. */
function placeOf(image, label, axis) {
  const boxes = PAGE.images[image].boxes[label] ?? [];
  return boxes.length === 1 ? boxes[0][1 - axis] + boxes[0][3 - axis] / 2 : null;
}

function showNeuron() {
  const pair = PAGE.pairs[state.neuron], { neuron, label, axis } = pair;
  element("neuron-says").textContent = `Neuron ${neuron} follows the ${AXES[axis]} place of "${PAGE.classes[label]}" most: ` +
    `r = ${pair.r} (${pair.interval[0]} to ${pair.interval[1]}), corrected p = ${pair.p}. The points are the images of this page.`;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 440 280");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", element("neuron-says").textContent);
  const add = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    svg.append(made);
    return made;
  };
  const most = Math.max(PAGE.activations.largest[neuron], 1e-9), size = PAGE.picture[axis];
  add("line", { x1: 40, y1: 250, x2: 430, y2: 250 });
  add("line", { x1: 40, y1: 10, x2: 40, y2: 250 });
  add("text", { x: 430, y: 270, "text-anchor": "end" }, `${AXES[axis]} place of ${PAGE.classes[label]}, pixels (0 to ${size})`);
  add("text", { x: 46, y: 20 }, `activation, up to ${most}`);
  PAGE.images.forEach((_, image) => {
    const place = placeOf(image, label, axis);
    if (place === null) return;
    const circle = add("circle", { cx: 40 + 390 * place / size, cy: 250 - 235 * activation(image, neuron) / most, r: 4 });
    circle.classList.toggle("chosen", image === state.image);
    circle.addEventListener("click", () => choose({ image }));
  });
  element("scatter").replaceChildren(svg);
  showTop(pair);
}

function showTop(pair) {
  const top = element("top");
  top.replaceChildren();
  const shown = pair.top.length ? pair.top
    : PAGE.images.map((_, image) => image).sort((a, b) => activation(b, pair.neuron) - activation(a, pair.neuron)).slice(0, 3);
  for (const image of shown) {
    const labels = PAGE.images[image].present.flatMap((label) => [named(label, image), " "]);
    const made = figure(top, [[image, null, pair.label]], [`activation ${activation(image, pair.neuron).toPrecision(3)}: `, ...labels],
      image === state.image, () => choose({ image }));
    made.dataset.image = image;
  }
  const rest = document.createElement("p");
  rest.textContent = pair.top.length ? "The top three of all test images." : "The top three of this page's images.";
  top.append(rest);
}

/** Changes what is shown, and draws all that depends on it. */
function choose(change) {
  Object.assign(state, change);
  element("image").value = state.image;
  element("label").value = state.label;
  element("neuron").value = state.neuron;
  showFlow();
  showMaps();
  showNeuron();
}

const cycle = (value, step, count) => (value + step + count) % count;
const KEYS = {
  ArrowRight: () => choose({ image: cycle(state.image, 1, PAGE.images.length) }),
  ArrowLeft: () => choose({ image: cycle(state.image, -1, PAGE.images.length) }),
  ArrowDown: () => choose({ label: cycle(state.label, 1, PAGE.classes.length) }),
  ArrowUp: () => choose({ label: cycle(state.label, -1, PAGE.classes.length) }),
  n: () => choose({ neuron: cycle(state.neuron, 1, PAGE.pairs.length) }),
  p: () => choose({ neuron: cycle(state.neuron, -1, PAGE.pairs.length) }),
  "+": () => choose({ zoom: Math.min(4, state.zoom * 1.25) }),
  "-": () => choose({ zoom: Math.max(0.5, state.zoom / 1.25) }),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("select, input")) return;
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});

function fill(id, names, name) {
  element(id).replaceChildren(...names.map((text, value) => new Option(text, value)));
  element(id).addEventListener("change", () => choose({ [name]: Number(element(id).value) }));
}

fill("image", PAGE.images.map((image) => image.name), "image");
fill("label", PAGE.classes, "label");
fill("neuron", PAGE.pairs.map((pair) => `#${pair.neuron}: ${PAGE.classes[pair.label]}, ${AXES[pair.axis]}, r ${pair.r}`), "neuron");
element("zoom-in").addEventListener("click", KEYS["+"]);
element("zoom-out").addEventListener("click", KEYS["-"]);
element("parts").innerHTML = PAGE.parts;
for (const button of document.querySelectorAll("button.name"))
  button.addEventListener("click", () => choose({ label: PAGE.classes.indexOf(button.dataset.label) }));
choose({});
