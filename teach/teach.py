"""Teaches the net of the vision pipeline from lessons of the built-in street (docs/sense.md).

    ./x lessons FOLDER SECONDS
    python3 teach/teach.py FOLDER --seconds 525 --out OUT
    cp OUT/taught.bf16 crates/vision/src/net/taught.bf16

It wants numpy, PyTorch and, in earnest, a GPU. Places and lengths are in pixels of 320×240.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

W, H = 320, 240
# A lesson: brightness and labels at 640×480; the lit background, its trembling and what differs at 320×240.
BYTES = 11 * W * H
# The largest so many people of a lesson: left, top, width, height, share to be seen, pixels, label.
PEOPLE = 56
NOBODY = [0, 0, 1, 1, 0, 0, -1]
# The net, as in crates/vision/src/net/mod.rs.
CHANNELS, DOWN, UP, SAYS = [24, 32, 64, 96, 96], [0, 2, 3, 3, 2], [1, 2, 2, 1], 7
# Lessons that the net is never taught, to judge it by.
HELD_OUT = 320

GPU = torch.cuda.is_available()
BATCH = 64 if GPU else 8
LAYOUT = torch.channels_last if GPU else torch.contiguous_format
DEVICE = torch.device("cuda" if GPU else "cpu")


def read_people(path, count):
    """Who is in each of so many lessons, the largest first."""
    people = [[] for _ in range(count)]
    for words in map(str.split, path.open()):
        if len(words) < 10:
            break  # the writer was ended
        lesson, label, *numbers = map(float, words[:8])
        if lesson < count and label > 0:
            people[int(lesson)].append([*numbers, label])
    largest = [sorted(all_, key=lambda person: -person[5])[:PEOPLE] for all_ in people]
    return [some + [NOBODY] * (PEOPLE - len(some)) for some in largest]


def read_lessons(folders):
    """All lessons of some folders, and who is in them."""
    paths = [path for folder in folders for path in sorted(folder.glob("*.bin")) if path.stat().st_size >= BYTES]
    counts = [path.stat().st_size // BYTES for path in paths]
    if sum(counts) < 10:
        sys.exit(f"teach: {sum(counts)} lessons are too few: ./x lessons {folders[0]} SECONDS")
    lessons = torch.empty(sum(counts), BYTES, dtype=torch.uint8, device=DEVICE)
    people, first = [], 0
    for path, count in zip(paths, counts):
        pixels = np.fromfile(path, np.uint8, count * BYTES).reshape(count, BYTES)
        lessons[first : first + count] = torch.from_numpy(pixels)
        people += read_people(path.with_suffix(".txt"), count)
        first += count
    return lessons, torch.tensor(people, dtype=torch.float32, device=DEVICE)


def between(count, low, high):
    """Random numbers, one for each lesson."""
    return torch.rand(count, device=DEVICE) * (high - low) + low


def move(seen, label, lit, bound, marks, people):
    """The same lessons larger or smaller, elsewhere, as in a mirror."""
    count = len(seen)
    scale = torch.exp(between(count, math.log(0.55), math.log(2.3)))
    scale = torch.where(between(count, 0, 1) < 0.3, 1.0, scale)
    flip = (between(count, 0, 1) < 0.5) * 2.0 - 1
    # How far the view may move, in halves of the picture: new = scale × flip × old + shift.
    free = (scale - 1).abs()
    across, down = between(count, -1, 1) * free, between(count, -1, 1) * free

    def sample(plane, **how):
        height, width = plane.shape[2:]
        middle = lambda side: (torch.arange(side, device=DEVICE) * 2 + 1) / side - 1
        column = (middle(width) - across[:, None]) * (flip / scale)[:, None]
        row = (middle(height) - down[:, None]) / scale[:, None]
        grid = torch.stack([column[:, None].expand(-1, height, -1), row[:, :, None].expand(-1, -1, width)], -1)
        return F.grid_sample(plane, grid, align_corners=False, **how)

    seen, lit, bound = [sample(plane, padding_mode="border") for plane in (seen, lit, bound)]
    marks, label = (sample(marks) > 0.4).float(), sample(label, mode="nearest")
    place = lambda at, by, shift, side: by[:, None] * (at - side / 2) + shift[:, None] * side / 2 + side / 2
    x, y, width, height, visible, pixels, who = people.unbind(-1)
    one, other = [place(at, scale * flip, across, W) for at in (x, x + width)]
    left, right = torch.minimum(one, other), torch.maximum(one, other)
    top, bottom = [place(at, scale, down, H) for at in (y, y + height)]
    area = ((right - left) * (bottom - top)).clamp(min=1)
    left, right, top, bottom = left.clamp(0, W), right.clamp(0, W), top.clamp(0, H), bottom.clamp(0, H)
    inside = (right - left) * (bottom - top) / area
    visible = torch.where(inside < 0.3, 0.0, visible)
    pixels = pixels * scale[:, None] ** 2 * inside
    who = torch.where(inside <= 0.02, -1.0, who)
    size = [(right - left).clamp(min=1), (bottom - top).clamp(min=1)]
    return seen, label, lit, bound, marks, torch.stack([left, top, *size, visible, pixels, who], -1)


def relight(seen, label, lit, bound):
    """Other clothes, another exposure, a background that is a little wrong, noise, blur."""
    some = lambda low, high: between(len(seen), low, high)[:, None, None, None]
    chance = lambda share: some(0, 1) < share
    waves = lambda *size: torch.randn(len(seen), 1, *size, device=DEVICE)
    cloth = F.interpolate(waves(48, 64), size=seen.shape[2:], mode="bilinear")
    seen = seen * (1 + (label > 0) * cloth * (some(0, 0.3) * chance(0.5)))
    gain, gamma = torch.exp(some(-0.5, 0.25)), torch.exp(some(-0.2, 0.2))
    tone = lambda value: 16 + 219 * (((value - 16).clamp(min=0) / 219) ** gamma * gain)
    slope = 0.5 * tone(lit + 1) - 0.5 * tone(lit - 1)
    seen, lit, bound = tone(seen), tone(lit), (bound * slope.clamp(0.3, 2)).clamp(min=4)
    wrong = F.interpolate(waves(4, 5), size=lit.shape[2:], mode="bicubic")
    lit = 16 + (lit - 16) * torch.exp(wrong * some(0, 0.04))
    noise = some(0, 5) * chance(0.35)
    seen, bound = seen + torch.randn_like(seen) * noise * 1.8, torch.maximum(bound, 4 + noise * 2.8)
    blur = chance(0.2).float()
    blurred = lambda value: F.avg_pool2d(value, 3, 1, 1, count_include_pad=False)
    seen, lit = seen + blur * (blurred(seen) - seen), lit + blur * 0.5 * (blurred(lit) - lit)
    return seen.round().clamp(0, 255), lit.round().clamp(0, 255), bound


def features(seen, lit, bound, black=16.0):
    """What `Net::take_in` reads: fine brightness, and how far it is off in light and in trembling."""
    light = lambda value: torch.log((value - black).clamp(min=0) + 8)
    work = torch.floor(F.avg_pool2d(seen, 2) + 0.5)
    off = (light(work) - light(lit)) * 2, ((work - lit) / bound).clamp(-4, 4) / 2
    return torch.cat([F.pixel_unshuffle(light(seen) - 4, 4), *[F.pixel_unshuffle(plane, 2) for plane in off]], 1)


def at_work(marks):
    """Which cells of each level are at work: `cells::light`."""
    second = F.max_pool2d(F.max_pool2d(marks, 4), 3, 1, 1)
    levels = [F.interpolate(second, scale_factor=2), second]
    while len(levels) < 5:
        levels.append(F.max_pool2d(levels[-1], 2, ceil_mode=True))
    return levels


def batch(lessons, people, varied):
    """What goes in, the cells at work, the true mask, the labels of quarters of cells, and people."""
    planes = lessons.float().split([4 * W * H] * 2 + [W * H] * 3, 1)
    shapes = [(2 * H, 2 * W)] * 2 + [(H, W)] * 3
    seen, label, lit, bound, marks = [plane.view(-1, 1, *shape) for plane, shape in zip(planes, shapes)]
    if varied:
        seen, label, lit, bound, marks, people = move(seen, label, lit, bound, marks, people)
        seen, lit, bound = relight(seen, label, lit, bound)
    mask = (label > 0).float()
    return features(seen, lit, bound), at_work(marks), mask, label[:, 0, 1::4, 1::4].long(), people


# The middles of the quarters of cells that the net speaks of: two by two pixels.
Y, X = torch.meshgrid(
    torch.arange(H // 2, device=DEVICE) * 2 + 1.0, torch.arange(W // 2, device=DEVICE) * 2 + 1.0, indexing="ij"
)


class Wanted:
    """What the net should say of people, quarter by quarter."""

    def __init__(self, people, label):
        x, y, width, height, visible, pixels, who = people.unbind(-1)
        somebody = who > 0
        clear = (visible >= 0.28) & (pixels >= 30) & somebody
        middle_x, middle_y = x + width / 2, y + 0.3 * height
        # A hill about each one's middle.
        across, down = (0.08 * width).clamp(min=1.5), (0.05 * height).clamp(min=1.5)
        off_x = (X - middle_x[..., None, None]) / across[..., None, None]
        off_y = (Y - middle_y[..., None, None]) / down[..., None, None]
        hills = torch.exp(-0.5 * (off_x * off_x + off_y * off_y))
        self.heat, whose = (hills * clear[..., None, None]).max(1)
        row, column = (middle_y / 2).long().clamp(0, H // 2 - 1), (middle_x / 2).long().clamp(0, W // 2 - 1)
        peak = torch.zeros_like(self.heat).flatten(1)
        self.peak = peak.scatter_add(1, row * (W // 2) + column, clear.float()).view(label.shape) > 0
        # Of who is hardly to be seen it may say what it likes.
        self.unclear = ((hills * (somebody & ~clear)[..., None, None]).max(1)[0] > 0.2) & ~self.peak
        own = lambda numbers, whose: torch.gather(numbers, 1, whose.flatten(1)).view(label.shape)
        self.box = torch.stack([own(side, whose) for side in (x, y, x + width, y + height)], -1)
        # From a label to who it is: not everybody is in the list, and whoever is not there gets 256.
        index = torch.full((len(people), 257), -1, device=DEVICE)
        listed = torch.arange(PEOPLE, device=DEVICE).expand(len(people), -1)
        index = index.scatter(1, torch.where(somebody, who.long(), 256), listed)
        owner = own(index, label)
        self.owned, owner = owner >= 0, owner.clamp(min=0)
        self.to_middle = [(own(middle_x, owner) - X) / 32, (own(middle_y, owner) - Y) / 32]
        self.tall = own(height, owner)


def mix(inputs, outputs):
    """Mixes the channels of each cell."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs, momentum=0.03))


