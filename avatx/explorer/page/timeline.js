"use strict";
// A person a row, under it a line an action: the fuller a cell's colour, the higher the score.
// The canvas is as large as what is seen of the timeline, and only that is drawn.

const Timeline = (() => {
  const HEAD = 20, LINE = 15, GAP = 5, AXIS = 20, MOST_LINES = 4, LEAST_CELL = 4, WIDEST_CELL = 48;
  const scroller = document.getElementById("timeline");
  const canvas = document.getElementById("timeline-canvas");
  const spacer = document.getElementById("timeline-size");
  let tracks = [], count = 0, cell = 1, names = 150, drawn = 0;
  let scrolled = 0; // to the right, while it is drawn: asking the page for each cell would take longer than drawing

  // Rows: [{track, first, last, lines: [{id, name, colour, scores: Map(keyframe -> score)}]}]
  function set(keyframes, score, isShown, classes) {
    count = keyframes.length;
    const found = new Map();
    keyframes.forEach((keyframe, k) => keyframe.people.forEach((person, i) => {
      for (const action of person.actions) {
        const value = score(action);
        if (!isShown(action)) continue;
        if (!found.has(person.track)) found.set(person.track, { track: person.track, first: k, last: k, people: new Map(), lines: new Map() });
        const row = found.get(person.track);
        row.last = k;
        row.people.set(k, i);
        if (!row.lines.has(action[0])) row.lines.set(action[0], { id: action[0], best: 0, scores: new Map() });
        const line = row.lines.get(action[0]);
        line.scores.set(k, value);
        line.best = Math.max(line.best, value);
      }
    }));
    tracks = [...found.values()].sort((a, b) => a.first - b.first || a.track - b.track);
    let y = AXIS;
    for (const row of tracks) {
      row.lines = [...row.lines.values()].sort((a, b) => b.best - a.best);
      row.more = Math.max(0, row.lines.length - MOST_LINES);
      row.lines = row.lines.slice(0, MOST_LINES).map((line) => ({ ...line, name: classes[line.id].short, colour: classes[line.id].colour }));
      row.y = y;
      y += HEAD + LINE * row.lines.length + GAP;
    }
    spacer.style.height = `${y}px`;
    spacer.dataset.height = y;
    measure();
  }

  function measure() {
    const width = scroller.clientWidth;
    names = width < 500 ? 104 : 170;
    cell = Math.min(WIDEST_CELL, Math.max(LEAST_CELL, (width - names - 6) / Math.max(1, count)));
    spacer.style.width = `${Math.max(width, names + cell * count + 6)}px`;
  }

  const left = (k) => names + k * cell - scrolled;

  function draw(keyframes, current, chosen) {
    // The canvas is in the flow of the scroller: never taller than what is seen.
    const height = Math.min(Number(spacer.dataset.height || AXIS), parseFloat(getComputedStyle(scroller).maxHeight));
    const width = scroller.clientWidth;
    const context = Drawing.sized(canvas, width, height);
    scrolled = scroller.scrollLeft;
    const top = scroller.scrollTop, ink = Drawing.ink("ink"), faint = Drawing.ink("faint");
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    const first = Math.max(0, Math.floor((scrolled - 1) / cell));
    const last = Math.min(count - 1, Math.ceil((scrolled + width - names) / cell));
    drawn = 0;
    for (const row of tracks) {
      const y = row.y - top, bottom = y + HEAD + LINE * row.lines.length;
      if (bottom < AXIS || y > height) continue;
      drawn += 1;
      if (row.track === chosen) {
        context.fillStyle = Drawing.ink("panel");
        context.fillRect(0, y, width, bottom - y + 2);
      }
      row.lines.forEach((line, n) => cells(context, row, line, y + HEAD + n * LINE, first, last));
      playhead(context, current, y, bottom + GAP);
      const ground = Drawing.ink(row.track === chosen ? "panel" : "paper");
      context.fillStyle = ground;
      context.fillRect(0, y, names, bottom - y + 2);
      context.fillStyle = ink;
      context.font = "600 12px system-ui, sans-serif";
      const seconds = (k) => `${+keyframes[k].t.toFixed(2)}`;
      const span = row.first === row.last ? `${seconds(row.first)} s` : `${seconds(row.first)} – ${seconds(row.last)} s`;
      context.fillText(`person ${row.track}`, 8, y + HEAD / 2);
      context.font = "12px system-ui, sans-serif";
      context.fillStyle = faint;
      const more = row.more ? `, ${row.more} more action${row.more > 1 ? "s" : ""}` : "";
      // On a ground of its own: the line of the current time does not cross it.
      context.fillStyle = ground;
      context.fillRect(names, y + 2, context.measureText(span + more).width + 6, HEAD - 4);
      context.fillStyle = faint;
      context.fillText(span + more, names + 2, y + HEAD / 2);
      row.lines.forEach((line, n) => context.fillText(clip(context, line.name, names - 20), 14, y + HEAD + n * LINE + LINE / 2));
    }
    axis(context, keyframes, width, first, last, current);
  }

  function cells(context, row, line, y, first, last) {
    context.fillStyle = Drawing.ink("empty");
    const from = Math.max(first, row.first), to = Math.min(last, row.last);
    if (to < from) return;
    context.fillRect(left(from), y + 1, (to - from + 1) * cell, LINE - 2);
    context.fillStyle = line.colour;
    for (let k = from; k <= to; k += 1) {
      const score = line.scores.get(k);
      if (score === undefined) continue;
      context.globalAlpha = 0.15 + 0.85 * score;
      context.fillRect(left(k), y + 1, Math.max(1, cell - (cell > 6 ? 1 : 0)), LINE - 2);
    }
    context.globalAlpha = 1;
  }

  function playhead(context, current, from, to) {
    const x = left(current) + cell / 2;
    if (x < names) return;
    context.fillStyle = Drawing.ink("mark");
    context.fillRect(x - 1, from, 2, to - from);
  }

  function axis(context, keyframes, width, first, last, current) {
    context.fillStyle = Drawing.ink("paper");
    context.fillRect(0, 0, width, AXIS);
    playhead(context, current, AXIS - 5, AXIS);
    context.fillStyle = Drawing.ink("faint");
    const step = Math.max(1, Math.ceil(56 / cell));
    for (let k = Math.ceil(first / step) * step; k <= last; k += step) {
      const x = left(k);
      if (x >= names && x < width - 30) context.fillText(`${+keyframes[k].t.toFixed(2)} s`, x, AXIS / 2 - 1);
    }
    context.fillText("people", 8, AXIS / 2);
  }

  function clip(context, text, width) {
    if (context.measureText(text).width <= width) return text;
    let short = text;
    while (short && context.measureText(`${short}…`).width > width) short = short.slice(0, -1);
    return `${short}…`;
  }

  // What is at a point of the scroller: {keyframe, track, person}.
  function at(x, y) {
    const row = tracks.find((one) => y + scroller.scrollTop >= one.y && y + scroller.scrollTop < one.y + HEAD + LINE * one.lines.length + GAP);
    let keyframe = Math.floor((x - names + scroller.scrollLeft) / cell);
    if (x < names && row) keyframe = row.first;
    keyframe = Math.max(0, Math.min(count - 1, keyframe));
    if (!row) return { keyframe, track: null };
    return { keyframe, track: row.track };
  }

  // Keeps a keyframe in sight, and the row of a person.
  function show(keyframe, track) {
    const row = tracks.find((one) => one.track === track), tall = scroller.clientHeight;
    if (row && (row.y - AXIS < scroller.scrollTop || row.y + HEAD + LINE * row.lines.length > scroller.scrollTop + tall)) {
      scroller.scrollTop = Math.max(0, row.y - AXIS - (tall - AXIS) / 3);
    }
    const x = names + keyframe * cell;
    if (x - scroller.scrollLeft < names || x - scroller.scrollLeft > scroller.clientWidth - cell) {
      scroller.scrollLeft = Math.max(0, x - names - (scroller.clientWidth - names) / 2);
    }
  }

  return { set, measure, draw, at, show, scroller, canvas, stats: () => ({ rows: tracks.length, drawn }) };
})();
