"use strict";
// State, controls and keys. Everything drawn comes from avatxData (data.js).

(() => {
  const data = window.avatxData;
  const get = (id) => document.getElementById(id);
  if (!data) {
    get("title").textContent = document.title = "data.js is not beside this page: copy the whole folder";
    document.querySelector("main").hidden = true;
    return;
  }
  const video = get("video"), overlay = get("overlay"), screen = get("screen");
  const FARTHEST = 1.0; // seconds that a box is shown from its keyframe: people move
  const LONGEST = 2.0;  // seconds between keyframes over which a box is moved
  const REST = 120;     // milliseconds at one keyframe before its attention is read: a slider passes many
  const times = data.keyframes.map((keyframe) => keyframe.t);
  const first = data.keyframes.findIndex((keyframe) => keyframe.people.length); // with anybody in it; -1 for none
  const state = { keyframe: 0, track: null, smooth: false, score: 0, hidden: new Set(), cell: null, unit: null, labels: [], looked: null };
  const drawn = { picture: null, timeline: null, panel: null }; // what of the state they show
  let loading = 0;

  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
  const scoreOf = (action) => action[state.smooth ? 2 : 1];
  const isShown = (action) => scoreOf(action) >= state.score && !state.hidden.has(action[0]);
  const className = (id) => (data.classes[id] || { name: `class ${id}` }).name;
  const shortName = (id) => (data.classes[id] || { short: `class ${id}` }).short;
  const colourOf = (id) => (data.classes[id] || { colour: "#f0e442" }).colour;
  const shownActions = (person) => person.actions.filter(isShown).sort((a, b) => scoreOf(b) - scoreOf(a));

  function nearest(time) {
    let low = 0, high = times.length - 1;
    while (low < high) { const middle = (low + high) >> 1; if (times[middle] < time) low = middle + 1; else high = middle; }
    return low > 0 && time - times[low - 1] <= times[low] - time ? low - 1 : low;
  }

  // --- the picture ---

  function drawable(person, box, between) {
    const actions = shownActions(person);
    if (!actions.length) return null;
    const labels = actions.map((action, i) => ({
      text: `${i ? "" : `${person.track} · `}${shortName(action[0])} ${state.smooth ? "~" : ""}${scoreOf(action).toFixed(2)}`,
      colour: colourOf(action[0]),
    }));
    return { key: person.track, box, labels, colour: colourOf(actions[0][0]), between };
  }

  function peopleAt(time) {
    const k = nearest(time), at = data.keyframes[k], away = time - at.t;
    const other = data.keyframes[away > 0 ? k + 1 : k - 1];
    const found = [];
    for (const person of at.people) {
      let box = person.box;
      const twin = other && Math.abs(other.t - at.t) <= LONGEST && get("between").checked
        ? other.people.find((one) => one.track === person.track) : null;
      const part = twin ? away / (other.t - at.t) : 0;
      if (!twin && Math.abs(away) > FARTHEST) continue;
      if (twin) box = box.map((value, i) => value + part * (twin.box[i] - value));
      const one = drawable(person, box, twin && part > 0.02);
      if (one) found.push(one);
    }
    if (get("truth").checked && at.truth && Math.abs(away) <= FARTHEST) {
      at.truth.forEach((person, i) => found.push({
        key: `truth ${i}`, box: person.box, truth: true, colour: "#ffffff",
        labels: person.classes.filter((id) => !state.hidden.has(id)).map((id) => ({ text: `true: ${shortName(id)}`, colour: "#ffffff" })),
      }));
    }
    return found;
  }

  function frame() {
    return Drawing.picture(screen.clientWidth, video.clientHeight || 1, video.videoWidth || 16, video.videoHeight || 9);
  }

  function drawOverlay() {
    const context = Drawing.sized(overlay, screen.clientWidth, video.clientHeight || 1);
    state.labels = Drawing.draw(context, frame(), peopleAt(video.currentTime),
      { chosen: state.track, keep: !video.paused && drawn.picture === current() });
    drawn.picture = current();
  }

  const current = () => `${state.keyframe} ${state.track}`;
  function drawTimeline() { drawn.timeline = current(); Timeline.draw(data.keyframes, state.keyframe, state.track); }

  // A frame of the video. All but the picture changes with the keyframe only, and while the video plays in frames of its own:
  // the first one of a keyframe looks for its labels' places, the next ones draw timeline and panel.
  let waits = false, isTimelinesTurn = false;
  let shownTrack = null; // to which the timeline was scrolled: not again while somebody looks elsewhere
  function tick() {
    state.keyframe = nearest(video.currentTime);
    const isNew = drawn.picture !== current();
    get("seek").value = video.currentTime;
    get("clock").textContent = get("seek").ariaValueText = `${video.currentTime.toFixed(2)} / ${(video.duration || data.duration || 0).toFixed(1)} s`;
    drawOverlay();
    if (!video.paused && isNew && !waits) { waits = true; return; }
    waits = false;
    isTimelinesTurn = !isTimelinesTurn;
    if (drawn.timeline !== current() && (video.paused || isTimelinesTurn)) { Timeline.show(state.keyframe, shownTrack === state.track ? null : state.track); shownTrack = state.track; drawTimeline(); }
    if (drawn.panel !== `${current()} ${video.paused}` && (video.paused || !isTimelinesTurn)) showPerson(REST);
  }

  function whilePlaying() {
    if (video.paused) return;
    tick();
    requestAnimationFrame(whilePlaying);
  }

  // --- the person ---

  function choose(keyframe, track) {
    keyframe = clamp(keyframe, 0, times.length - 1);
    state.keyframe = keyframe;
    state.track = track;
    video.pause();
    video.currentTime = Math.min(times[keyframe], Math.max(0, (video.duration || Infinity) - 0.001));
    showPerson();
    tick();
  }

  function chosen() {
    const people = data.keyframes[state.keyframe].people;
    const index = people.findIndex((person) => person.track === state.track);
    return index < 0 ? null : { index, person: people[index] };
  }

  // The person at the keyframe that is shown, its attention after `rest` milliseconds and not while the video plays.
  async function showPerson(rest = 0) {
    const one = chosen(), keyframe = state.keyframe, ticket = ++loading, at = `at ${+times[keyframe].toFixed(3)} s`;
    const actions = one ? shownActions(one.person) : [];
    drawn.panel = `${current()} ${video.paused}`;
    state.looked = null;
    get("person-title").ariaLive = video.paused ? "polite" : "off"; // a reader would not come to an end
    get("person-title").textContent = one ? `Person ${state.track} ${at}` : state.track === null ? "Nobody chosen" : `Person ${state.track} is not ${at}`;
    get("person-hint").hidden = actions.length > 0;
    get("person-hint").textContent = one ? "The filters leave out all of its actions, and so the person." :
      first < 0 ? `Nobody was found in the video with a score of ${data.score_threshold} or more.` : "Click a person in the picture, or a row of the timeline.";
    get("actions").replaceChildren(...actions.map(bar));
    const has = actions.length && data.attention && (data.keyframes[keyframe].attention || []).includes(one.index);
    get("no-attention").hidden = !actions.length || Boolean(has);
    get("no-attention").textContent = data.no_attention ? `No attention: ${data.no_attention}.` :
      "No attention of this person: looking again, the model did not find the box.";
    get("attention").hidden = !has;
    get("attention").classList.add("waiting"); // no map of another keyframe
    get("attention-wait").hidden = video.paused;
    if (!has || !video.paused) return;
    try {
      if (rest) await new Promise((done) => { setTimeout(done, rest); });
      if (ticket !== loading) return; // another was chosen meanwhile
      const file = await Attention.load(keyframe);
      if (ticket !== loading) return;
      state.looked = { file, person: file.people[one.index], box: one.person.box };
      get("attention").classList.remove("waiting");
      showAttention();
    } catch (error) {
      if (ticket !== loading) return;
      get("attention").hidden = true;
      get("no-attention").hidden = false;
      get("no-attention").textContent = `Attention cannot be read: ${error.message}`;
    }
  }

  function bar(action) {
    const row = document.createElement("div"), name = document.createElement("span"), length = document.createElement("i"), value = document.createElement("b");
    row.className = "bar";
    name.textContent = name.title = className(action[0]);
    length.style.width = `${100 * scoreOf(action)}%`;
    length.style.background = colourOf(action[0]);
    value.textContent = `${state.smooth ? "~" : ""}${scoreOf(action).toFixed(2)}`;
    row.append(name, length, value);
    return row;
  }

  function units() { // of the choice: which layer-heads the mean is over
    const { layers, heads } = data.attention, choice = get("unit").value;
    const all = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
    if (choice === "all") return all(0, layers * heads);
    if (choice.startsWith("layer")) { const layer = Number(choice.slice(5)); return all(layer * heads, (layer + 1) * heads); }
    return [Number(choice)];
  }

  function showAttention() {
    if (!state.looked) return;
    const { file, person, box } = state.looked, shape = data.attention, chosenUnits = units();
    const maps = Attention.maps(person, shape, chosenUnits);
    const sums = maps.map((map) => map.reduce((a, b) => a + b, 0)), total = sums.reduce((a, b) => a + b, 0) || 1;
    const t = clamp(state.cell, 0, shape.cells[0] - 1);
    get("cell").value = t;
    const largest = Math.max(...maps.map((map) => Math.max(...map)));
    Attention.drawHeat(get("heat"), file.frames[t], maps[t], largest, shape, data.heat, box);
    Attention.drawShares(get("shares"), sums.map((sum) => sum / total), t);
    const seconds = file.seconds[t];
    get("cell-value").textContent = `${t + 1} of ${shape.cells[0]}: ${seconds < 0 ? "−" : "+"}${Math.abs(seconds).toFixed(2)} s from the keyframe, ${(100 * sums[t] / total).toFixed(0)} % of the attention`;
    const keys = get("keys-caption");
    get("keys").hidden = !file.keys;
    if (!file.keys) { keys.textContent = "this export has no keys: export again with attention"; return; }
    const unit = chosenUnits[chosenUnits.length - 1], heads = shape.heads;
    Attention.drawKeys(get("keys"), file.frames[t], file.keys, unit, t, shape, box);
    keys.textContent = `keys of layer ${Math.floor(unit / heads) + 1} head ${unit % heads + 1}: places of the same colour are alike to this head (${Math.round(100 * file.keys.explained[unit])} % of the variance)`;
  }

  function step(by) { choose(state.keyframe + by, state.track); }

  function nextPerson(by) {
    const people = data.keyframes[state.keyframe].people.filter((person) => shownActions(person).length);
    if (!people.length) return;
    const now = people.findIndex((person) => person.track === state.track);
    const index = now < 0 ? (by > 0 ? 0 : people.length - 1) : (now + by + people.length) % people.length;
    choose(state.keyframe, people[index].track);
  }

  function moveCell(by) {
    if (!data.attention) return;
    state.cell = clamp(state.cell + by, 0, data.attention.cells[0] - 1);
    showAttention();
  }

  // --- filters ---

  function filtersChanged() {
    get("score-value").textContent = state.score.toFixed(2);
    const ids = Object.keys(data.classes).filter((id) => counts.has(Number(id)));
    get("class-count").textContent = `(${ids.filter((id) => !state.hidden.has(Number(id))).length} of ${ids.length})`;
    get("timeline-note").textContent = state.smooth ? "scores smoothed along tracks, for display only (~)" : "";
    Timeline.set(data.keyframes, scoreOf, isShown, data.classes);
    showPerson();
    drawTimeline();
    tick();
  }

  const counts = new Map();
  for (const keyframe of data.keyframes) {
    for (const person of keyframe.people) for (const [id] of person.actions) counts.set(id, (counts.get(id) || 0) + 1);
    for (const person of keyframe.truth || []) for (const id of person.classes) if (!counts.has(id)) counts.set(id, 0);
  }

  function listClasses() {
    const list = get("classes");
    for (const id of [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a))) {
      const label = document.createElement("label"), box = document.createElement("input"), swatch = document.createElement("span");
      box.type = "checkbox"; box.checked = true; box.value = id;
      swatch.className = "swatch"; swatch.style.background = colourOf(id);
      label.append(box, swatch, `${className(id)} (${counts.get(id)})`);
      list.append(label);
      box.addEventListener("change", () => { if (box.checked) state.hidden.delete(id); else state.hidden.add(id); filtersChanged(); });
    }
    const all = (checked) => () => {
      for (const box of list.querySelectorAll("input")) { box.checked = checked; if (checked) state.hidden.delete(Number(box.value)); else state.hidden.add(Number(box.value)); }
      filtersChanged();
    };
    get("all").addEventListener("click", all(true));
    get("none").addEventListener("click", all(false));
  }

  // --- theme ---

  const isDark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("avatx-theme", theme); } catch { /* a browser that keeps nothing for files */ }
    redraw();
  }
  try { const kept = localStorage.getItem("avatx-theme"); if (kept) document.documentElement.dataset.theme = kept; } catch { /* as above */ }

  function redraw() { Timeline.measure(); drawTimeline(); tick(); showAttention(); }
  const toggle = (id) => { get(id).checked = !get(id).checked; tick(); };
  const play = () => { if (video.paused) video.play().catch(() => {}); else video.pause(); };
  function help(hidden) { get("help").hidden = hidden; get("help-button").setAttribute("aria-expanded", String(!get("help").hidden)); }

  // --- wiring ---

  get("title").textContent = get("title").title = document.title = data.title;
  const numPeople = new Set(data.keyframes.flatMap((keyframe) => keyframe.people.map((person) => person.track))).size;
  get("summary").textContent = `${times.length} keyframes, every ${+data.every} s · ${numPeople} people followed · scores from ${data.score_threshold}`;
  if (data.notes.length) { get("notes").hidden = false; get("notes").textContent = data.notes.join(" · "); }
  get("truth").disabled = !data.has_truth;
  if (!data.has_truth) get("truth").parentElement.title = "the page was made without a groundtruth csv";
  state.score = data.score_threshold;
  get("score").min = data.score_threshold;
  get("score").value = state.score;
  if (data.attention) {
    const { layers, heads, cells } = data.attention, unit = get("unit");
    const add = (value, text) => unit.append(new Option(text, value));
    add("all", layers * heads > 1 ? "all heads, their mean" : "the head");
    for (let layer = 0; layer < layers; layer += 1) {
      if (layers > 1 && heads > 1) add(`layer${layer}`, `layer ${layer + 1}, mean of its heads`);
      if (layers * heads > 1) for (let head = 0; head < heads; head += 1) add(layer * heads + head, `layer ${layer + 1} head ${head + 1}`);
    }
    if (layers > 1) unit.value = heads > 1 ? `layer${layers - 1}` : layers - 1;
    unit.addEventListener("change", showAttention);
    get("cell").max = cells[0] - 1;
    state.cell = Math.floor(cells[0] / 2);
    get("cell").addEventListener("input", () => { state.cell = Number(get("cell").value); showAttention(); });
  }
  listClasses();

  video.addEventListener("loadedmetadata", () => { get("seek").max = video.duration; redraw(); });
  for (const name of ["seeked", "timeupdate", "loadeddata"]) video.addEventListener(name, () => { if (video.paused) tick(); });
  video.addEventListener("play", () => { get("play-shape").setAttribute("d", "M3 2h4v12H3zM9 2h4v12H9z"); get("play").setAttribute("aria-label", "Pause"); whilePlaying(); });
  video.addEventListener("pause", () => { get("play-shape").setAttribute("d", "M3 2v12l11-6z"); get("play").setAttribute("aria-label", "Play"); tick(); });
  video.addEventListener("error", () => {
    get("video-error").hidden = false;
    const kind = data.video.endsWith(".mp4") ? 'video/mp4; codecs="avc1.42E01E"' : 'video/webm; codecs="vp8"';
    get("video-error").textContent = video.canPlayType(kind) ? `${data.video} cannot be read: it belongs beside index.html, so copy the whole folder.` :
      `This browser cannot play ${data.video}` + (data.video.endsWith(".mp4") ? " (H.264): make the page again with --video_format webm." : ".");
  });
  video.src = data.video;

  get("play").addEventListener("click", play);
  get("before").addEventListener("click", () => step(-1));
  get("next").addEventListener("click", () => step(1));
  get("seek").addEventListener("input", () => { video.currentTime = Number(get("seek").value); tick(); });
  get("speed").addEventListener("change", () => { video.playbackRate = Number(get("speed").value); });
  get("score").addEventListener("input", () => { state.score = Number(get("score").value); filtersChanged(); });
  get("smooth").addEventListener("change", () => { state.smooth = get("smooth").checked; filtersChanged(); });
  get("truth").addEventListener("change", tick);
  get("between").addEventListener("change", tick);
  get("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  get("help-button").addEventListener("click", () => help(!get("help").hidden));

  overlay.addEventListener("click", (event) => {
    const bounds = overlay.getBoundingClientRect(), area = frame();
    const x = event.clientX - bounds.left, y = event.clientY - bounds.top;
    const hit = peopleAt(video.currentTime).filter((person) => !person.truth)
      .map((person) => ({ person, r: Drawing.rectangle(person.box, area) }))
      .filter(({ r }) => x >= r.x && x <= r.x + r.w && y >= r.y && y <= r.y + r.h)
      .sort((a, b) => a.r.w * a.r.h - b.r.w * b.r.h)[0];
    choose(nearest(video.currentTime), hit ? hit.person.key : null);
  });
  Timeline.canvas.addEventListener("click", (event) => {
    const bounds = Timeline.canvas.getBoundingClientRect();
    const { keyframe, track } = Timeline.at(event.clientX - bounds.left, event.clientY - bounds.top);
    choose(keyframe, track === null ? state.track : track);
  });
  Timeline.scroller.addEventListener("scroll", () => requestAnimationFrame(drawTimeline), { passive: true });

  const keys = {
    " ": play, ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => nextPerson(-1), ArrowDown: () => nextPerson(1),
    "[": () => moveCell(-1), "]": () => moveCell(1), g: () => { if (data.has_truth) toggle("truth"); },
    t: () => setTheme(isDark() ? "light" : "dark"), "?": () => help(!get("help").hidden), Escape: () => help(true),
  };
  // Which of them are a control's own while it has the focus, as it has after a click: all others are the page's.
  const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
  const owned = [["select", [" ", ...arrows]], ["input[type=range]:not(#seek)", arrows], ["button, summary, input[type=checkbox]", [" "]]];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    if (owned.some(([controls, own]) => event.target.matches(controls) && own.includes(event.key))) return;
    if (event.key !== "Escape") event.preventDefault(); // that one also closes a list of the browser's
    keys[event.key]();
  });
  new ResizeObserver(redraw).observe(screen);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  if (first >= 0) state.track = data.keyframes[first].people[0].track;
  filtersChanged();
  video.addEventListener("loadeddata", () => { if (first >= 0) choose(first, state.track); }, { once: true });
  window.avatxExplorer = { state, choose, peopleAt, timeline: Timeline.stats, held: Attention.held }; // for tests
})();
