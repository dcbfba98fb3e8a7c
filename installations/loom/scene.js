// Loom: 96 warp threads hang before the square. They part round you like a curtain; where their people stand they turn
// over and show their colour. Whoever walks across throws a weft; crossed from there the other way, it holds for good.
import { here, there, ours, canvas, dials, draw, ease, gradient, mix, signal, sound } from "moongate";

const { width: W, height: H } = canvas;
const THREADS = 96, NODES = 6, PITCH = W / THREADS;
const BEAM = 0.045 * H, TOP = 0.05 * H, ROW = 7, SHOWN = 34;    // of the cloth: where it begins, a row's height, rows that are seen
const HEADER = 18;                                              // rows of undyed yarn with which each cloth begins
const WAITS = 10, APART = 2;                                    // seconds that a weft hangs, and between two rows
const FALLS = 5;                                                // seconds in which the cloth of an hour comes down
const SCALE = [0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24];          // pentatonic: whatever rings together sounds well

const off = new Float64Array(THREADS * NODES), speed = new Float64Array(THREADS * NODES); // how far each node is moved
const ring = new Float64Array(THREADS), rung = new Float64Array(THREADS);                 // plucked threads: how much, since when
const glints = [];                                              // { x, since, colour, dir }: a weft being thrown
let mine = null, theirs = null;                                 // wefts that hang: { id, bits, dir, since, colour, more }
let thrown = -Infinity, plucked = -Infinity, count = 0, settled = 0;
let hour = null, falls = -Infinity;                             // the hour that is woven now; when the last cloth was cut
/** @type {readonly import("moongate").Mark[]} */
let cloth = [];                                                 // what comes down
let now = 0;

const clamp = (v, low = 0, high = 1) => Math.min(high, Math.max(low, v));
const lerp = (a, b, t) => a + (b - a) * t;
const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
const pan = (x) => clamp((2 * x) / W - 1, -1, 1);
const dayOf = (sun) => clamp(((sun.altitude * 180) / Math.PI + 6) / 14);
const rate = (x) => 2 ** ((SCALE[Math.floor(clamp(x / W, 0, 0.999) * SCALE.length)] - 12) / 12);
// Both cities weave by one clock: that of side 0.
const clock = () => (here.side === 0 ? here : there).clock;
const sinceHour = () => clock().minute * 60 + clock().second;

// A finger plucks the thread under it, and those beside it a little; it is heard in both cities.
function pluck(x, volume) {
  const at = Math.floor(x / PITCH);
  for (let i = Math.max(0, at - 2); i <= Math.min(THREADS - 1, at + 2); i++) [ring[i], rung[i]] = [1 / (1 + 2 * Math.abs(i - at)), now];
  if (now - plucked < 0.09) return;
  plucked = now;
  sound.play("pluck.wav", { volume, pan: pan(x), rate: rate(x) });
}
export function down(touch) { pluck(touch.x, 0.7); }
export function downThere(touch) { pluck(touch.x, 0.35); }
const last = new Map(); // where a finger was
export function move(touch) {
  const before = last.get(touch.id) ?? { x: touch.x, from: touch.x };
  if (Math.floor(before.x / PITCH) !== Math.floor(touch.x / PITCH)) pluck(touch.x, 0.4);
  // A hand drawn across throws a weft too.
  if (Math.abs(touch.x - before.from) > dials.cross * W) {
    cross(Math.sign(touch.x - before.from), (i) => i & 2);
    before.from = touch.x;
  }
  last.set(touch.id, { ...before, x: touch.x });
}
export function up(touch) { last.delete(touch.id); }

// Which threads the weft lies over: plain weave, that changes its step with the walker's.
function weave(step) {
  let bits = "";
  for (let i = 0; i < THREADS; i += 4) {
    let four = 0;
    for (let k = 0; k < 4; k++) four = four * 2 + ((i + k + count + (step(i + k) ? 1 : 0)) & 1);
    bits += four.toString(16);
  }
  return bits;
}

