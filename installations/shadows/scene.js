// Shadows: one wall, and the shadows of both cities on it. Where a shadow of here and one of there meet, there is gold.
// Here is even, there is made of lines; what is remembered is hollow. A hand on the wall is a shadow too.
import { here, there, canvas, draw, sound, noise, random } from "moongate";

const { width: W, height: H } = canvas;
const GATE = { x: 0.5 * W, y: 0.43 * H, r: 0.27 * H };
const HAND = 64;          // radius of a touch's shadow
const SLIM = 0.11;        // half of a body's width, of its height
const MEETS = 0.3;        // seconds together until a bell
const OPENS = 2;          // seconds together until a circle opens round the two
const RING_LIFE = 2.4, RING_SPEED = 330;
const FADES = 1.6;        // seconds that the outline of who left is seen
const EMPTY = 20;         // seconds of nobody until the wall remembers
const FORGETS = 600;      // seconds until it has forgotten
const WALKS = 14;         // seconds that a memory takes to cross the wall
const POOLS_MAX = 12, RINGS_MAX = 16, GONE_MAX = 12, MEMORIES_MAX = 6, CIRCLES_MAX = 2; // pools as in wall.wgsl
const GOLD = [1, 0.80, 0.36], INK = [0.09, 0.10, 0.19];
const SCALE = [1, 9 / 8, 5 / 4, 3 / 2, 5 / 3]; // pentatonic: whatever sounds together sounds well

const LEFT = here.side === 0 ? here : there;
const RIGHT = here.side === 0 ? there : here;

const rings = [];         // { x, y, began, site, answer }: light that a touch leaves, or a meeting
const warm = [];          // { x, y, began, colour }: where someone arrived
const gone = [];          // { outline, began, site }: who has just left
const memories = [];      // { outline, at, hour, site }: who was here some time ago
const pairs = new Map();  // shadows that are together, by the key of the one here
let time = 0;
let live = 0;             // how much the other city is there, 0 to 1
let empty = 0;            // seconds without anybody in front of the wall
let walker = null;        // the memory that crosses the wall
let walked = 0;           // how many have
let breath = 6;           // sounds that may still be played now

const mix = (a, b, t) => a + (b - a) * t;
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
const blend = (a, b, t) => a.map((v, i) => mix(v, b[i], t));
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
const css = (c) => `rgb(${c.map((v) => Math.round(v * 255)).join(" ")})`;
/** @type {Map<import("moongate").Site, number[]>} */
const LIGHT = new Map();
LIGHT.set(here, rgb(here.city.colour)).set(there, rgb(there.city.colour));

// The sky by the sun's altitude in degrees: zenith and horizon.
/** @type {[number, number[], number[]][]} */
const SKIES = [
  [-18, [8, 14, 40], [24, 42, 84]],
  [-6, [26, 38, 92], [150, 92, 110]],
  [1, [70, 104, 168], [250, 176, 112]],
  [10, [84, 146, 208], [236, 218, 190]],
  [40, [64, 140, 214], [190, 220, 238]],
];

function skyOf(sun) {
  const degrees = clamp(sun.altitude * 180 / Math.PI, -18, 40);
  let i = 1;
  while (SKIES[i][0] < degrees) i++;
  const [from, to] = [SKIES[i - 1], SKIES[i]];
  const t = (degrees - from[0]) / (to[0] - from[0]);
  return [blend(from[1], to[1], t), blend(from[2], to[2], t)].map((colour) => colour.map((v) => v / 255));
}

// How much of a day it is here, 0 to 1: a dark wall looks switched off at noon, and a pale one blinds at night.
const dayOf = (sun) => clamp((sun.altitude * 180 / Math.PI + 6) / 12, 0, 1);

// By day a shadow is dark, by night it is a light; always in its city's colour.
const shade = (site, day) => blend(LIGHT.get(site), INK, site === here ? 0.62 * day : 0.45 * day);

