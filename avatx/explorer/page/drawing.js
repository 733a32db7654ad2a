"use strict";
// Boxes and labels over the video. Coordinates here are the canvas's CSS pixels.

const Drawing = (() => {
  const FONT = 12, ROW = 17, PAD = 4, MOST_LABELS = 3;

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
  const head = (r) => ({ x: r.x, y: r.y, w: r.w, h: r.h / 3 });

  // Beside its box, where it hides no head, no other label and as little else as may be.
  function place(box, w, h, frame, boxes, labels) {
    const spots = [];
    for (const dy of [0, h, 2 * h, 3 * h]) {
      spots.push([box.x, box.y - h - 1 - dy, dy], [box.x + box.w - w, box.y - h - 1 - dy, dy],
        [box.x, box.y + box.h + 1 + dy, dy], [box.x + box.w + 1, box.y + dy, dy],
        [box.x - w - 1, box.y + dy, dy], [box.x, box.y + box.h - h - dy, dy]);
    }
    let best = null;
    for (const [x, y, far] of spots) {
      const at = { x: Math.max(frame.x, Math.min(x, frame.x + frame.w - w)),
        y: Math.max(frame.y, Math.min(y, frame.y + frame.h - h)), w, h };
      let cost = far + Math.abs(at.x - x) + Math.abs(at.y - y);
      for (const label of labels) cost += 50 * shared(at, label);
      for (const other of boxes) cost += 20 * shared(at, head(other)) + shared(at, other);
      if (!best || cost < best.cost) best = { ...at, cost };
    }
    return best;
  }

  function draw(context, frame, people, options) {
    context.font = `${FONT}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    const boxes = people.map((person) => rectangle(person.box, frame));
    people.forEach((person, i) => outline(context, boxes[i], person, person.key === options.chosen));
    const labels = [];
    const order = people.map((_, i) => i);
    order.sort((a, b) => (people[b].key === options.chosen) - (people[a].key === options.chosen));
    for (const i of order) {
      const person = people[i];
      const most = person.key === options.chosen ? 8 : MOST_LABELS;
      const texts = person.labels.slice(0, most);
      if (!texts.length) continue;
      const widths = texts.map((label) => context.measureText(label.text).width + 2 * PAD);
      const at = place(boxes[i], Math.max(...widths), ROW * texts.length, frame, boxes, labels);
      labels.push(at);
      leader(context, at, boxes[i], person.colour);
      texts.forEach((label, k) => {
        context.fillStyle = label.colour;
        context.fillRect(at.x, at.y + k * ROW, at.w, k + 1 < texts.length ? ROW - 1 : ROW);
        context.fillStyle = "#000";
        context.fillText(label.text, at.x + PAD, at.y + k * ROW + ROW / 2);
      });
    }
    return labels;
  }

  // From a label that does not touch its box.
  function leader(context, at, box, colour) {
    const gap = Math.max(box.x - at.x - at.w, at.x - box.x - box.w, box.y - at.y - at.h, at.y - box.y - box.h);
    if (gap < 6) return;
    const x = Math.max(at.x, Math.min(box.x + box.w / 2, at.x + at.w)), y = at.y > box.y ? at.y : at.y + at.h;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(Math.max(box.x, Math.min(x, box.x + box.w)), Math.max(box.y, Math.min(y, box.y + box.h)));
    for (const [width, ink] of [[4, "rgba(0,0,0,.75)"], [2, colour]]) { context.lineWidth = width; context.strokeStyle = ink; context.stroke(); }
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
