// Whoever stands still leaves a star, in both cities and for good. What is kept is drawn once.
import { here, there, ours, draw, random } from "moongate";

export function still(body) { ours.stars.add(body.head, { size: 4 + random(8) }); }
export function down(touch) { ours.stars.add(touch, { size: 4 + random(8) }); }

export function frame() {
  draw.background("#070a18");
  draw.kept("stars", ours.stars.all(), (star) => {
    draw.circle(star.x, star.y, star.size * 3, { fill: star.city.colour, soft: star.size * 6, alpha: 0.4 });
    draw.circle(star.x, star.y, star.size, { fill: "white", soft: 3 });
  });
  for (const body of [...there.bodies, ...here.bodies]) draw.body(body, { fill: body.city.colour, alpha: 0.3, soft: 10 });
}
