// Places boxes in ranks from top to bottom (Sugiyama's method): ranks, an order within each rank, then coordinates.
"use strict";

const SIZE = { width: 168, line: 20, padding: 8, gapX: 22, gapY: 26, wire: 12 };

function boxHeight(box) {
  return box.group ? 46 : 2 * SIZE.padding + SIZE.line * box.layers.length;
}

/** Gives each box x (centre), y (top), width and height; returns {boxes, edges: [{from, to, points}], width, height}. */
function layoutBoxes(boxes) {
  const nodes = boxes.map((box) => ({ box, id: box.id, width: SIZE.width, height: boxHeight(box), up: [], down: [] }));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  rankNodes(nodes, byId);
  const edges = threadEdges(nodes, byId);
  const ranks = intoRanks(nodes);
  orderRanks(ranks);
  placeRows(ranks);
  placeColumns(ranks);
  return measured(boxes, byId, edges);
}

function rankNodes(nodes, byId) {
  for (const node of nodes) {
    const above = node.box.parents.map((parent) => byId.get(parent).rank + 1);
    node.rank = above.length ? Math.max(...above) : 0;
  }
  // A source stands right above its first reader: labels are read at the end of the net.
  for (const node of nodes) {
    if (!node.box.parents.length && node.box.children.length) {
      node.rank = Math.max(0, Math.min(...node.box.children.map((child) => byId.get(child).rank)) - 1);
    }
  }
}

/** Edges over several ranks pass through invisible nodes, so that they keep clear of boxes. */
function threadEdges(nodes, byId) {
  const edges = [];
  for (const node of [...nodes]) {
    for (const parentId of node.box.parents) {
      const parent = byId.get(parentId);
      const chain = [parent];
      for (let rank = parent.rank + 1; rank < node.rank; rank++) {
        const wire = { wire: true, rank, width: SIZE.wire, height: 0, up: [], down: [] };
        nodes.push(wire);
        chain.push(wire);
      }
      chain.push(node);
      for (let i = 1; i < chain.length; i++) {
        chain[i - 1].down.push(chain[i]);
        chain[i].up.push(chain[i - 1]);
      }
      edges.push({ from: parent, to: node, chain });
    }
  }
  return edges;
}

function intoRanks(nodes) {
  const ranks = [];
  for (const node of nodes) (ranks[node.rank] = ranks[node.rank] || []).push(node);
  return Array.from(ranks, (rank) => rank || []);
}

function orderRanks(ranks) {
  const number = (rank) => rank.forEach((node, index) => { node.order = index; });
  ranks.forEach(number);
  for (let sweep = 0; sweep < 6; sweep++) {
    const down = sweep % 2 === 0;
    const sequence = down ? ranks : [...ranks].reverse();
    for (const rank of sequence) {
      if (rank.length < 2) continue;
      for (const node of rank) {
        const near = down ? node.up : node.down;
        node.weight = near.length ? near.reduce((sum, other) => sum + other.order, 0) / near.length : node.order;
      }
      rank.sort((a, b) => a.weight - b.weight || a.order - b.order);
      number(rank);
    }
  }
}

function placeRows(ranks) {
  let y = 0;
  for (const rank of ranks) {
    const height = Math.max(0, ...rank.map((node) => node.height));
    rank.forEach((node) => { node.y = y; node.rowHeight = height; });
    y += height + SIZE.gapY;
  }
}

function placeColumns(ranks) {
  for (const rank of ranks) {
    let x = 0;
    for (const node of rank) { node.x = x + node.width / 2; x += node.width + SIZE.gapX; }
    rank.forEach((node) => { node.x -= x / 2; });
  }
  for (let round = 0; round < 10; round++) {
    const down = round % 2 === 0;
    const sequence = down ? ranks : [...ranks].reverse();
    for (const rank of sequence) {
      for (const node of rank) node.wish = wishedPlace(node, down);
      settle(rank);
    }
  }
}

function wishedPlace(node, down) {
  const near = down ? node.up : node.down;
  const used = near.length ? near : down ? node.down : node.up;
  if (!used.length) return node.x;
  const places = used.map((other) => other.x).sort((a, b) => a - b);
  const middle = Math.floor((places.length - 1) / 2);
  return (places[middle] + places[Math.ceil((places.length - 1) / 2)]) / 2;
}

/** Moves the nodes of a rank as near to their wishes as their widths allow; the order stays. */
function settle(rank) {
  const distance = (a, b) => (a.width + b.width) / 2 + (a.wire && b.wire ? 4 : SIZE.gapX);
  const fromLeft = rank.map((node) => node.wish);
  for (let i = 1; i < rank.length; i++) fromLeft[i] = Math.max(fromLeft[i], fromLeft[i - 1] + distance(rank[i - 1], rank[i]));
  const fromRight = rank.map((node) => node.wish);
  for (let i = rank.length - 2; i >= 0; i--) fromRight[i] = Math.min(fromRight[i], fromRight[i + 1] - distance(rank[i], rank[i + 1]));
  rank.forEach((node, i) => { node.x = (fromLeft[i] + fromRight[i]) / 2; });
  for (let i = 1; i < rank.length; i++) rank[i].x = Math.max(rank[i].x, rank[i - 1].x + distance(rank[i - 1], rank[i]));
}

function measured(boxes, byId, edges) {
  let left = Infinity, right = -Infinity, bottom = 0;
  for (const node of byId.values()) {
    Object.assign(node.box, { x: node.x, y: node.y, width: node.width, height: node.height });
    left = Math.min(left, node.x - node.width / 2);
    right = Math.max(right, node.x + node.width / 2);
    bottom = Math.max(bottom, node.y + node.height);
  }
  const drawn = edges.map(({ from, to, chain }) => {
    const points = [[from.x, from.y + from.height]];
    for (const wire of chain.slice(1, -1)) {
      left = Math.min(left, wire.x); right = Math.max(right, wire.x);
      points.push([wire.x, wire.y], [wire.x, wire.y + wire.rowHeight]);
    }
    points.push([to.x, to.y]);
    return { from: from.box, to: to.box, points };
  });
  if (!boxes.length) return { boxes, edges: [], left: 0, right: 1, height: 1 };
  return { boxes, edges: drawn, left, right, height: bottom };
}
