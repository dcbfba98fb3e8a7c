// Lanterns: stand still, or touch, and a lantern rises in both cities. Those of the last minutes drift over both skies.
import { here, there, ours, draw, noise, sound, canvas } from "moongate";

const RISES = 240; // seconds until one has left the sky
const glows = []; // where people have met

const light = (place) => ours.lanterns.add({ x: place.x, y: place.y });

export function down(touch) { light(touch); }
export function still(body) { light(body.head); }

export function meet(at) {
  // Of a crowd that meets at one place, one glow is seen.
  if (glows.some((glow) => Math.hypot(glow.x - at.x, glow.y - at.y) < 300)) return;
  glows.push({ ...at, since: null });
  sound.play("bell.wav", { volume: 0.5, pan: (2 * at.x) / canvas.width - 1 });
}

function lantern(l, now) {
  const rise = 1 - Math.exp(-l.age / 45);
  const x = l.x + 14 * noise(l.seed, now / 3) + 90 * rise * noise(l.seed, now / 40);
  const y = l.y + (40 - l.y) * rise;
  const alpha = Math.min(1, l.age * 3) * Math.min(1, (RISES - l.age) / 30) * (1 - l.faded);
  const size = (l.shared ? 1 : 0.85) * (36 - 18 * rise);
  const flicker = 0.85 + 0.15 * noise(l.seed + 7, now * 1.3);
  draw.circle(x, y, size * 2, { fill: l.city.colour, soft: size * 2, alpha: 0.22 * alpha * flicker, blend: "add" });
  draw.rect(x - size / 2, y - size * 0.7, size, size * 1.3, { fill: l.city.colour, radius: size / 3, alpha });
  draw.circle(x, y + size * 0.25, size * 0.3, { fill: "#fff4d0", soft: size * 0.3, alpha: alpha * flicker });
}

export function frame({ now, width, height }) {
  draw.background("#0b1026");
  draw.circle(width * 0.78, height * 0.2, 80, { fill: "#e8e6d8", soft: 6, alpha: 0.9 });
  for (const l of ours.lanterns.last(RISES)) lantern(l, now);
  for (const body of there.bodies) draw.body(body, { ...there.look, alpha: 0.55 });
  for (const body of here.bodies) draw.body(body, { ...here.look, alpha: 0.85 });
  for (const touch of [...there.touches, ...here.touches]) draw.circle(touch.x, touch.y, 26, { stroke: touch.city.colour, width: 4 });
  for (const glow of glows) {
    glow.since ??= now;
    const age = now - glow.since;
    draw.circle(glow.x, glow.y, 60 + 500 * age, { stroke: "#ffe9a8", width: 10, soft: 10, alpha: Math.max(0, 1 - age / 1.5), blend: "add" });
  }
  while (glows.length && now - (glows[0].since ?? now) > 1.5) glows.shift();
}
