// Ripples: two pools of light, one sky. Touch the water, and a ring runs through the lake of both cities.
// Both cities see one lake: the left half of its sky is the first city's and the right half the second's, by where
// the sun truly stands there.
import { here, there, canvas, draw, sound, random, noise } from "moongate";

const { width: W, height: H } = canvas;
const SHORE = 0.36 * H; // as in water.wgsl
const RING_LIFE = 6; // seconds
const SPEED = 250; // of a ring, in units a second
const WAVE = 44; // from crest to crest, as in water.wgsl
const ARC_LIFE = 1.6; // seconds
const RINGS_MAX = 24, POOLS_MAX = 14; // as in water.wgsl
const DROP = 0, HERE = 1, THERE = 2; // whose a ring or a light is
const INK = "#f6f2e6";

const LEFT = here.side === 0 ? here : there;
const RIGHT = here.side === 0 ? there : here;

const rings = [];       // { x, y, began, whose, strength }
const arcs = [];        // { x, y, began, whose, takes }: a touch on its way to the other city
const trails = new Map(); // the last ring of each touch that is held
let calm = 0;           // seconds without any touch
let nextDrop = 2;
let glow = 0;           // how live the other city's light is, 0 to 1

const mix = (a, b, t) => a + (b - a) * t;
const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
const COLOURS = [[0.36, 0.40, 0.44, 0], [...rgb(here.city.colour), 0], [...rgb(there.city.colour), 0]];

// The cities' colours, pale enough to be read on water at noon.
const PALE = COLOURS.map((c) => `rgb(${c.slice(0, 3).map((v) => Math.round(mix(v, 1, 0.55) * 255)).join(" ")})`);

// The sky by the sun's altitude in degrees: zenith and horizon.
/** @type {[number, number[], number[]][]} */
const SKIES = [
  [-18, [6, 12, 34], [20, 38, 72]],
  [-9, [13, 22, 58], [52, 52, 98]],
  [-3, [34, 50, 104], [188, 104, 104]],
  [2, [62, 96, 158], [248, 178, 118]],
  [10, [70, 130, 196], [232, 216, 190]],
  [40, [58, 132, 206], [182, 216, 234]],
];

function skyOf(sun) {
  const degrees = clamp(sun.altitude * 180 / Math.PI, -18, 40);
  let i = 1;
  while (SKIES[i][0] < degrees) i++;
  const [from, to] = [SKIES[i - 1], SKIES[i]];
  const t = (degrees - from[0]) / (to[0] - from[0]);
  const blend = (a, b) => a.map((value, j) => mix(value, b[j], t) / 255);
  return { zenith: blend(from[1], to[1]), horizon: blend(from[2], to[2]), night: clamp((-2 - degrees) / 10, 0, 1), seen: clamp((degrees + 2) / 3, 0, 1) };
}

// The sun as one sees it who looks south: east is left; it rises out of the lake and sets into it.
function sunAt(sun, centre) {
  const x = centre - Math.sin(sun.azimuth) * 0.19 * W;
  const y = SHORE - clamp(sun.altitude / 1.4, -0.2, 1) * (SHORE - 70);
  return [x, y, 38, clamp(1 - sun.altitude / 0.35, 0, 1)];
}

// A touch of the sky is a touch of its reflection.
const onWater = (y) => clamp(y < SHORE ? 2 * SHORE - y : y, SHORE + 20, H);
const panOf = (x) => clamp(x / W * 2 - 1, -1, 1);

function ring(x, y, began, whose, strength) {
  if (rings.length >= RINGS_MAX) {
    const drop = rings.findIndex((r) => r.whose === DROP);
    rings.splice(Math.max(0, drop), 1);
  }
  rings.push({ x, y: onWater(y), began, whose, strength });
}

// A ring as the shader takes it. The lake is seen from the side: far away it is flatter and smaller.
function asSeen({ x, y, began, whose, strength }, now) {
  const age = clamp(now - began, 0, RING_LIFE);
  const near = (y - SHORE) / (H - SHORE);
  const across = 1 / mix(0.5, 1, near);
  const radius = age * SPEED;
  const shape = [across, across / mix(0.24, 0.5, near), Math.max(0, radius - 3.4 * WAVE) ** 2, (radius + 12) ** 2];
  return { x, y, radius, whose, strength: strength * (1 - age / RING_LIFE) ** 1.4, shape };
}

function arc(touch, whose, takes) {
  if (arcs.length >= 8) arcs.shift();
  arcs.push({ x: touch.x, y: touch.y, began: touch.began, whose, takes });
}

