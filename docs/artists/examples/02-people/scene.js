// People of both cities on one stage. `look` tells the cities apart by colour and by texture.
import { here, there, draw } from "moongate";

export function frame() {
  draw.background("#f2ead8");
  for (const body of there.bodies) draw.body(body, { ...there.look, alpha: 0.6 });
  for (const body of here.bodies) {
    draw.body(body, here.look);
    // What you hang on a body stays there while the camera follows it.
    body.steps = (body.steps ?? 0) + Math.hypot(body.vx, body.vy) / 6000;
    draw.text(body.steps.toFixed(0), body.head.x, body.head.y - 60, { size: 40, align: "center", fill: "#2a2320" });
  }
}
