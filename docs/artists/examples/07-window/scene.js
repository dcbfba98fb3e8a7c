// You are the window: their sky is seen within people of here, and nowhere else.
import { here, there, draw, gradient, canvas } from "moongate";

const shapes = (site) => [...site.bodies, ...site.touches.map((t) => ({ x: t.x, y: t.y, radius: 90 }))];

export function frame() {
  draw.background("#e6dfd0");
  draw.inside(shapes(here), () => {
    const up = there.sun.up;
    draw.background(gradient.linear(0, 0, 0, canvas.height, up ? ["#3f86cc", "#f4e2c0"] : ["#070b1e", "#33406e"]));
    for (const body of there.bodies) draw.body(body, there.look);
  });
}