const lightOf = (whose, now) => {
  const home = (whose === HERE ? here : there) === LEFT ? 0.25 : 0.75;
  return { x: (home + 0.025 * noise(now * 0.11, home * 9)) * W, y: (0.60 + 0.02 * noise(now * 0.13, home * 9 + 4)) * H };
};

export function down(touch) {
  ring(touch.x, touch.y, touch.began, HERE, 0.95);
  trails.set(`here${touch.id}`, { x: touch.x, y: touch.y, at: touch.began + touch.age });
  if (there.linked) arc(touch, HERE, Math.max(there.delay, 0.25));
  sound.play("drop.wav", { volume: 0.8, pan: panOf(touch.x), rate: mix(1.35, 0.8, clamp(touch.y / H, 0, 1)) });
}

// `began` is on the clock that both cities share: this ring has crossed for the true delay, and is that old.
export function downThere(touch) {
  ring(touch.x, touch.y, touch.began, THERE, 0.95);
  trails.set(`there${touch.id}`, { x: touch.x, y: touch.y, at: touch.began + touch.age });
  arc(touch, THERE, Math.max(touch.age, 0.01));
  sound.play("bell.wav", { volume: 0.4, pan: panOf(touch.x), rate: mix(1.2, 0.85, clamp(touch.y / H, 0, 1)) });
}

// Who draws a hand through the water leaves rings behind it.
function drag(touch, whose, late) {
  const key = (whose === HERE ? "here" : "there") + touch.id;
  const now = touch.began + touch.age;
  const last = trails.get(key);
  if (!last) return trails.set(key, { x: touch.x, y: touch.y, at: now });
  const way = Math.hypot(touch.x - last.x, touch.y - last.y);
  if (now - last.at < 0.12 || way < 90 && (way < 14 || now - last.at < 0.35)) return;
  ring(touch.x, touch.y, now - late, whose, 0.5);
  trails.set(key, { x: touch.x, y: touch.y, at: now });
}
export function move(touch) { drag(touch, HERE, 0); }
export function moveThere(touch) { drag(touch, THERE, there.delay); }
export function up(touch) { trails.delete(`here${touch.id}`); }
export function upThere(touch) { trails.delete(`there${touch.id}`); }

// Whoever walks by wades: a ring at each step. Whoever stands still sends one, with a note.
function wade(body, whose, now) {
  body.stepped ??= now;
  if (Math.hypot(body.vx, body.vy) < 60 || now - body.stepped < 0.55) return;
  body.stepped = now;
  ring(body.foot.x, Math.min(body.foot.y, 0.97 * H), now, whose, 0.4);
}
function stands(body, whose) {
  ring(body.head.x, body.head.y, Infinity, whose, 0.9);
  sound.play(whose === HERE ? "drop.wav" : "bell.wav", { volume: 0.4, pan: panOf(body.x), rate: 0.9 });
}
export function still(body) { stands(body, HERE); }
export function stillThere(body) { stands(body, THERE); }

export function parted() {
  for (const key of [...trails.keys()]) if (key.startsWith("there")) trails.delete(key);
}