function play(file, x, options) {
  if (breath < 1) return;
  breath -= 1;
  sound.play(file, { pan: clamp(x / W * 2 - 1, -1, 1), ...options });
}
const note = (x) => SCALE[clamp(Math.floor(x / W * SCALE.length), 0, SCALE.length - 1)];
const keep = (list, thing, most) => { if (list.push(thing) > most) list.shift(); };

// Someone comes: a step. Someone comes there: their place on the wall grows warm.
export function appear(body) {
  play("step.wav", body.x, { volume: 0.35, rate: mix(0.9, 1.15, random()) });
}
export function appearThere(body) {
  keep(warm, { x: body.x, y: mix(body.foot.y, body.head.y, 0.4), began: time, colour: LIGHT.get(there) }, 8);
  play("step.wav", body.x, { volume: 0.2, rate: 0.7 });
}

// Who leaves is seen as a line for a moment. The wall remembers some of them, for ten minutes.
function left(body, site) {
  if (body.outline.length < 8) return;
  keep(gone, { outline: body.outline, began: time, site }, GONE_MAX);
  if (body.age > 3) keep(memories, { outline: body.outline, at: time, hour: site.clock.text.slice(0, 5), site }, MEMORIES_MAX);
}
export function leave(body) { left(body, here); }
export function leaveThere(body) { left(body, there); }

export function down(touch) {
  keep(rings, { x: touch.x, y: touch.y, began: touch.began, site: here, answer: there.linked ? there.delay : Infinity }, RINGS_MAX);
  play("ring.wav", touch.x, { volume: 0.5, rate: note(touch.x) });
}

// `began` is on the clock of both cities: this ring has crossed for the true delay, and is that old.
export function downThere(touch) {
  keep(rings, { x: touch.x, y: touch.y, began: touch.began, site: there, answer: Infinity }, RINGS_MAX);
  play("ring.wav", touch.x, { volume: 0.3, rate: note(touch.x) / 2 });
}

// Everything that throws a shadow, from the left: bodies and held hands, all alike. `slim` is half of what it is wide for
// sure, `wide` half of what it may be.
const CIRCLE = Array.from({ length: 20 }, (_, i) => [Math.cos(i * Math.PI / 10), Math.sin(i * Math.PI / 10)]);
function shadows(site) {
  const list = site.bodies.map((b) => {
    const high = Math.max(40, b.foot.y - b.head.y) * 1.08, slim = SLIM * high * Math.sqrt(b.people);
    return { key: `b${b.id}`, what: b, x: (b.foot.x + b.head.x) / 2, top: b.foot.y - high, bottom: b.foot.y, slim, wide: 0.42 * high + 2 * slim, reach: b.reach, age: b.age };
  });
  for (const t of site.touches) {
    const r = HAND * Math.min(1, 0.6 + 2 * t.age);
    list.push({ key: `t${t.id}`, what: CIRCLE.map(([x, y]) => [t.x + r * x, t.y + r * y]), x: t.x, top: t.y - r, bottom: t.y + r, slim: 0.8 * r, wide: r, reach: null, age: t.age });
  }
  return list.sort((a, b) => a.x - b.x);
}

// Two shadows lie over each other for sure, or one's hand lies on the other or in the other's hand.
const within = (p, s) => p !== null && Math.abs(p.x - s.x) < s.slim && p.y > s.top && p.y < s.bottom;
const together = (a, b) => Math.abs(a.x - b.x) < a.slim + b.slim || within(a.reach, b) || within(b.reach, a)
  || a.reach !== null && b.reach !== null && Math.hypot(a.reach.x - b.reach.x, a.reach.y - b.reach.y) < 50;

