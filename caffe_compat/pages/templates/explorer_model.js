// From a list of layers to a graph of boxes: in-place layers join the box of the blob they overwrite, and repeated
// blocks become groups that can be folded.
"use strict";

const SMALLEST_GROUP = { blocks: 3, layers: 8 };

/** Boxes of one variant, in the net's order: {id, layers, parents, children}. */
function makeBoxes(layers) {
  const writer = new Map();
  const boxes = [];
  layers.forEach((layer, index) => {
    layer.index = index;
    const inPlace = layer.bottoms.length > 0 && layer.bottoms[0] === layer.tops[0] && writer.has(layer.bottoms[0]);
    if (inPlace && layer.bottoms.length === 1) {
      writer.get(layer.bottoms[0]).layers.push(layer);
      return;
    }
    const box = { id: boxes.length, layers: [layer], parents: [], children: [] };
    for (const bottom of layer.bottoms) {
      const parent = writer.get(bottom);
      if (parent && parent !== box && !box.parents.includes(parent.id)) box.parents.push(parent.id);
    }
    boxes.push(box);
    for (const top of layer.tops) writer.set(top, box);
  });
  linkChildren(boxes);
  return boxes;
}

function linkChildren(boxes) {
  const byId = new Map(boxes.map((box) => [box.id, box]));
  boxes.forEach((box) => { box.children = []; });
  boxes.forEach((box) => box.parents.forEach((parent) => byId.get(parent).children.push(box.id)));
}

/** Runs of equal blocks between places where a single blob is alive: [{blocks: [[boxes]], label}]. */
function findGroups(boxes) {
  const segments = cutIntoSegments(boxes);
  const groups = [];
  for (let start = 0; start < segments.length;) {
    let end = start + 1;
    const sign = signature(segments[start]);
    while (end < segments.length && signature(segments[end]) === sign) end++;
    const blocks = segments.slice(start, end);
    const layers = blocks.reduce((sum, block) => sum + block.reduce((n, box) => n + box.layers.length, 0), 0);
    if (blocks.length >= SMALLEST_GROUP.blocks && layers >= SMALLEST_GROUP.layers) groups.push(asGroup(blocks, layers, groups.length));
    start = end;
  }
  return groups;
}

function asGroup(blocks, layers, number) {
  const nameOf = (block) => block[block.length - 1].layers[0].name;
  return {
    number, layers, count: blocks.length,
    label: `${nameOf(blocks[0])} … ${nameOf(blocks[blocks.length - 1])}`,
    members: new Set(blocks.flat().map((box) => box.id)),
  };
}

function cutIntoSegments(boxes) {
  const lastUse = boxes.map((box) => Math.max(box.id, ...box.children));
  const segments = [];
  let current = [];
  const alive = new Set();
  for (const box of boxes) {
    current.push(box);
    for (const other of alive) if (lastUse[other] <= box.id) alive.delete(other);
    if (box.parents.length && lastUse[box.id] > box.id) alive.add(box.id);
    if (alive.size <= 1) { segments.push(current); current = []; }
  }
  if (current.length) segments.push(current);
  return segments;
}

/** What makes two blocks equal: types, the fields that the net's text sets, and who reads whom. */
function signature(segment) {
  return segment.map((box) => [
    box.layers.map((layer) => layer.type + layer.fields.filter((field) => field[2]).map((field) => field[0] + field[1]).join()).join("+"),
    box.parents.map((parent) => box.id - parent).join(),
    box.layers[0].topShapes.join(";"),
  ].join("|")).join("/");
}

/** The boxes to draw: each folded group is one box of kind "group". */
function foldGroups(boxes, groups, isFolded) {
  const home = new Map();
  groups.filter(isFolded).forEach((group) => group.members.forEach((id) => home.set(id, group)));
  const made = new Map();
  const shown = [];
  const shownId = new Map();
  for (const box of boxes) {
    const group = home.get(box.id);
    if (!group) {
      shownId.set(box.id, box.id);
      shown.push({ ...box, parents: [...box.parents] });
      continue;
    }
    if (!made.has(group)) {
      const folded = { id: box.id, group, layers: [], parents: [...box.parents], children: [] };
      made.set(group, folded);
      shown.push(folded);
    }
    const folded = made.get(group);
    folded.layers.push(...box.layers);
    folded.parents.push(...box.parents);
    shownId.set(box.id, folded.id);
  }
  for (const box of shown) {
    const parents = box.parents.map((parent) => shownId.get(parent)).filter((parent) => parent !== box.id);
    box.parents = [...new Set(parents)];
  }
  linkChildren(shown);
  return shown;
}
