// Shadow Gate: a pale wall, and your shadow is a window in it. Through you, and only through you, one sees their garden,
// their sky and their people, as they are now.
import { here, there, canvas, dials, draw, ease, gradient, mix, signal, sound } from "moongate";

const { width: W, height: H } = canvas;
const GATE = { x: W / 2, y: 0.44 * H, r: 0.30 * H };
const GOLD = "#ffcb66";
const MEETS = 0.3, OPENS = 2, STAYS = 4;    // seconds together until gold, until a circle opens, and how long that stays
const DOWN = 30, HEALS = 5;                 // seconds that the wall is down, and that it takes to heal
const ECHO = 20, WALKS = 9;                 // seconds between two echoes, and that one takes
const RING = 2.6, SPEED = 420;              // a ring of light: its life in seconds, its speed
const HOLES = 24, GLOWS = 16;               // as in wall.wgsl

const rings = [];                           // { x, y, since, colour }: light on the wall; `since` may be to come
const circles = [];                         // { x, y, since }: holes that two have opened together
const memories = [];                        // { outline, hour, x }: who was here when they were not
const pairs = new Map();                    // who overlaps with whom, by the id of who is here: { since, seen, opened }
let fell = -Infinity;                       // when the wall came down
let alive = 0;                              // how much their garden is there: without them it is water
let echo = { since: -Infinity, memory: null };
let now = 0;

const clamp = (v, low = 0, high = 1) => Math.min(high, Math.max(low, v));
const lerp = (a, b, t) => a + (b - a) * t;
const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255);
const pan = (x) => clamp((2 * x) / W - 1, -1, 1);
const keep = (list, thing, most) => { if (list.push(thing) > most) list.shift(); };

// The sky by the sun's height in degrees: above, at the horizon.
/** @type {[number, string, string][]} */
const SKIES = [[-18, "#070c24", "#1a2c56"], [-8, "#18204e", "#4c4a78"], [-1, "#35508c", "#e08a5c"], [6, "#5a90c8", "#f4d2a0"], [30, "#3f86cc", "#cfe4f0"]];
function skyOf(sun) {
  const degrees = clamp((sun.altitude * 180) / Math.PI, -18, 30);
  const i = Math.max(1, SKIES.findIndex(([at]) => at >= degrees));
  const [[from, high, low], [to, high2, low2]] = [SKIES[i - 1], SKIES[i]];
  const t = (degrees - from) / (to - from);
  return [mix(high, high2, t), mix(low, low2, t)].map(rgb);
}
const dayOf = (sun) => clamp(((sun.altitude * 180) / Math.PI + 6) / 14);

// Their sun, or a moon, where it stands: it crosses from east to west.
function lightOf(sun) {
  const up = sun.altitude > -0.07;
  const across = up ? -Math.sin(sun.azimuth) : Math.sin(sun.azimuth) * 0.8;
  const high = up ? clamp(Math.sin(Math.max(0, sun.altitude)) * 1.2) : 0.62;
  return { x: W / 2 + across * 0.36 * W, y: lerp(0.56, 0.13, high) * H, r: up ? 46 : 40, w: up ? Math.max(0.05, sun.altitude) : -0.3 };
}

// Whoever hammers makes no more rings than who touches.
let last = -Infinity;
export function down(touch) { ringFrom(touch); }
function ringFrom({ x, y }) {
  if (now - last < 0.4) return;
  last = now;
  keep(rings, { x, y, since: now, colour: here.city.colour }, GLOWS);
  // It is there after the true delay: their colour answers from its middle.
  if (there.linked) keep(rings, { x, y, since: now + there.delay + 0.05, colour: there.city.colour }, GLOWS);
  sound.play("ring.wav", { pan: pan(x), volume: 0.5, rate: lerp(1.3, 0.8, clamp(y / H)) });
}
let theirs = -Infinity;
export function downThere(touch) {
  if (now - theirs < 0.4) return;
  theirs = now;
  keep(rings, { x: touch.x, y: touch.y, since: now, colour: there.city.colour }, GLOWS);
  sound.play("ring.wav", { pan: pan(touch.x), volume: 0.35, rate: 0.6 });
}
export function still(body) { ringFrom(body.head); }