// Somebody has walked across: from their own way of walking comes how the weft goes over and under.
function walk(body) {
  const way = Math.abs(body.vx) > 40 ? Math.sign(body.vx) : 0;
  const w = (body.way ??= { dir: way, from: body.x, heads: new Float64Array(THREADS), idle: now });
  if (way !== 0) w.idle = now;
  if (way !== 0 && way !== w.dir || now - w.idle > 1.5) {
    Object.assign(w, { dir: way, from: body.x });
    w.heads.fill(0);
  }
  w.heads[clamp(Math.floor(body.x / PITCH), 0, THREADS - 1)] = body.head.y;
  if (w.dir === 0 || Math.abs(body.x - w.from) < dials.cross * W) return;
  // How high the head was at each thread; where the camera did not see it, as at the one before. The way across is laid
  // over all of the width.
  const known = [...w.heads].filter((y) => y > 0), mean = known.reduce((sum, y) => sum + y, 0) / known.length;
  cross(w.dir, (i) => known[Math.floor((i * known.length) / THREADS)] < mean);
  w.from = body.x;
  w.heads.fill(0);
}

function cross(dir, step) {
  // One row in two seconds at most: who comes besides makes it richer.
  if (mine && now - thrown < APART) return void (mine.more = Math.min(4, mine.more + 1));
  if (now - thrown < APART) return;
  thrown = now;
  glints.push({ dir, since: now, colour: here.city.colour });
  sound.play("thock.wav", { volume: 0.6, pan: -0.6 * dir, rate: lerp(0.9, 1.1, (count % 5) / 4) });
  const weft = { id: `${here.side}${Math.floor(now * 10)}`, bits: weave(step), dir, since: now, colour: here.city.colour, more: 0 };
  if (theirs && theirs.dir === -dir && now - theirs.since < WAITS) lock(weft, theirs);
  else {
    if (mine) tie(mine);
    mine = weft;
    signal("weft", { id: weft.id, bits: weft.bits, dir });
  }
}

// From both sides: it holds, twisted of both yarns.
function lock(own, other) {
  ours.rows.add({}, { bits: own.bits, a: own.colour, b: other.colour });
  signal("locked", { id: other.id });
  [mine, theirs] = [null, null];
  locked();
}
function locked() {
  sound.play("lock.wav", { volume: 0.7 });
  for (let i = 0; i < THREADS; i++) [ring[i], rung[i]] = [0.5, now + i * 0.004];
}
// Nobody has come from there: undyed yarn ties it.
function tie(weft) {
  ours.rows.add({}, { bits: weft.bits, a: weft.colour, more: weft.more });
  signal("tied", { id: weft.id });
}

export function heard(name, data) {
  if (name === "weft" && typeof data?.bits === "string") {
    theirs = { id: data.id, bits: data.bits, dir: Math.sign(data.dir) || 1, since: now, colour: there.city.colour };
    glints.push({ dir: theirs.dir, since: now, colour: there.city.colour });
    sound.play("thock.wav", { volume: 0.3, pan: -0.6 * theirs.dir, rate: 0.8 });
    // Thrown at once from both sides: one city ties them.
    if (mine && mine.dir === -theirs.dir && here.lead) lock(mine, theirs);
  } else if (name === "locked" && mine?.id === data?.id) {
    mine = theirs = null;
    locked();
  } else if (name === "tied" && theirs?.id === data?.id) theirs = null;
}
export function parted() { theirs = null; }

// Calls `each` for every node that a body stands before: which, how far it is from the edge of the body, and on which side.
function before(body, fell, each) {
  const tall = Math.max(60, body.foot.y - body.head.y), half = 0.19 * tall * Math.sqrt(body.people) + 0.4 * PITCH;
  const lean = body.head.x - body.foot.x;
  const first = Math.max(0, Math.floor((body.foot.x + Math.min(0, lean) - half) / PITCH));
  const past = Math.min(THREADS, Math.ceil((body.foot.x + Math.max(0, lean) + half) / PITCH));
  for (let k = 1; k < NODES; k++) {
    const y = fell + ((H + 10 - fell) * k) / (NODES - 1);
    const high = Math.min(1, (y - body.head.y) / (0.35 * tall) + 1);
    if (high <= 0) continue;
    const middle = body.foot.x + lean * Math.min(1, Math.max(0, (body.foot.y - y) / tall));
    for (let i = first; i < past; i++) {
      const away = (i + 0.5) * PITCH - middle, into = half - Math.abs(away);
      if (into > 0) each(i * NODES + k, into * high, away < 0 ? -1 : 1);
    }
  }
}