export function frame({ now, dt }) {
  for (const r of rings) r.began = Math.min(r.began, now);
  while (rings.length && now - rings[0].began > RING_LIFE) rings.shift();
  while (arcs.length && now - arcs[0].began > ARC_LIFE) arcs.shift();
  glow = clamp(glow + (there.linked ? dt : -dt) / 1.5, 0, 1);

  // Nobody: rare drops of rain, in nobody's colour.
  const anybody = [here, there].some((site) => site.touches.length + site.bodies.length > 0);
  calm = anybody ? 0 : calm + dt;
  for (const { site, whose } of [{ site: here, whose: HERE }, { site: there, whose: THERE }]) for (const body of site.bodies) wade(body, whose, now);
  nextDrop -= dt;
  if (calm > 3 && nextDrop <= 0) {
    ring(random(0.08, 0.92) * W, random(0.46, 0.9) * H, now, DROP, random(0.45, 0.8));
    nextDrop = random(2.2, 5.5);
  }

  const breath = 0.5 + 0.5 * Math.sin(now * 0.9);
  const [mine, theirs] = [lightOf(HERE, now), lightOf(THERE, now)];
  // The other city's light swells when a touch of here reaches it.
  const swell = Math.max(0, ...arcs.filter((a) => a.whose === HERE && now > a.began + a.takes).map((a) => 1 - (now - a.began - a.takes)));
  const pools = [[mine.x, mine.y, 200 + 14 * breath, HERE + 0.40 + 0.08 * breath]];
  if (glow > 0) pools.push([theirs.x, theirs.y, 214 - 14 * breath + 50 * swell, THERE + (0.48 - 0.08 * breath + 0.22 * swell) * glow]);
  for (const { site, whose } of [{ site: here, whose: HERE }, { site: there, whose: THERE }])
    for (const t of site.touches.slice(0, (POOLS_MAX - 2) / 2))
      pools.push([t.x, t.y, 150 + 90 * Math.min(1, t.age), whose + 0.35 + 0.3 * Math.min(1, t.age)]);

  const seen = rings.map((r) => asSeen(r, now));
  const skies = [skyOf(LEFT.sun), skyOf(RIGHT.sun)];
  draw.shader("water.wgsl", {
    colours: COLOURS,
    shores: here === LEFT ? COLOURS.slice(1) : [COLOURS[2], COLOURS[1]],
    zenith: skies.map((s) => [...s.zenith, s.night]),
    horizon: skies.map((s) => [...s.horizon, s.seen]),
    suns: [sunAt(LEFT.sun, 0.25 * W), sunAt(RIGHT.sun, 0.75 * W)],
    rings: seen.map((r) => [r.x, r.y, r.radius, r.whose + r.strength]),
    shapes: seen.map((r) => r.shape),
    pools,
    ring_count: rings.length,
    pool_count: pools.length,
  });

  // People as the water shows them: theirs farther away.
  for (const site of [there, here]) {
    for (const body of site.bodies) draw.body(body, { ...site.look, soft: site === here ? 10 : 16, alpha: site === here ? 0.42 : 0.3 });
  }

  if (glow < 1) hollow(theirs, 1 - glow);
  for (const a of arcs) crossing(a, now, mine, theirs);
  const alphaOf = (site) => (site === here ? 1 : mix(0.3, 1, glow));
  label(LEFT, 0.04 * W, "left", alphaOf(LEFT));
  label(RIGHT, 0.96 * W, "right", alphaOf(RIGHT));
}

// The other city's light when it is not there: an outline.
function hollow(light, alpha) {
  const ring = Array.from({ length: 48 }, (_, i) => {
    const turn = (i / 48) * 2 * Math.PI;
    return [light.x + 84 * Math.cos(turn), light.y + 36 * Math.sin(turn)];
  });
  draw.polyline(ring, { stroke: there.city.colour, width: 3, closed: true, alpha: 0.6 * alpha });
}

// A thin arc over the horizon, from who touched to the other city's light; it takes as long as the network does.
function crossing(a, now, mine, theirs) {
  const age = now - a.began;
  const head = clamp(age / a.takes, 0, 1);
  const fade = clamp((ARC_LIFE - age) / (ARC_LIFE - Math.min(a.takes, 1)), 0, 1);
  const [from, to] = a.whose === HERE ? [a, theirs] : [theirs, a];
  const top = SHORE - 0.30 * H;
  const point = (t) => {
    const [p, q, r] = [(1 - t) * (1 - t), 2 * t * (1 - t), t * t];
    return [p * from.x + q * (from.x + to.x) / 2 + r * to.x, p * from.y + q * top + r * to.y];
  };
  const stroke = (a.whose === HERE ? here : there).city.colour;
  const STEPS = 24;
  for (let i = 0; i < STEPS; i++) {
    const [t0, t1] = [i / STEPS * head, (i + 1) / STEPS * head];
    const [[x1, y1], [x2, y2]] = [point(t0), point(t1)];
    draw.line(x1, y1, x2, y2, { stroke, width: 3, soft: 2, alpha: fade * fade * (0.08 + 0.72 * (i + 1) / STEPS), blend: "add" });
  }
  const [x, y] = point(head);
  draw.circle(x, y, 9, { fill: stroke, soft: 16, alpha: fade * fade, blend: "add" });
  draw.circle(x, y, 4, { fill: "white", soft: 3, alpha: fade * fade, blend: "add" });
}

function label(site, x, align, alpha) {
  const { name, language } = site.city;
  draw.text(name, x, H - 0.04 * H - 62, { size: 84, align, fill: INK, alpha, language });
  draw.text(site.clock.text, x, H - 0.04 * H - 6, { size: 44, align, fill: PALE[site === here ? HERE : THERE], alpha, language });
}
