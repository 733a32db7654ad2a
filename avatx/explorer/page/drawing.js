"use strict";
// Boxes and labels over the video. Coordinates here are the canvas's CSS pixels.

const Drawing = (() => {
  const FONT = 12, ROW = 17, PAD = 4;
  const FARTHEST = 160; // of a label from its box
  const WIDEST = 220;   // of a label in a small picture; in a large one half of it
  const NARROW = 500;   // a picture in which labels have fewer lines: they hide more of it

  // The picture within the video element, which may have bars at its sides.
  function picture(width, height, videoWidth, videoHeight) {
    const scale = Math.min(width / videoWidth, height / videoHeight);
    const w = videoWidth * scale, h = videoHeight * scale;
    return { x: (width - w) / 2, y: (height - h) / 2, w, h };
  }

  function rectangle(box, frame) {
    const [ymin, xmin, ymax, xmax] = box;
    return { x: frame.x + xmin * frame.w, y: frame.y + ymin * frame.h,
      w: (xmax - xmin) * frame.w, h: (ymax - ymin) * frame.h };
  }

  const shared = (a, b) => Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x)) *
    Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y));
  const grown = (r, by) => ({ x: r.x - by, y: r.y - by, w: r.w + 2 * by, h: r.h + 2 * by });
  const head = (r) => ({ x: r.x, y: r.y, w: r.w, h: r.h / 3 });
  // Without Math.hypot, which takes ten times as long.
  function gap(a, b) {
    const x = Math.max(0, b.x - a.x - a.w, a.x - b.x - b.w), y = Math.max(0, b.y - a.y - a.h, a.y - b.y - b.h);
    return x && y ? Math.sqrt(x * x + y * y) : x + y;
  }

  // Whether a leader runs through a rectangle, with room for its width.
  function crosses(line, r) {
    if (!line) return false;
    const near = grown(r, 3);
    if (Math.max(line.x1, line.x2) < near.x || Math.min(line.x1, line.x2) > near.x + near.w) return false; // as most do
    if (Math.max(line.y1, line.y2) < near.y || Math.min(line.y1, line.y2) > near.y + near.h) return false;
    let from = 0, to = 1;
    for (const [start, end, low, high] of [[line.x1, line.x2, near.x, near.x + near.w], [line.y1, line.y2, near.y, near.y + near.h]]) {
      const enters = (low - start) / (end - start), leaves = (high - start) / (end - start);
      if (start === end) { if (start < low || start > high) return false; continue; }
      from = Math.max(from, Math.min(enters, leaves)); to = Math.min(to, Math.max(enters, leaves));
    }
    return from < to;
  }

  // The shortest line from a label to its box; none where the two all but touch.
  function leaderOf(at, box) {
    if (gap(at, box) < 6) return null;
    const between = (low, size, otherLow, otherSize) => { // where one ends and the other begins, or the middle of both
      const from = Math.max(low, otherLow), to = Math.min(low + size, otherLow + otherSize);
      if (from <= to) return [(from + to) / 2, (from + to) / 2];
      return low < otherLow ? [to, from] : [from, to];
    };
    const [x1, x2] = between(at.x, at.w, box.x, box.w), [y1, y2] = between(at.y, at.h, box.y, box.h);
    return { x1, y1, x2, y2 };
  }

  // Top left corners for a label: those that touch its box first, all relative to the box, so that a label moves with it.
  function eachSpot(box, w, h, visit) {
    const over = box.y - h - 1, under = box.y + box.h + 1, left = box.x - w - 1, right = box.x + box.w + 1;
    visit(box.x, over, 0); visit(box.x + box.w - w, over, 1); visit(box.x, under, 2);
    visit(right, box.y, 3); visit(left, box.y, 4); visit(box.x, box.y + box.h - h, 5);
    for (let y = over - FARTHEST; y <= under + FARTHEST; y += ROW) {
      for (let x = left - FARTHEST; x <= right + FARTHEST; x += 2 * ROW) visit(x, y, 6);
    }
  }

  // Where labels may not lie: on heads and on each other. What reaches into the row of the picture in which a place is
  // looked for is gathered once a row, so that in a crowd a place is compared with a few of them only.
  function takenPlaces(boxes) {
    const labels = [], all = [];
    let near = [], nearY = NaN, nearH = NaN;
    const take = (r, room) => all.push({ r, room, left: r.x - room, right: r.x + r.w + room, top: r.y - room, bottom: r.y + r.h + room });
    for (const box of boxes) take(head(box), 0);
    function isFree(at) {
      const { x, y, w, h } = at, end = x + w;
      if (nearY !== y || nearH !== h) {
        near = all.filter((one) => one.top <= y + h && one.bottom >= y);
        nearY = y; nearH = h;
      }
      for (const one of near) {
        if (one.left > end || one.right < x) continue;
        if (one.room ? gap(at, one.r) < one.room : shared(at, one.r) > 0) return false;
      }
      return true;
    }
    function add(label) { labels.push(label); take(label, 1); nearY = NaN; }
    return { labels, isFree, add };
  }

  // A label at a corner, moved into the picture.
  const inside = (x, y, w, h, frame) =>
    ({ x: Math.max(frame.x, Math.min(x, frame.x + frame.w - w)), y: Math.max(frame.y, Math.min(y, frame.y + frame.h - h)), w, h });

  const areClear = (at, labels) => !labels.some((label) => crosses(label.line, at) || crosses(at.line, label));

  // The place near its box that hides least of people: one clear of all leaders, and one that need not be; null for none.
  function search(box, w, h, frame, boxes, taken) {
    const region = { x: box.x - w - FARTHEST, y: box.y - h - FARTHEST, w: box.w + 2 * (w + FARTHEST), h: box.h + 2 * (h + FARTHEST) };
    const others = boxes.filter((other) => other !== box && shared(other, region) > 0);
    let clear = null, crossing = null;
    eachSpot(box, w, h, (x, y, order) => {
      if (clear && gap({ x, y, w, h }, box) + order >= clear.cost) return;
      const at = inside(x, y, w, h, frame);
      let cost = gap(at, box) + order + 0.05 * shared(at, box);
      if ((clear && cost >= clear.cost) || !taken.isFree(at)) return;
      for (const other of others) {
        if (other.x > at.x + w + 4 || other.x + other.w + 4 < at.x || other.y > at.y + h + 4 || other.y + other.h + 4 < at.y) continue;
        cost += 0.15 * shared(at, other) + (gap(at, other) < 4 ? 20 : 0); // whose is it?
        if (clear && cost >= clear.cost) return;
      }
      const place = { ...at, cost, line: leaderOf(at, box) };
      if (areClear(place, taken.labels)) clear = place;
      else if (!crossing || cost < crossing.cost) crossing = place;
    });
    return { clear, crossing };
  }

  // Of each person of the picture before: {dx, dy, rows} of its label from its box, null where it had none.
  const before = new Map();

  // Widths of texts, which are the same from frame to frame.
  const WIDTHS = 5000; // held
  const widths = new Map();
  function widthOf(context, text) {
    if (widths.size > WIDTHS) widths.clear();
    if (!widths.has(text)) widths.set(text, context.measureText(text).width);
    return widths.get(text);
  }

  // A text as wide as there is room for: of a name and its score, the name is cut.
  function fitted(context, text, width) {
    if (widthOf(context, text) <= width) return text;
    const score = text.match(/ ~?\d[\d.]*$/)?.[0] ?? "", name = [...text.slice(0, text.length - score.length)];
    let fits = 0, cut = name.length; // as many letters as fit, by halves: a name may be a page long
    while (fits + 1 < cut) {
      const middle = (fits + cut) >> 1;
      if (context.measureText(`${name.slice(0, middle).join("")}…${score}`).width > width) cut = middle; else fits = middle;
    }
    return `${name.slice(0, fits).join("")}…${score}`;
  }

  // A label a person, the chosen one's first. Where it is crowded one loses lines from the bottom; where there is no room for one line, it is left out.
  // `keep`: where it was, as long as that is free: a label that moves with its box can be read while the video plays.
  function arrange(context, frame, people, boxes, { chosen, keep }) {
    const taken = takenPlaces(boxes), order = people.map((_, i) => i), narrow = frame.w < NARROW;
    if (!keep) before.clear();
    order.sort((a, b) => (people[b].key === chosen) - (people[a].key === chosen));
    for (const i of order) {
      const { key, colour } = people[i], box = boxes[i], most = key === chosen ? (narrow ? 3 : 8) : narrow ? 1 : 3;
      const widest = Math.min(frame.w, Math.max(WIDEST, frame.w / 2)) - 2 * PAD, last = before.get(key);
      const all = people[i].labels.slice(0, most).map((label) => ({ ...label, text: fitted(context, label.text, widest) }));
      const wide = all.map((label) => widthOf(context, label.text) + 2 * PAD);
      const size = (rows) => [Math.max(...wide.slice(0, rows)), ROW * rows];
      let at = null, rows = 0, crossing = null;
      if (last === null) continue;
      if (last && last.rows <= all.length) {
        rows = last.rows;
        at = inside(box.x + last.dx, box.y + last.dy, ...size(rows), frame);
        at.line = leaderOf(at, box);
        if (!taken.isFree(at) || !areClear(at, taken.labels)) at = null;
      }
      for (let tried = all.length; tried && !at; tried -= 1) {
        const [w, h] = size(tried);
        if (w > frame.w || h > frame.h) continue;
        const found = search(box, w, h, frame, boxes, taken);
        if (found.clear) { at = found.clear; rows = tried; }
        if (found.crossing && !crossing) crossing = { at: found.crossing, rows: tried };
      }
      if (!at && crossing) ({ at, rows } = crossing);
      before.set(key, at && { dx: at.x - box.x, dy: at.y - box.y, rows });
      if (at) taken.add({ ...at, key, colour, texts: all.slice(0, rows) });
    }
    return taken.labels;
  }

  function draw(context, frame, people, options) {
    context.font = `${FONT}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    const boxes = people.map((person) => rectangle(person.box, frame));
    people.forEach((person, i) => outline(context, boxes[i], person, person.key === options.chosen));
    const labels = arrange(context, frame, people, boxes, options);
    labels.forEach((label) => leader(context, label)); // all before the first label: no line runs over a number
    labels.forEach((label) => write(context, label));
    return labels;
  }

  function leader(context, { line, colour }) {
    if (!line) return;
    context.beginPath();
    context.moveTo(line.x1, line.y1);
    context.lineTo(line.x2, line.y2);
    for (const [width, ink] of [[4, "rgba(0,0,0,.75)"], [2, colour]]) { context.lineWidth = width; context.strokeStyle = ink; context.stroke(); }
  }

  function write(context, { x, y, w, texts }) {
    texts.forEach((label, k) => {
      context.fillStyle = label.colour;
      context.fillRect(x, y + k * ROW, w, k + 1 < texts.length ? ROW - 1 : ROW);
      context.fillStyle = "#000";
      context.fillText(label.text, x + PAD, y + k * ROW + ROW / 2);
    });
  }

  function outline(context, r, person, chosen) {
    context.save();
    context.setLineDash(person.between ? [6, 4] : person.truth ? [2, 3] : []);
    context.lineWidth = chosen ? 6 : 4;
    context.strokeStyle = chosen ? "#fff" : "rgba(0,0,0,.75)";
    context.strokeRect(r.x, r.y, r.w, r.h);
    context.lineWidth = chosen ? 3 : 2;
    context.strokeStyle = person.colour;
    context.strokeRect(r.x, r.y, r.w, r.h);
    context.restore();
  }

  // A canvas as sharp as the screen; returns its context in CSS pixels.
  function sized(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    const w = Math.max(1, Math.round(width * ratio)), h = Math.max(1, Math.round(height * ratio));
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  return { draw, picture, rectangle, sized, ink };
})();