const nodeY = (k, fell) => lerp(fell, H + 10, k / (NODES - 1));

const target = new Float64Array(THREADS * NODES);

function swing(dt, fell) {
  const wind = 3 + 9 * there.stir, idle = clamp(here.empty / 10 - 1);
  const step = Math.min(dt, 0.05);
  target.fill(0);
  for (const b of here.bodies) before(b, fell, (at, into, side) => { target[at] += side * into; });
  for (const t of here.touches) {
    const at = Math.floor(t.x / PITCH);
    for (let i = Math.max(0, at - 3); i <= Math.min(THREADS - 1, at + 3); i++) {
      const away = (i + 0.5) * PITCH - t.x;
      for (let k = 1; k < NODES; k++) if (Math.abs(nodeY(k, fell) - t.y) < 200) target[i * NODES + k] += Math.sign(away || 1) * (60 - Math.abs(away));
    }
  }
  for (let i = 0; i < THREADS; i++) {
    // Air from their side; nobody here: a slow wave goes through.
    const x = (i + 0.5) * PITCH, air = wind * Math.sin(now * 0.8 + x / 240) + 26 * idle * Math.sin(now * 0.9 - x / 190);
    for (let k = 1; k < NODES; k++) {
      const at = i * NODES + k, to = Math.min(190, Math.max(-190, target[at])) + (k / NODES) * air;
      speed[at] += ((to - off[at]) * 170 - speed[at] * 22) * step;
      off[at] += speed[at] * step;
    }
  }
}

export function frame(given) {
  now = given.now;
  for (const body of here.bodies) walk(body);
  if (mine && now - mine.since > WAITS) [mine] = [null, tie(mine)];
  if (theirs && now - theirs.since > WAITS + 2) theirs = null;
  while (glints.length && now - glints[0].since > 1.4) glints.shift();

  // Every hour the cloth is cut, rolled and kept.
  const rows = ours.rows.last(Math.max(1, sinceHour()));
  if (hour !== null && hour !== clock().hour && cloth.length) {
    falls = now;
    sound.play("cut.wav", { volume: 0.7 });
  }
  hour = clock().hour;
  if (now - falls > FALLS) cloth = rows;
  settled += (rows.length - settled) * Math.min(1, 5 * given.dt);
  if (Math.abs(rows.length - settled) > 3) settled = rows.length;
  count = rows.length;

  const fell = TOP + ROW * Math.min(SHOWN, HEADER + settled);
  swing(given.dt, fell);
  backdrop(fell);
  threads(fell);
  woven(cloth, fell);
  hanging(fell);
  beam(rows.length);
}

const day = () => dayOf(here.sun);

function backdrop(fell) {
  const d = day(), t = dayOf(there.sun);
  draw.background(gradient.linear(0, 0, 0, H, [mix("#1d1733", "#f3ecdf", d), mix("#3a2440", "#dccdb6", d)]));
  // Their sun, or a moon, stands behind the curtain.
  const sun = there.sun, up = sun.altitude > -0.07;
  const x = W / 2 - (up ? 0.38 : -0.3) * W * Math.sin(sun.azimuth), y = lerp(0.8, 0.3, up ? clamp(Math.sin(Math.max(0, sun.altitude)) * 1.3) : 0.7) * H;
  const glow = mix(up ? "#ffc978" : "#9fb0e6", there.city.colour, 0.18), seen = (there.linked ? 1 : 0.35) * (up ? 0.85 : 0.5);
  draw.circle(x, y, 620, { fill: gradient.radial(x, y, 620, [glow, mix(glow, "#8a3f6a", 0.5), "transparent"]), alpha: 0.75 * seen });
  draw.circle(x, y, 78, { fill: up ? "#fff1cf" : "#e6eaf8", soft: 10, alpha: seen });
  // Behind the threads there is their light: it falls through where the curtain is open.
  const light = mix(mix("#3a4a86", "#ffe9bd", t), there.city.colour, 0.35);
  for (const b of here.bodies) draw.body(b, { fill: there.linked ? light : mix(light, "#6c6a72", 0.7), soft: 18, alpha: 0.75 });
  for (const b of here.bodies) draw.body(b, { fill: mix("#0c0916", "#3b3026", d), soft: 4, alpha: 0.82 });
  draw.rect(0, TOP, W, fell - TOP, { fill: mix("#0d0a18", "#b7a68b", d), alpha: 0.6 });
}