class Look(nn.Conv2d):
    """Looks at the neighbours of each cell, or of each second one, channel by channel."""

    def __init__(self, channels, stride):
        super().__init__(channels, channels, 3, stride, 1, groups=channels, bias=False)

    def forward(self, cells):
        if not GPU:
            return super().forward(cells)
        # A full convolution, most of it zeros, is several times faster there.
        full = torch.diag_embed(self.weight[:, 0].permute(1, 2, 0)).permute(2, 3, 0, 1)
        return F.conv2d(cells, full, None, self.stride, 1)


def look_and_mix(inputs, outputs, stride=1):
    """Looks round, then mixes the channels."""
    return nn.Sequential(Look(inputs, stride), nn.BatchNorm2d(inputs, momentum=0.03), nn.ReLU(), *mix(inputs, outputs))


class Net(nn.Module):
    """The net of crates/vision/src/net."""

    def __init__(self):
        super().__init__()
        steps = list(zip(CHANNELS, CHANNELS[1:]))
        level = lambda channels, count: nn.ModuleList(look_and_mix(channels, channels) for _ in range(count))
        self.first = mix(CHANNELS[0], CHANNELS[0])
        self.coarser = nn.ModuleList(look_and_mix(fine, coarse, 2) for fine, coarse in steps)
        self.down = nn.ModuleList(map(level, CHANNELS, DOWN))
        self.finer = nn.ModuleList(mix(coarse, fine) for fine, coarse in steps)
        self.up = nn.ModuleList(map(level, CHANNELS, UP))
        self.people, self.mask = nn.Conv2d(CHANNELS[1], 4 * SAYS, 1), nn.Conv2d(CHANNELS[0], 16, 1)
        for layer in (self.people, self.mask):
            nn.init.zeros_(layer.bias)
            nn.init.normal_(layer.weight, std=0.01)
        with torch.no_grad():
            self.people.bias[:4] = -4.0  # they are rare

    def forward(self, cells, work):
        """How sure it is of each pixel, and what it says of people."""
        cells, levels = F.relu(self.first(cells)) * work[0], []
        for level in range(5):
            if level > 0:
                cells = F.relu(self.coarser[level - 1](cells)) * work[level]
            for block in self.down[level]:
                cells = F.relu(cells + block(cells)) * work[level]
            levels.append(cells)
        for level in (3, 2, 1, 0):
            fine = levels[level]
            coarse = F.interpolate(self.finer[level](cells), scale_factor=2)[..., : fine.shape[2], : fine.shape[3]]
            cells = F.relu(fine + coarse) * work[level]
            for block in self.up[level]:
                cells = F.relu(cells + block(cells)) * work[level]
            if level == 1:
                people = F.pixel_shuffle(self.people(cells), 2)
        return F.pixel_shuffle(self.mask(cells), 4), people

    def layers(self):
        """All layers in the order in which `weights::read` reads them, each with its norm."""
        parts = [self.first]
        for level in range(5):
            parts += [self.coarser[level - 1]] * (level > 0) + [*self.down[level]]
        for level in (3, 2, 1, 0):
            parts += [self.finer[level], *self.up[level]] + [[self.people, None]] * (level == 1)
        for part in [*parts, [self.mask, None]]:
            part = [layer for layer in part if not isinstance(layer, nn.ReLU)]
            yield from zip(part[::2], part[1::2])


