// Where labels lie, searched for plainly: every place is compared with every head and every label.
// What `Drawing` of the explorer's page does with less work, for a picture that comes after no other.
window.plainLabels = (context, frame, people, chosen) => {
  const ROW = 17, FARTHEST = 160;
  const shared = (a, b) => Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x)) *
    Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y));
  const gap = (a, b) => Math.hypot(Math.max(0, b.x - a.x - a.w, a.x - b.x - b.w), Math.max(0, b.y - a.y - a.h, a.y - b.y - b.h));
  const boxes = people.map(({ box: [top, left, bottom, right] }) =>
    ({ x: left * frame.w, y: top * frame.h, w: (right - left) * frame.w, h: (bottom - top) * frame.h }));
  const clamp = (value, high) => Math.max(0, Math.min(value, high));

  function middle(low, size, otherLow, otherSize) {
    const from = Math.max(low, otherLow), to = Math.min(low + size, otherLow + otherSize);
    if (from <= to) return [(from + to) / 2, (from + to) / 2];
    return low < otherLow ? [to, from] : [from, to];
  }
  function lineOf(at, box) {
    if (gap(at, box) < 6) return null;
    const x = middle(at.x, at.w, box.x, box.w), y = middle(at.y, at.h, box.y, box.h);
    return [[x[0], y[0]], [x[1], y[1]]];
  }
  function crosses(line, r) {
    if (!line) return false;
    let from = 0, to = 1;
    for (const [axis, low, high] of [[0, r.x - 3, r.x + r.w + 3], [1, r.y - 3, r.y + r.h + 3]]) {
      const start = line[0][axis], end = line[1][axis];
      if (start === end) { if (start < low || start > high) return false; continue; }
      const [enters, leaves] = [(low - start) / (end - start), (high - start) / (end - start)].sort((a, b) => a - b);
      from = Math.max(from, enters); to = Math.min(to, leaves);
    }
    return from < to;
  }
  function search(box, w, h, labels) {
    const places = [[box.x, box.y - h - 1], [box.x + box.w - w, box.y - h - 1], [box.x, box.y + box.h + 1],
      [box.x + box.w + 1, box.y], [box.x - w - 1, box.y], [box.x, box.y + box.h - h]];
    for (let y = box.y - h - 1 - FARTHEST; y <= box.y + box.h + 1 + FARTHEST; y += ROW) {
      for (let x = box.x - w - 1 - FARTHEST; x <= box.x + box.w + 1 + FARTHEST; x += 2 * ROW) places.push([x, y]);
    }
    let clear = null, crossing = null;
    places.forEach(([x, y], order) => {
      order = Math.min(order, 6);
      if (clear && gap({ x, y, w, h }, box) + order >= clear.cost) return;
      const at = { x: clamp(x, frame.w - w), y: clamp(y, frame.h - h), w, h };
      if (labels.some((label) => gap(at, label) < 1)) return;
      if (boxes.some((other) => shared(at, { ...other, h: other.h / 3 }) > 0)) return;
      at.cost = gap(at, box) + order + 0.05 * shared(at, box);
      for (const other of boxes) if (other !== box) at.cost += 0.15 * shared(at, other) + (gap(at, other) < 4 ? 20 : 0);
      at.line = lineOf(at, box);
      if (labels.some((label) => crosses(label.line, at) || crosses(at.line, label))) {
        if (!crossing || at.cost < crossing.cost) crossing = at;
      } else if (!clear || at.cost < clear.cost) clear = at;
    });
    return { clear, crossing };
  }

  const labels = [], most = frame.w < 500 ? [1, 3] : [3, 8];
  for (const person of [...people].sort((a, b) => (b.key === chosen) - (a.key === chosen))) {
    const box = boxes[people.indexOf(person)], texts = person.labels.slice(0, most[Number(person.key === chosen)]);
    const widths = texts.map(({ text }) => context.measureText(text).width + 8);
    let at = null, crossing = null;
    for (let rows = texts.length; rows && !at; rows -= 1) {
      const found = search(box, Math.max(...widths.slice(0, rows)), ROW * rows, labels);
      at = found.clear;
      crossing = crossing || found.crossing;
    }
    at = at || crossing;
    if (at) labels.push({ key: person.key, ...at });
  }
  return labels;
};