// Colours change with the light of day: once a second is often enough.
let yarn = null;
function dyes(fell) {
  if (yarn?.at === Math.floor(now)) return yarn;
  const d = day(), theirs = mix(there.city.colour, d > 0.5 ? "black" : "white", 0.12);
  // Lit from behind and above: four yarns, no two neighbours alike.
  const tones = [["#f1e3c8", "#9a7f78"], ["#cdb795", "#7a6470"], ["#e8d2b4", "#8c7078"], ["#b8a284", "#6c5868"]];
  const dark = [["#8a7455", "#5a4636"], ["#a58d6a", "#6b5542"], ["#7d684c", "#514031"], ["#97815f", "#5f4b3a"]];
  const between = (from, to) => gradient.linear(0, fell, 0, H, [from, to]);
  return (yarn = {
    at: Math.floor(now),
    tone: tones.flatMap(([top, low], i) => [7.5, 9.5].map((width) => ({ stroke: between(mix(top, dark[i][0], d), mix(low, dark[i][1], d)), width }))),
    turned: { stroke: gradient.linear(0, 0.35 * H, 0, H, [mix(theirs, "white", 0.35), theirs, mix(theirs, "black", 0.25)]), width: 11, alpha: 0.5 },
  });
}

function threads(fell) {
  const { tone, turned } = dyes(fell);
  for (let i = 0; i < THREADS; i++) {
    const x = (i + 0.5) * PITCH, age = now - rung[i], points = lines[i];
    const shake = age >= 0 && age < 2.5 ? 13 * ring[i] * Math.exp(-2.2 * age) * Math.sin(age * 44) : 0;
    for (let k = 0; k < NODES; k++) {
      points[2 * k] = x + off[i * NODES + k] + shake * Math.sin((Math.PI * k) / (NODES - 1));
      points[2 * k + 1] = nodeY(k, fell);
    }
    const lit = age >= 0 && age < 2.5 ? ring[i] * Math.exp(-2 * age) : 0;
    draw.curve(points, tone[2 * ((i * 7) & 3) + (i & 1)]);
    if (lit > 0.03) draw.curve(points, { stroke: "#ffdf9a", width: 8, soft: 4, alpha: lit });
  }
  // Where they stand, the same threads are turned over: they are seen in threads and in nothing else.
  draw.trail("turned", { fade: 0.35 }, () => {
    if (there.bodies.length === 0) return;
    const seen = new Set();
    for (const b of there.bodies) {
      const half = 0.3 * (b.foot.y - b.head.y) * Math.sqrt(b.people);
      for (let i = Math.max(0, Math.floor((b.x - half) / PITCH) - 4); i < Math.min(THREADS, (b.x + half) / PITCH + 4); i++) seen.add(i);
    }
    // Among many every other thread is enough.
    const many = seen.size > 60;
    const look = many ? { ...turned, width: 17 } : turned;
    draw.inside(there.bodies, () => { for (const i of seen) if (!many || i & 1) draw.curve(lines[i], look); });
  });
}
const lines = Array.from({ length: THREADS }, () => new Array(2 * NODES));

