"""The other side of `./x bench sense`: what a user would build with OpenCV, on one thread.

opencv.py check            says which versions are there
opencv.py time FILE.y4m    ms a frame, median and p99 of each, as one line of JSON
opencv.py track            Y4M on standard input; what was found in each frame on standard output: how many (32 bits),
                           and of each its id, left, top, width, height (32 bits each) and a byte a pixel of that box
"""
import json
import struct
import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)


def frames(source):
    """Pictures as planes one below another, as OpenCV takes 4:2:0, and the size of the brightness."""
    words = source.readline().decode().split()
    width, height = (int(next(w[1:] for w in words if w[0] == axis)) for axis in 'WH')
    size = width * height * 3 // 2
    while source.readline().startswith(b'FRAME'):
        data = source.read(size)
        if len(data) < size:
            return
        yield np.frombuffer(data, np.uint8).reshape(height * 3 // 2, width)


def colour(planes):
    return cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)


def grey(planes):
    return np.ascontiguousarray(planes[: planes.shape[0] * 2 // 3])


class Mog2:
    """MOG2, morphology, contours, nearest-neighbour ids."""

    def __init__(self):
        self.background = cv2.createBackgroundSubtractorMOG2(500, 16, True)
        self.opening = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
        self.closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 11))
        self.tracks, self.next, self.frame = {}, 1, 0

    def see(self, image):
        """Id, box and contour of everyone."""
        self.frame += 1
        mask = self.background.apply(image)
        mask = cv2.threshold(mask, 200, 255, 0)[1]
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, self.opening)
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, self.closing)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        found = [(cv2.boundingRect(c), c) for c in contours if cv2.contourArea(c) > 250]
        found = [(b, c) for b, c in found if b[3] > 1.1 * b[2] or b[2] * b[3] > 1500]
        used, new, seen = set(), {}, []
        for box, contour in found:
            centre, best = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2]), None
            for i, (place, _) in self.tracks.items():
                if i in used:
                    continue
                distance = np.hypot(*(place - centre))
                if distance < 40 and (best is None or distance < best[0]):
                    best = (distance, i)
            if best:
                i = best[1]
            else:
                i = self.next
                self.next += 1
            used.add(i)
            new[i] = (centre, self.frame)
            seen.append((i, box, contour))
        for i, (place, last) in self.tracks.items():
            if i not in new and self.frame - last < 10:
                new[i] = (place, last)
        self.tracks = new
        return seen


class Dis:
    """Dense optical flow from each frame to the next."""

    def __init__(self, preset):
        self.flow, self.last = cv2.DISOpticalFlow_create(preset), None

    def see(self, image):
        if self.last is not None:
            self.flow.calc(self.last, image, None)
        self.last = image


def timed(path, one, picture):
    took = []
    with open(path, 'rb') as source:
        for planes in frames(source):
            image = picture(planes)
            begin = time.perf_counter()
            one.see(image)
            took.append(1e3 * (time.perf_counter() - begin))
    return [float(np.percentile(took, 50)), float(np.percentile(took, 99))]


def track():
    one, out = Mog2(), sys.stdout.buffer
    for planes in frames(sys.stdin.buffer):
        seen = one.see(colour(planes))
        out.write(struct.pack('<I', len(seen)))
        for i, (x, y, w, h), contour in seen:
            mask = np.zeros((h, w), np.uint8)
            cv2.drawContours(mask, [contour], -1, 1, cv2.FILLED, offset=(-x, -y))
            out.write(struct.pack('<5i', i, x, y, w, h) + mask.tobytes())
        out.flush()


if sys.argv[1:] == ['check']:
    print(f'OpenCV {cv2.__version__}, numpy {np.__version__}')
elif sys.argv[1:] == ['track']:
    track()
elif len(sys.argv) == 3 and sys.argv[1] == 'time':
    print(json.dumps({
        'mog2': timed(sys.argv[2], Mog2(), colour),
        'mog2_grey': timed(sys.argv[2], Mog2(), grey),
        'dis_ultrafast': timed(sys.argv[2], Dis(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST), grey),
        'dis_fast': timed(sys.argv[2], Dis(cv2.DISOPTICAL_FLOW_PRESET_FAST), grey),
    }))
else:
    sys.exit(__doc__)