// Agreed by both cities: the same bell at the same instant.
let rang = -Infinity;
export function meet(at) {
  if (now - rang < 0.7) return;
  rang = now;
  keep(rings, { ...at, since: now, colour: GOLD }, GLOWS);
  sound.play("bell.wav", { pan: pan(at.x), volume: 0.7, rate: [1, 9 / 8, 5 / 4, 3 / 2, 5 / 3][Math.floor(clamp(at.x / W, 0, 0.99) * 5)] });
}

// Who is here while nobody is there is remembered, as a line, with the hour.
export function leave(body) {
  if (body.age > 2 && body.outline.length > 8) keep(memories, { outline: body.outline, x: body.x, hour: here.clock.text.slice(0, 5) }, 6);
}

export function heard(name) { if (name === "fall") fall(); }
function fall() {
  if (now - fell < DOWN + HEALS + 10) return;
  fell = now;
  sound.play("chord.wav", { volume: 0.8 });
}

// How much of the wall shadows cover: columns in which somebody is.
function covered() {
  const columns = new Set();
  for (const b of here.bodies) {
    const half = 0.16 * (b.foot.y - b.head.y) * Math.sqrt(b.people);
    for (let c = Math.floor(((b.x - half) / W) * 48); c <= ((b.x + half) / W) * 48; c++) if (c >= 0 && c < 48) columns.add(c);
  }
  return columns.size / 48;
}

// Who of here and who of there are in one place, and for how long.
function together() {
  for (const a of here.bodies) {
    const tall = a.foot.y - a.head.y;
    const b = there.bodies.find((b) => Math.abs(b.x - a.x) < 0.22 * tall);
    if (!b) continue;
    const pair = pairs.get(a.id) ?? { since: now, opened: false };
    pairs.set(a.id, Object.assign(pair, { a, b, seen: now, x: (a.x + b.x) / 2, y: (a.head.y + a.foot.y) / 2 }));
    if (now - pair.since > OPENS && !pair.opened) {
      pair.opened = true;
      if (!circles.some((c) => Math.abs(c.x - pair.x) < 300 && now - c.since < STAYS)) keep(circles, { x: pair.x, y: pair.y, since: now }, 3);
    }
  }
  for (const [id, pair] of pairs) if (now - pair.seen > 0.3) pairs.delete(id);
}

export function frame(given) {
  now = given.now;
  const { dt } = given;
  alive = clamp(alive + (there.linked ? dt : -dt) / 2);
  for (let i = rings.length - 1; i >= 0; i--) if (now - rings[i].since > RING) rings.splice(i, 1);
  while (circles.length && now - circles[0].since > STAYS) circles.shift();
  together();
  if (covered() >= dials.cover && now - fell > DOWN + HEALS + 20) {
    fall();
    signal("fall");
  }
  const since = now - fell;
  const open = since < DOWN ? ease.out(since / 2.5) : 1 - ease.inOut(clamp((since - DOWN) / HEALS));

  garden();
  if (alive > 0) people();
  if (there.bodies.length === 0) echoes();
  wall(open);
  if (open > 0.02) mine(open);
  gold();
}

function garden() {
  const [zenith, horizon] = skyOf(there.sun);
  const light = lightOf(there.sun);
  draw.shader("garden.wgsl", {
    zenith: [...zenith, 1 - dayOf(there.sun)],
    horizon: [...horizon, dayOf(there.sun)],
    sun: [light.x, light.y, light.r, light.w],
    light: [...rgb(there.city.colour), ease.inOut(alive)],
    wind: 0.25 + 0.75 * there.stir,
  });
}