// Here and there together: 0.3 s make a bell, 2 s a circle. Each shadow of here has one partner at a time; `near` is who
// may share some of the wall with someone.
function meetings(mine, theirs, dt) {
  const widest = Math.max(0, ...theirs.map((b) => b.wide));
  let first = 0;
  for (const a of mine) {
    while (first < theirs.length && theirs[first].x < a.x - a.wide - widest) first++;
    const before = pairs.get(a.key);
    let best = null, nearest = 0;
    for (let i = first; i < theirs.length && theirs[i].x < a.x + a.wide + widest; i++) {
      const b = theirs[i];
      if (Math.abs(a.x - b.x) > a.wide + b.wide || a.top > b.bottom || b.top > a.bottom) continue;
      a.near = b.near = true;
      if (!together(a, b)) continue;
      // The partner of before stays it; else it is the nearest.
      const off = b.key === before?.with ? -1 : Math.abs(b.x - a.x);
      if (!best || off < nearest) [best, nearest] = [b, off];
    }
    if (!best) continue;
    let pair = before;
    if (pair?.with !== best.key) pairs.set(a.key, pair = { with: best.key, held: 0, rung: false });
    Object.assign(pair, { x: (a.x + best.x) / 2, y: (Math.max(a.top, best.top) + Math.min(a.bottom, best.bottom)) / 2, seen: time });
  }
  for (const [key, pair] of pairs) {
    if (pair.seen !== time) {
      // A moment apart is no parting: an outline may flicker.
      if (time - pair.seen > 0.25) pairs.delete(key);
      continue;
    }
    pair.held += dt;
    if (pair.held > MEETS && !pair.rung) {
      pair.rung = true;
      keep(rings, { x: pair.x, y: pair.y, began: time, site: null, answer: Infinity }, RINGS_MAX);
      play("bell.wav", pair.x, { volume: 0.7, rate: note(pair.x) });
    }
  }
}

export function frame({ now, dt }) {
  time = now;
  breath = Math.min(6, breath + 5 * dt);
  live = clamp(live + (there.linked ? dt : -dt) / 1.5, 0, 1);
  empty = here.bodies.length + here.touches.length ? 0 : empty + dt;
  const old = (list, life) => { while (list.length && now - list[0].began > life) list.shift(); };
  old(rings, RING_LIFE);
  old(warm, 5);
  old(gone, FADES);
  while (memories.length && now - memories[0].at > FORGETS) memories.shift();

  const day = dayOf(here.sun);
  const [mine, theirs] = [shadows(here), shadows(there)];
  meetings(mine, theirs, dt);
  const met = [...pairs.values()].filter((pair) => pair.rung);

  wall(now, day, met);
  dust(now, dt, day);
  for (const g of gone) hollow(g.outline, g.site, day, 0.8 * (1 - (now - g.began) / FADES));
  if (theirs.length === 0 && empty > EMPTY) remember(now, day);
  else walker = null;

  for (const [site, list] of [[there, theirs], [here, mine]]) {
    // Their lamp is far away: their edges are soft.
    const style = { ...site.look, fill: css(shade(site, day)), soft: site === here ? 1.5 : 7, alpha: site === here ? 0.92 : 0.85 };
    for (const s of list) draw.body(s.what, s.age < 0.25 ? { ...style, alpha: 0.5 + 1.4 * s.age } : style);
  }
  gold(mine.filter((a) => a.near), theirs.filter((b) => b.near), dt);
  for (const r of rings) ring(r, now, day);
  for (const pair of met.filter((p) => p.held > OPENS).slice(0, CIRCLES_MAX)) circle(pair, day);
  label(LEFT, 0.03 * W, "left", day);
  label(RIGHT, 0.97 * W, "right", day);
}

