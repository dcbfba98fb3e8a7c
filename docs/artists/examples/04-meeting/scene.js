// Where people of both cities meet, light goes out: `meet` is told in both cities at the same instant.
import { here, there, draw, ease } from "moongate";

const LASTS = 3;
let lights = [], time = 0;

export function meet(at) { lights.push({ ...at, since: time }); }

export function frame({ now }) {
  time = now;
  lights = lights.filter((light) => now - light.since < LASTS);
  draw.background("#0c0f1c");
  for (const body of [...there.bodies, ...here.bodies]) draw.body(body, { fill: body.city.colour, alpha: 0.6 });
  for (const { x, y, since } of lights) {
    const t = (now - since) / LASTS;
    draw.circle(x, y, 60 + 500 * ease.out(t), { stroke: "gold", width: 12, soft: 8, alpha: 1 - t, blend: "screen" });
  }
}
