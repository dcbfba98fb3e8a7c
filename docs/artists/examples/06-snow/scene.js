// Snow falls in both cities, and comes to rest on whoever stands. The engine moves it.
import { here, there, draw, particles, canvas } from "moongate";

const snow = particles({ most: 3000, life: [12, 18], size: [5, 9], colour: ["white", "#dfe8ff"], gravity: 60, drag: 0.9, wander: 24, flow: 0.4, lands: "both" });

export function frame() {
  draw.background("#24324e");
  for (const body of there.bodies) draw.body(body, { ...there.look, alpha: 0.5 });
  for (const body of here.bodies) draw.body(body, here.look);
  // More falls while more moves there.
  snow.emit({ x: [0, canvas.width], y: -10 }, { rate: 60 + 200 * there.stir });
  draw.particles(snow);
}