function woven(rows, fell) {
  const seen = rows.slice(-48).reverse();
  const fall = now - falls < FALLS ? ease.in((now - falls) / FALLS) : 0;
  const word = (bits, i) => parseInt(String(bits).slice(6 * i, 6 * i + 6), 16) || 0;
  const plain = mix("#cfc4b0", "#8d7a60", day());
  draw.shader("cloth.wgsl", {
    place: [TOP, fell, ROW, Math.max(0, settled - count)],
    warp: [...rgb(plain), fall],
    bits: seen.map((row) => [0, 1, 2, 3].map((i) => word(row.bits, i))),
    // Locked by both: dyed through and through. Tied: pale, the more who walked along the richer.
    hues: seen.map((row) => [...rgb(colourOf(row.a)), row.b ? 1 : 0.25 + 0.12 * (row.more ?? 0)]),
    others: seen.map((row) => [...rgb(colourOf(row.b ?? row.a)), row.b ? 1 : 0]),
    count: seen.length,
    rows: SHOWN,
  });
}
const colourOf = (text) => (/^#[0-9a-f]{6}$/i.test(text) ? text : "#cfc4b0");

// Wefts that wait hang glowing below the cloth: ours whole, theirs in lines.
function hanging(fell) {
  for (const g of glints) {
    const t = ease.out((now - g.since) / 1.1), from = g.dir > 0 ? 0 : W;
    const x = lerp(from, W - from, t);
    draw.line(lerp(from, x, 0.6), fell + 14, x, fell + 14, { stroke: g.colour, width: 7, soft: 5, alpha: 1 - t });
    draw.circle(x, fell + 14, 26, { fill: g.colour, soft: 40, alpha: 1.2 * (1 - t) });
  }
  const swag = (weft, y, style) => {
    const left = 1 - (now - weft.since) / WAITS;
    const points = Array.from({ length: 13 }, (_, k) => [(k / 12) * W, y + (30 + 26 * (1 - left)) * Math.sin((Math.PI * k) / 12) + 3 * Math.sin(now * 2 + k)]);
    draw.curve(points, { ...style, width: 22, soft: 20, alpha: 0.3 * clamp(3 * left) });
    draw.curve(points, { ...style, width: 5 + (weft.more ?? 0), alpha: 0.4 + 0.6 * clamp(2 * left) });
  };
  if (mine) swag(mine, fell + 12, { stroke: mine.colour });
  if (theirs) {
    swag(theirs, fell + 34, { stroke: theirs.colour });
    // Whoever crosses this way now completes it.
    const t = (now * 0.5) % 1, x = theirs.dir > 0 ? W * (1 - t) : W * t;
    draw.circle(x, fell + 34 + 34 * Math.sin((Math.PI * x) / W), 14, { fill: "white", soft: 14, alpha: Math.sin(Math.PI * t) });
  }
}

// The beam, and on it what was woven this hour; the hours before hang beside it as rolls.
function beam(count) {
  const d = day(), wood = mix("#3a2a20", "#8a6a48", d);
  draw.rect(0, 0, W, BEAM, { fill: gradient.linear(0, 0, 0, BEAM, [mix(wood, "black", 0.3), mix(wood, "white", 0.16), mix(wood, "black", 0.45)]) });
  const rolled = Math.min(26, Math.max(0, count - SHOWN) * 0.12);
  if (rolled > 0) draw.rect(0, BEAM - 6, W, 8 + rolled, { fill: mix("#cfc4b0", "#a8977a", d), radius: 4 });
  draw.rect(0, BEAM - 2, W, 10, { fill: "black", soft: 10, alpha: 0.4 });
  if (kept.at !== Math.floor(now)) {
    kept = { at: Math.floor(now), hours: new Map() };
    for (const row of ours.rows.last("24h")) {
      if (row.age < sinceHour()) continue;
      const ago = Math.ceil((row.age - sinceHour()) / 3600), hour = kept.hours.get(ago);
      if (hour) hour.push(row); else kept.hours.set(ago, [row]);
    }
  }
  [...kept.hours].sort(([a], [b]) => a - b).slice(0, 7).forEach(([ago, rows], i) => {
    const x = 70 + 86 * i, r = 12 + Math.min(14, rows.length / 8);
    const both = rows.find((row) => row.b);
    draw.circle(x, 26, r, { fill: colourOf(rows[0].a), stroke: both ? colourOf(both.b) : "#cfc4b0", width: 5 });
    draw.arc(x, 26, r * 0.5, now * 0.1, now * 0.1 + 4.4, { stroke: "#2a1d16", width: 2.5 });
    draw.text(`${String((hour - ago + 24) % 24).padStart(2, "0")}:00`, x, 66, { size: 18, align: "center", fill: mix("#cfc4b0", "#4a3a28", d) });
  });
}
let kept = { at: null, hours: new Map() }; // the rows of hours before, by how many hours ago
