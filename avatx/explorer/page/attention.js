"use strict";
// What one person's query attended to, and the keys of the cells, over the frames of the clip.

const Attention = (() => {
  const KEPT = 12; // keyframes held decoded
  const held = new Map(), waiting = new Map();

  // A keyframe's file is a script that calls avatxKeyframe.
  function load(index) {
    if (held.has(index)) { const one = held.get(index); held.delete(index); held.set(index, one); return Promise.resolve(one); }
    if (waiting.has(index)) return waiting.get(index).promise;
    const entry = {};
    entry.promise = new Promise((resolve, reject) => { entry.resolve = resolve; entry.reject = reject; });
    waiting.set(index, entry);
    const script = document.createElement("script");
    script.src = `keyframes/${String(index).padStart(6, "0")}.js`;
    script.onload = () => script.remove();
    script.onerror = () => { script.remove(); waiting.delete(index); entry.reject(new Error(`${script.src} is not there`)); };
    document.head.append(script);
    return entry.promise;
  }

  const image = async (uri) => { const one = new Image(); one.src = uri; await one.decode(); return one; };

  async function receive(index, content) {
    const entry = waiting.get(index);
    if (!entry) return;
    try {
      const keyframe = { frames: await Promise.all(content.frames.map(image)), seconds: content.seconds, people: {}, keys: null };
      for (const [person, one] of Object.entries(content.people)) {
        keyframe.people[person] = { pixels: pixels(await image(one.png)), largest: one.largest };
      }
      if (content.keys) keyframe.keys = { pixels: pixels(await image(content.keys.png)), explained: content.keys.explained };
      held.set(index, keyframe);
      while (held.size > KEPT) held.delete(held.keys().next().value);
      entry.resolve(keyframe);
    } catch (error) { entry.reject(error); }
    waiting.delete(index);
  }
  window.avatxKeyframe = receive;

  function pixels(picture) {
    const canvas = document.createElement("canvas");
    canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  }

  // [T'][H' * W'] weights of the mean of some units.
  function maps(person, shape, units) {
    const [cells, rows, columns] = shape.cells;
    const found = Array.from({ length: cells }, () => new Float32Array(rows * columns));
    const width = cells * columns, data = person.pixels.data;
    for (const unit of units) {
      const scale = person.largest[unit] / 255 / units.length;
      for (let t = 0; t < cells; t += 1) for (let y = 0; y < rows; y += 1) for (let x = 0; x < columns; x += 1) {
        found[t][y * columns + x] += scale * data[4 * ((unit * rows + y) * width + t * columns + x)];
      }
    }
    return found;
  }

  const bytes = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

  // As avatx.pictures.attention.overlay: grey frame, the more attention the brighter and opaquer.
  function drawHeat(canvas, frame, weights, largest, shape, heat, box) {
    const [, rows, columns] = shape.cells;
    const data = new ImageData(columns, rows);
    weights.forEach((weight, i) => {
      const strength = Math.min(1, weight / Math.max(largest, 1e-12));
      const [r, g, b] = bytes(heat[Math.round(strength * (heat.length - 1))]);
      data.data.set([r, g, b, Math.round(255 * (0.15 + 0.7 * strength))], 4 * i);
    });
    onto(canvas, frame, widened(data), shape.places, box);
  }

  function drawKeys(canvas, frame, keys, unit, t, shape, box) {
    const [, rows, columns] = shape.cells;
    const small = document.createElement("canvas");
    small.width = columns; small.height = rows;
    const context = small.getContext("2d", { willReadFrequently: true });
    context.putImageData(keys.pixels, -t * columns, -unit * rows, t * columns, unit * rows, columns, rows);
    onto(canvas, frame, widened(context.getImageData(0, 0, columns, rows)), shape.places, box, 0.75);
  }

  const MARGIN = 2; // cells that are added on each side: beyond the outermost ones, theirs

  function widened(data) {
    const canvas = document.createElement("canvas");
    canvas.width = data.width + 2 * MARGIN; canvas.height = data.height + 2 * MARGIN;
    const wide = new ImageData(canvas.width, canvas.height);
    const inside = (i, count) => Math.min(count - 1, Math.max(0, i - MARGIN));
    for (let y = 0; y < canvas.height; y += 1) for (let x = 0; x < canvas.width; x += 1) {
      const from = 4 * (inside(y, data.height) * data.width + inside(x, data.width));
      wide.data.set(data.data.subarray(from, from + 4), 4 * (y * canvas.width + x));
    }
    canvas.getContext("2d").putImageData(wide, 0, 0);
    return canvas;
  }

  // Each cell where it looks: `places` are [first, stride] of y and x, in shares of the frame.
  function onto(canvas, frame, small, places, box, opacity = 1) {
    const scale = Math.max(1, 360 / frame.naturalWidth);
    const w = Math.round(frame.naturalWidth * scale), h = Math.round(frame.naturalHeight * scale);
    canvas.width = w; canvas.height = h;
    const context = canvas.getContext("2d");
    context.drawImage(frame, 0, 0, w, h);
    context.globalCompositeOperation = "saturation";
    context.fillStyle = "#808080";
    context.fillRect(0, 0, w, h);
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    const [top, left] = places.map(([first, stride]) => first - (0.5 + MARGIN) * stride);
    const [tall, wide] = [small.height * places[0][1], small.width * places[1][1]];
    context.drawImage(small, left * w, top * h, wide * w, tall * h);
    context.globalAlpha = 1;
    const r = Drawing.rectangle(box, { x: 0, y: 0, w, h });
    context.lineWidth = 4; context.strokeStyle = "#000"; context.strokeRect(r.x, r.y, r.w, r.h);
    context.lineWidth = 2; context.strokeStyle = "#fff"; context.strokeRect(r.x, r.y, r.w, r.h);
  }

  function drawShares(canvas, shares, current) {
    const width = canvas.clientWidth || 300, height = 34;
    const context = Drawing.sized(canvas, width, height);
    canvas.style.width = "100%";
    const most = Math.max(...shares, 1e-12), step = width / shares.length;
    shares.forEach((share, t) => {
      context.fillStyle = Drawing.ink(t === current ? "accent" : "line");
      const tall = Math.max(1, (height - 2) * share / most);
      context.fillRect(t * step + 1, height - tall, Math.max(1, step - 2), tall);
    });
  }

  return { load, maps, drawHeat, drawKeys, drawShares, held: () => held.size };
})();