def write(net, path):
    """Writes the upper halves of 32-bit floats, layer by layer, weights and then biases."""
    numbers = []
    for layer, its_norm in net.layers():
        weight, bias = layer.weight, layer.bias
        if its_norm:
            scale = its_norm.weight / torch.sqrt(its_norm.running_var + its_norm.eps)
            weight, bias = weight * scale[:, None, None, None], its_norm.bias - its_norm.running_mean * scale
        # Row, column, channel where it looks; input, output where it mixes.
        weight = weight[:, 0].permute(1, 2, 0) if layer.groups > 1 else weight[:, :, 0, 0].t()
        numbers += [weight.reshape(-1), bias]
    torch.cat(numbers).detach().cpu().bfloat16().view(torch.int16).numpy().tofile(path)


def boxes(said):
    """Left, top, right and bottom of who is said to be in each quarter."""
    middle = torch.stack([X + 32 * said[:, 1], Y + 32 * said[:, 2]], -1)
    size = torch.stack([24 * torch.exp(said[:, 3].clamp(-4, 4)), 64 * torch.exp(said[:, 4].clamp(-4, 4))], -1)
    return torch.cat([middle - size / 2, middle + size / 2], -1)


def box_loss(box, wanted):
    """Generalized intersection over union, and how far the sides are off."""
    area = lambda size: size[..., 0] * size[..., 1]
    (first, last), (first_wanted, last_wanted) = box.split(2, -1), wanted.split(2, -1)
    size = last_wanted - first_wanted
    shared = area((torch.minimum(last, last_wanted) - torch.maximum(first, first_wanted)).clamp(min=0))
    hull = area(torch.maximum(last, last_wanted) - torch.minimum(first, first_wanted))
    union = area(last - first) + area(size) - shared
    off = ((first - first_wanted).abs() + (last - last_wanted).abs()) / size.clamp(min=4)
    return 1 - shared / union + (hull - union) / hull + 0.25 * off.sum(-1).clamp(max=4)


