// The same sketch as benches/scene/page.html: COUNT circles that wander over a night.
import { draw } from "moongate";

const COLOURS = ["#e8543f", "#f0b840", "#4f9fd0"];
let frames = 0;

export function frame() {
  draw.background("rgb(16 24 44)");
  const now = frames++ / 60;
  for (let i = 0; i < COUNT; i++) {
    const x = 640 + 600 * Math.sin(i * 0.7 + now * (0.2 + (i % 7) / 20));
    const y = 360 + 330 * Math.cos(i * 1.3 + now * (0.3 + (i % 5) / 20));
    draw.circle(x, y, (8 + (i % 11)) / 2, { fill: COLOURS[i % 3] });
  }
}
