// Time: something once, something again and again, and a signal that the other half of the scene hears.
import { here, there, draw, every, after, signal, ease, canvas } from "moongate";

export const keep = { rung: 0 }; // stays as it is while you save this file
let rings = [];
const ring = (x, colour) => {
  rings.push({ x, colour, age: 0 });
  after("3s", () => rings.shift());
};

every("10s", () => { if (here.lead) ring(canvas.width / 2, "gold"); });
export function idle() { ring(canvas.width / 2, "white"); }      // nobody for 20 seconds
export function down(touch) { pull(touch.x); }
export function still(body) { pull(body.x); }
function pull(x) {
  keep.rung += 1;
  ring(x, here.city.colour);
  if (there.linked) signal("bell", { x });
}
export function heard(name, data) { if (name === "bell") ring(Number(data?.x) || 0, there.city.colour); }

export function frame({ dt }) {
  draw.background("#1a1420");
  for (const r of rings) {
    r.age += dt;
    draw.circle(r.x, 300, 80 + 400 * ease.out(r.age / 3), { stroke: r.colour, width: 14, alpha: Math.max(0, 1 - r.age / 3) });
  }
  for (const body of here.bodies) draw.body(body, { ...here.look, alpha: 0.7 });
  draw.text(keep.rung, canvas.width / 2, 330, { size: 90, align: "center" });
}