def losses(mask, said, true_mask, wanted, work):
    """How wrong the net is, where it works: about the mask (twice), who is there, boxes, and whose each pixel is."""
    cells, pixels = work[0][:, 0], F.interpolate(work[0], scale_factor=4)
    mean = lambda loss, weight: (loss * weight).sum() / weight.sum().clamp(min=1)
    pixel_loss = mean(F.binary_cross_entropy_with_logits(mask, true_mask, reduction="none"), pixels)
    sure = torch.sigmoid(mask) * pixels
    total = lambda plane: plane.sum((1, 2, 3))
    dice = 1 - (2 * total(sure * true_mask) + 200) / (total(sure * sure) + total(true_mask) + 200)
    # Focal, as in "Objects as Points".
    sure = torch.sigmoid(said[:, 0]).clamp(1e-5, 1 - 1e-5)
    found = (1 - sure) ** 2 * torch.log(sure) * wanted.peak
    silent = (1 - wanted.heat) ** 4 * sure**2 * torch.log(1 - sure) * (~wanted.peak & ~wanted.unclear)
    heat_loss = -((found + silent) * cells).sum() / wanted.peak.sum().clamp(min=1)
    near = torch.where(wanted.heat > 0.5, wanted.heat, 0.0) * cells
    off = (said[:, 5] - wanted.to_middle[0]).abs() + (said[:, 6] - wanted.to_middle[1]).abs()
    middle_loss = mean(off * 32 / wanted.tall.clamp(min=12), wanted.owned * cells)
    return pixel_loss * 2, dice.mean(), heat_loss, mean(box_loss(boxes(said), wanted.box), near), middle_loss * 2