// The wall, the gate in it that their light falls through, and where it is warm.
function wall(now, day, met) {
  const pools = met.slice(0, 4).map((p) => [p.x, p.y, 260, 0.6 * Math.min(1, 2 * (p.held - MEETS)), ...GOLD]);
  for (const w of warm) pools.push([w.x, w.y, 300, 0.75 * (1 - (now - w.began) / 5), ...w.colour]);
  for (const site of [there, here]) for (const t of site.touches.slice(0, 4)) pools.push([t.x, t.y, 170, 0.5 * Math.min(1, 2 * t.age), ...LIGHT.get(site)]);
  // Who stands still warms the wall.
  for (const site of [there, here]) for (const b of site.bodies) if (b.still > 1) pools.push([b.x, b.head.y, 280, 0.35 * Math.min(1, (b.still - 1) / 3), ...LIGHT.get(site)]);
  pools.length = Math.min(pools.length, POOLS_MAX);
  const [zenith, horizon] = skyOf(there.sun);
  const up = clamp(there.sun.altitude / 1.2, -0.25, 1);
  const sun = [GATE.x - 0.62 * GATE.r * Math.sin(there.sun.azimuth), GATE.y + GATE.r * (0.45 - 1.2 * up), 0.13 * GATE.r, clamp(1 - up * 3, 0, 1)];
  const calm = empty > EMPTY ? 0.5 + 0.5 * Math.sin(now * 0.8) : 0;
  draw.shader("wall.wgsl", {
    wall: [...blend([0.125, 0.135, 0.215], [0.87, 0.835, 0.765], day), day],
    lamp: [...blend(horizon, LIGHT.get(there), 0.35), live],
    gate: [GATE.x, GATE.y, GATE.r * (1 + 0.015 * calm), calm],
    zenith: [...zenith, 1 - dayOf(there.sun)],
    horizon: [...horizon, clamp((there.sun.altitude * 180 / Math.PI + 2) / 3, 0, 1)],
    sun,
    pools: pools.map((p) => p.slice(0, 4)),
    tints: pools.map((p) => [...p.slice(4), 0]),
    pool_count: pools.length,
  });
}

// Dust in the light. Who moves stirs it, here and there. Each mote asks every third frame where it is to go.
const motes = Array.from({ length: 36 }, () => ({ x: random(W), y: random(H), vx: 0, vy: 0, size: random(1.6, 3.6) }));
let turn = 0;
function dust(now, dt, day) {
  const fill = css(day > 0.5 ? [1, 1, 0.97] : [0.86, 0.84, 0.78]);
  const pull = Math.min(1, 9 * dt);
  turn = (turn + 1) % 3;
  motes.forEach((m, i) => {
    if (i % 3 === turn) {
      const a = here.flow.at(m.x, m.y), b = theyMove() ? there.flow.at(m.x, m.y) : STILL;
      m.vx += (0.5 * (a.x + b.x) + 14 * noise(m.y / 300, now * 0.1) - m.vx) * pull;
      m.vy += (0.5 * (a.y + b.y) - 7 + 10 * noise(m.x / 300, now * 0.1, 5) - m.vy) * pull;
    }
    m.x = (m.x + m.vx * dt + W) % W;
    m.y = (m.y + m.vy * dt + H) % H;
    draw.circle(m.x, m.y, m.size, { fill, soft: 3, alpha: 0.4 });
  });
}
const STILL = { x: 0, y: 0 };
const theyMove = () => there.stir > 0 && there.bodies.length < 12; // among many it is not seen

// What was: an outline and nothing in it.
function hollow(outline, site, day, alpha) {
  draw.body(outline, { stroke: css(shade(site, 0.8 * day)), width: 3, soft: 2, alpha });
}

// Someone to begin with, while the wall has seen nobody yet.
const NOBODY = [[-34, 0], [-30, -120], [-46, -190], [-66, -300], [-58, -372], [-26, -398], [-34, -440], [-14, -478], [14, -478], [34, -440], [26, -398], [58, -372], [66, -300], [46, -190], [30, -120], [34, 0], [6, 0], [0, -150], [-6, 0]];

