// A tide between two cities: each says how many are there; the water goes to where more people are.
import { here, there, draw, canvas, gradient } from "moongate";

let level = 0.5;

export function frame({ now, dt, width, height }) {
  here.share.people = here.bodies.length + here.touches.length;
  const mine = here.share.people, theirs = there.share.people ?? 0; // gone with the link: then the sea is calm
  const goal = (mine + 1) / (mine + theirs + 2);
  level += (goal - level) * Math.min(1, dt);

  draw.background(gradient.linear(0, 0, 0, height, ["#f0e6d2", "#b9d4dc"]));
  for (let layer = 0; layer < 3; layer++) {
    const top = height * (1.1 - 0.75 * level) + 50 * layer;
    const points = Array.from({ length: 25 }, (_, i) => [(i / 24) * width, top + 16 * Math.sin(now + i / 2 + 2 * layer)]);
    draw.polygon([...points, [canvas.width, canvas.height], [0, canvas.height]], { fill: there.city.colour, alpha: 0.35 });
  }
  for (const body of here.bodies) draw.body(body, { fill: "#17303a", soft: 3 });
}