def ask(net, lessons, people, varied):
    """What the net says of lessons, what is true, and how wrong it is."""
    cells, work, true_mask, label, people = batch(lessons, people, varied)
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=GPU):
        mask, said = net(cells.contiguous(memory_format=LAYOUT), work)
    mask, said = mask.float(), said.float()
    return mask, said, true_mask, work, people, losses(mask, said, true_mask, Wanted(people, label), work)


def overlap(box, others):
    """The areas that a box shares with others, each over that of both together."""
    area = lambda box: (box[..., 2:] - box[..., :2]).prod(-1)
    size = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = size.clip(0).prod(-1)
    return shared / (area(box) + area(others) - shared + 1e-6)


def count_found(found, people):
    """Of boxes, the surest first, and of who is there: right, missed, wrong. Who is hardly to be seen is none of these."""
    there = np.hstack([people[:, :2], people[:, :2] + people[:, 2:4]])
    matters = (people[:, 4] >= 0.3) & (people[:, 5] >= 37)
    free, kept, right, wrong = np.ones(len(people)), np.zeros((0, 4)), 0, 0
    for box in found:
        if (overlap(box, kept) < 0.7).all():
            kept = np.vstack([kept, box])
            fits = overlap(box, there) * free
            if fits.max(initial=0) < 0.5:
                wrong += 1
            else:
                right += matters[fits.argmax()]
                free[fits.argmax()] = 0
    return np.array([right, (matters * free).sum(), wrong])