// They stand on your ground, life-size, and their own sky lights them.
function people() {
  const day = dayOf(there.sun);
  const lit = mix(there.city.colour, day > 0.5 ? "#fff3dc" : "#9fb4e8", 0.3);
  const fill = gradient.linear(0, 0.4 * H, 0, H, [mix(lit, "white", 0.45), lit, mix(lit, "#0c1020", 0.55)]);
  for (const b of there.bodies) {
    draw.ellipse(b.foot.x, b.foot.y - 6, 0.17 * (b.foot.y - b.head.y), 15, { fill: "black", soft: 22, alpha: 0.35 });
    draw.body(b, { fill: "#0c1020", alpha: 0.55 * alive });
    draw.body(b, { fill, pattern: "lines", stroke: mix(lit, "white", 0.6), width: 4, soft: 2, alpha: alive });
  }
  for (const t of there.touches) draw.circle(t.x, t.y, 30, { fill: lit, pattern: "lines", stroke: "white", width: 3, alpha: alive });
}

// Nobody there: now and then somebody who was here walks through the garden again, as a line, with the hour.
function echoes() {
  if (now - echo.since > ECHO && memories.length) echo = { since: now, memory: memories[Math.floor(now / ECHO) % memories.length] };
  const t = (now - echo.since) / WALKS;
  if (!echo.memory || t > 1) return;
  const { outline, x, hour } = echo.memory;
  const alpha = 0.85 * clamp(5 * Math.min(t, 1 - t));
  draw.push();
  draw.translate(lerp(0.1, 0.9, t) * W - x, -4 * Math.abs(Math.sin(now * 3)));
  draw.body(outline, { stroke: "white", width: 3, soft: 2, alpha });
  draw.text(hour, x, Math.min(...outline.map(([, y]) => y)) - 16, { size: 30, align: "center", alpha });
  draw.pop();
}

function wall(open) {
  const day = dayOf(here.sun), light = lightOf(there.sun), theirs = dayOf(there.sun);
  const empty = clamp(here.empty / 2 - 0.5);
  const calm = here.empty > 20 ? 0.5 + 0.5 * Math.sin(now * 0.7) : 0;
  const plaster = rgb(mix("#6a6064", "#e8e0d0", day));
  const holes = [];
  for (const t of here.touches) holes.push([t.x, t.y, 150 * ease.inOut(clamp(t.age / 0.8)), 14]);
  for (const c of circles) {
    const age = now - c.since;
    holes.push([c.x, c.y, 340 * ease.out(clamp(age / 0.8)) * (1 - ease.in(clamp((age - STAYS + 1) / 1))), 8]);
  }
  const seen = rings.filter((r) => r.since <= now);
  const radius = (r) => 40 + SPEED * (now - r.since) * (1 - 0.15 * (now - r.since));
  draw.shader("wall.wgsl", {
    plaster: [...plaster, day],
    ring: [GATE.x, GATE.y, GATE.r * (1 + 0.012 * calm), 0.05 + 0.25 * calm],
    // Its way through the wall is seen while nobody stands before it.
    sun: [light.x, light.y, light.r * 1.6, (0.25 + 0.6 * empty) * lerp(0.7, 1, theirs)],
    tint: [...rgb(theirs > 0.3 ? "#ffdf9e" : "#cfd8f2"), open],
    lamp: [...rgb(mix(mix("#24345e", "#bcd6ea", theirs), there.city.colour, 0.3)), 0.4 + 0.3 * (1 - day)],
    holes: holes.slice(-HOLES),
    hole_count: Math.min(HOLES, holes.length),
    glows: seen.map((r) => [r.x, r.y, radius(r), 0.9 * (1 - (now - r.since) / RING) ** 1.5]),
    hues: seen.map((r) => [...rgb(r.colour), 0]),
    glow_count: seen.length,
  });
}

// The wall is down: those of here stand in the garden too, in their own light.
function mine(open) {
  for (const b of here.bodies) draw.body(b, { fill: mix(here.city.colour, "black", 0.4), stroke: here.city.colour, width: 5, soft: 3, alpha: 0.8 * open });
}

// An edge of gold round both, growing while they stay; it comes and goes gently.
function gold() {
  const bound = [...pairs.values()].filter((pair) => now - pair.since > MEETS).sort((a, b) => a.since - b.since).slice(0, 5);
  draw.trail("gold", { fade: 0.8, blend: "screen" }, () => {
    for (const { a, since } of bound) draw.body(a, { stroke: GOLD, width: 4 + 8 * clamp((now - since) / OPENS), soft: 8, alpha: 0.16 });
  });
}