// Nobody in either city: one after the other crosses the wall again, as a line, with the hour.
function remember(now, day) {
  if (!walker || now > walker.began + WALKS + 3) {
    const memory = memories.length ? memories[walked % memories.length] : { outline: NOBODY.map(([x, y]) => [x, y + 0.95 * H]), hour: "", site: walked % 2 ? here : there };
    const xs = memory.outline.map(([x]) => x);
    walker = { ...memory, began: now, middle: (Math.min(...xs) + Math.max(...xs)) / 2, top: Math.min(...memory.outline.map(([, y]) => y)), way: walked % 2 ? -1 : 1 };
    walked += 1;
  }
  const t = clamp((now - walker.began) / WALKS, 0, 1);
  const alpha = 0.75 * clamp(6 * Math.min(t, 1 - t), 0, 1);
  if (alpha <= 0) return;
  draw.push();
  draw.translate(mix(-0.06, 1.06, walker.way > 0 ? t : 1 - t) * W - walker.middle, -5 * Math.abs(Math.sin(now * 3)));
  hollow(walker.outline, walker.site, day, alpha);
  const fill = css(shade(walker.site, 0.8 * day));
  if (walker.hour) draw.text(walker.hour, walker.middle, walker.top - 18, { size: 30, align: "center", fill, alpha });
  draw.pop();
}

// Both at once: what shadows of here and there share is gold.
// It comes and goes gently: between two crowds it would flicker.
function gold(mine, theirs, dt) {
  const style = { fill: css(GOLD), stroke: css([1, 0.94, 0.74]), width: 9, soft: 5, alpha: 1 - Math.exp(-5 * dt) };
  draw.trail("gold", { fade: 1 }, () => {
    if (!mine.length || !theirs.length) return;
    draw.inside(mine.map((a) => a.what), () => { for (const b of theirs) draw.body(b.what, style); });
  });
}

// A thin circle as a line: a large one by draw.circle costs each pixel within it.
const UNIT = Array.from({ length: 56 }, (_, i) => [Math.cos(i * Math.PI / 28), Math.sin(i * Math.PI / 28)]).flat();
function round(x, y, r, style) {
  if (r < 1) return;
  draw.push();
  draw.translate(x, y);
  draw.scale(r);
  draw.polyline(UNIT, { ...style, width: style.width / r, soft: style.soft / r, closed: true });
  draw.pop();
}

// A ring of light on its way; theirs is double. At the moment when it arrives there, theirs answers from its middle.
function ring({ x, y, began, site, answer }, now, day) {
  const age = Math.max(0, now - began);
  const colour = css(site ? blend(LIGHT.get(site), INK, 0.35 * day) : blend(GOLD, INK, 0.12 * day));
  const wave = (old, stroke, width, strength) => {
    if (old >= 0 && old < RING_LIFE) round(x, y, 20 + RING_SPEED * old * (1 - 0.18 * old), { stroke, width, soft: 4, alpha: strength * (1 - old / RING_LIFE) ** 1.5 });
  };
  wave(age, colour, site === here ? 9 : 4, 0.9);
  if (site === there) wave(age - 0.06, colour, 4, 0.9);
  if (site === here) wave(age - answer, css(blend(LIGHT.get(there), INK, 0.35 * day)), 4, 0.6);
}

// Two who stay together: a gate opens round them.
function circle({ x, y, held }, day) {
  const t = clamp((held - OPENS) / 1.2, 0, 1);
  const fade = clamp((OPENS + 6 - held) / 2, 0, 1);
  const r = 250 * (1 - (1 - t) ** 3);
  const stroke = css(blend(GOLD, INK, 0.10 * day));
  round(x, y, r, { stroke, width: 5, soft: 3, alpha: 0.9 * t * fade });
  round(x, y, r, { stroke, width: 34, soft: 34, alpha: 0.22 * t * fade });
}

function label(site, x, align, day) {
  const { name, language } = site.city;
  const alpha = site === here ? 0.9 : mix(0.3, 0.9, live);
  const fill = css(blend(LIGHT.get(site), INK, 0.7 * day));
  draw.text(name, x, 0.965 * H - 44, { size: 64, align, fill, alpha, language });
  draw.text(site.clock.text.slice(0, 5), x, 0.965 * H, { size: 34, align, fill, alpha, language });
}