@torch.no_grad()
def judge(net, lessons, people):
    """How well the net does on lessons that it was not taught."""
    net.eval()
    counts, mask_both, mask_any, sums, rounds = np.zeros(3), 0.0, 0.0, 0.0, 0
    for some, who in zip(lessons.split(BATCH), people.split(BATCH)):
        mask, said, true_mask, work, who, wrong = ask(net, some, who, False)
        shown, true = (mask > 0) * F.interpolate(work[0], scale_factor=4), true_mask
        mask_both, mask_any = mask_both + float((shown * true).sum()), mask_any + float(((shown + true) > 0).sum())
        sums, rounds = sums + np.array([float(part) for part in wrong]), rounds + 1
        sure = torch.sigmoid(said[:, 0]) * work[0][:, 0]
        tops = (F.max_pool2d(sure[:, None], 3, 1, 1)[:, 0] == sure) & (sure > 0.35)
        box = boxes(said).clamp(min=0).minimum(torch.tensor([W, H, W, H], device=DEVICE))
        for at in range(len(some)):
            surest = sure[at][tops[at]].argsort(descending=True)
            found, there = box[at][tops[at]][surest], who[at][who[at][:, 6] > 0]
            counts += count_found(found.cpu().numpy(), there.cpu().numpy())
    right, missed, wrong = counts
    recall, precision = right / max(right + missed, 1), right / max(right + wrong, 1)
    mask_iou, parts = mask_both / max(mask_any, 1), " ".join(f"{part:.3f}" for part in sums / rounds)
    return f"recall {recall:.3f}, precision {precision:.3f}, mask IoU {mask_iou:.3f}; losses {parts}"


def teach(net, calm, lessons, people, held_out, arguments):
    """Teaches `net` for some seconds; `calm` follows it slowly, and is what is kept."""
    rate = 2e-3 if arguments.start else 4e-3
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-2, fused=GPU)
    own, calm_own = [[part for part in of.state_dict().values() if part.is_floating_point()] for of in (net, calm)]
    # All in one piece it takes a fraction of the time, once it has been compiled.
    ask_fast = torch.compile(ask) if GPU else ask
    began = told = time.time()
    step = 0
    net.train()
    while (gone := time.time() - began) < arguments.seconds:
        slower = 0.5 + 0.5 * math.cos(math.pi * gone / arguments.seconds)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 200) * slower + 1e-5
        chosen = torch.randint(0, len(lessons), (BATCH,), device=DEVICE)
        *_, wrong = ask_fast(net, lessons[chosen], people[chosen], True)
        optimizer.zero_grad(set_to_none=True)
        sum(wrong).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(calm_own, own, 1 - min(0.998, step / (step + 50)))
        step += 1
        if step == 100 or time.time() - told > arguments.seconds / 4:
            told = time.time()
            print(f"{step} steps, {told - began:.0f} s: {judge(calm, *held_out)}", flush=True)
            torch.save(calm.state_dict(), arguments.out / "net.pt")
    print(f"{step} steps: {judge(calm, *held_out)}", flush=True)


def main():
    """Reads lessons, teaches, writes `taught.bf16` for the engine and `net.pt` to go on from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+", help="what ./x lessons wrote; of the last folder some are held out")
    parser.add_argument("--seconds", type=float, default=525, help="how long to teach (525)")
    parser.add_argument("--out", type=Path, default=Path("taught"), help="folder for what was taught (taught)")
    parser.add_argument("--start", type=Path, help="a net.pt to go on from")
    arguments = parser.parse_args()
    if arguments.start and not arguments.start.is_file():
        parser.error(f"there is no file {arguments.start}")
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    arguments.out.mkdir(parents=True, exist_ok=True)
    lessons, people = read_lessons(arguments.folder)
    last = len(lessons) - min(HELD_OUT, len(lessons) // 10)
    net, calm = Net(), Net()
    if arguments.start:
        # By their order: names may have changed.
        parts = torch.load(arguments.start, map_location="cpu").values()
        net.load_state_dict(dict(zip(net.state_dict(), parts, strict=True)))
    net, calm = net.to(DEVICE, memory_format=LAYOUT), calm.to(DEVICE)
    calm.load_state_dict(net.state_dict())
    print(f"{len(lessons)} lessons, of which the last {len(lessons) - last} are held out", flush=True)
    teach(net, calm, lessons[:last], people[:last], (lessons[last:], people[last:]), arguments)
    torch.save(calm.state_dict(), arguments.out / "net.pt")
    write(calm, arguments.out / "taught.bf16")


if __name__ == "__main__":
    main()
