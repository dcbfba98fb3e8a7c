// Pixels: a WGSL file of the folder paints all of the canvas. It knows who is here and there.
import { here, draw, dials } from "moongate";

export function frame() {
  draw.shader("ink.wgsl", { speed: dials.speed, day: Math.max(0, here.sun.altitude) });
}
