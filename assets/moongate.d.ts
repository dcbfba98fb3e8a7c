/**
 * What a scene of Moongate can import. For editors: `installations/hello/jsconfig.json` names it; `./x new`
 * and `./x import` put both into the folder that they make.
 *
 * Lengths are canvas units, as `canvas` in `installation.toml` has them; y goes down. Times are seconds. Angles are
 * radians. A colour is written as in CSS.
 *
 * The engine calls these functions if the scene exports them, in the order in which things happened, `frame` last:
 *
 * ```js
 * export function start() {}             // once, before the first frame: here and there are known already
 * export function frame({ now, dt, width, height }) {} // each frame: draws all of the picture anew; see Frame
 * export function down(touch) {}         // a touch began in this city; see Touch
 * export function move(touch) {}         // a touch moved in this city
 * export function up(touch) {}           // a touch ended in this city
 * export function downThere(touch) {}    // a touch began in the other city
 * export function moveThere(touch) {}    // a touch moved in the other city
 * export function upThere(touch) {}      // a touch ended in the other city
 * export function appear(body) {}        // the camera sees a body that it did not see before; see Body
 * export function still(body) {}         // a body has stood still for a second; again when it has moved in between
 * export function leave(body) {}         // a body is gone: as it was seen last, with all that the scene hung on it
 * export function appearThere(body) {}   // the same in the other city …
 * export function stillThere(body) {}
 * export function leaveThere(body) {}    // … also when the link is lost
 * export function idle() {}              // nobody has been in front of this site for 20 seconds
 * export function heard(name, data) {}   // the other half of the scene called signal(name, data)
 * export function meet(at) {}            // people of both cities meet at at.x, at.y: their outlines overlap, or their fingers;
 *                                        // told in both cities at the same instant, once a pair until both have been
 *                                        // apart for 2 s; a mark is left by one: if (here.lead) ours.NAME.add(at)
 * export function merged(count) {}       // marks that the other city had and this one had not are here now: so many
 * export function linked() {}            // the other city can be reached
 * export function parted() {}            // the other city cannot be reached any more
 * ```
 *
 * Bodies are compared from frame to frame: who left is told before all else, who came and stands after it. A scene that
 * starts in the middle is told `appear` of all that are there.
 *
 * A scene has one script (1 MiB; it imports from "moongate" only), 64 MiB of memory and about 4 ms a frame; after 34 ms
 * it is stopped, and told where. Drawing lasts one frame: what `down` or `heard` draws is seen in that frame only.
 * A frame has room for 64 sounds, signals, marks and lines of the log together.
 * `console.log(…)` writes to the log of the show; `Math.random()` is `random()`. There is no
 * `Date` and no `Proxy`; timers are `after` and `every`. A log has at most 20 lines and 4 kB a second.
 *
 * What is saved in the folder is shown at once, and the scene begins anew. What is to outlive that, a script keeps:
 *
 * ```js
 * export const keep = { score: 0, stars: [] }; // its properties are as they were, where they are still there
 * ```
 */
declare module "moongate" {
  /** A colour as CSS writes it: `"#e8543f"`, `"gold"`, `"rgb(255 0 0 / 50%)"`, `"hsl(200 80% 50%)"`. */
  export type Colour = string;

  /** Colours that pass into each other, in place of a colour. `const dusk = gradient.linear(0, 0, 0, 900, ["navy", "gold"]);` */
  export interface Gradient {
    /** Nothing that a script can use. */
    readonly __gradient: string;
  }

  /** Colours of a gradient: at even steps, or each with its place from 0 to 1; at most 16. `["gold", "red"]`, `[[0, "gold"], [0.2, "red"]]` */
  export type Colours = readonly (Colour | readonly [number, Colour])[];

  /**
   * How colours meet what is below: `"over"` covers it, `"add"` adds light to it, `"multiply"` darkens it as ink does,
   * `"screen"` lightens it as a second projector does, `"lighten"` and `"darken"` keep the lighter or the darker of both.
   * `{ blend: "add" }`
   */
  export type Blend = "over" | "add" | "multiply" | "screen" | "lighten" | "darken" | (string & {});

  /** What an area is made of: all of it, slanting lines, or dots. `{ pattern: "lines" }` */
  export type Pattern = "plain" | "lines" | "dots" | (string & {});

  /** What is known of a city. `draw.text(there.city.name, 40, 80)` */
  export interface City {
    /** Its name in its own script. `here.city.name === "深圳"` */
    readonly name: string;
    /** Its name in Latin script. `here.city.latin === "Shenzhen"` */
    readonly latin: string;
    /** What it is known for. `there.city.domain === "literature"` */
    readonly domain: "design" | "film" | "literature" | "gastronomy" | "media arts" | "music" | "crafts and folk art";
    /** Its light, `#rrggbb`. `draw.circle(x, y, 9, { fill: there.city.colour })` */
    readonly colour: Colour;
    /** The same as `colour`. `{ fill: here.city.color }` */
    readonly color: Colour;
    /** Its language, BCP 47. `{ language: there.city.language }` */
    readonly language: string;
  }

  /** A point that someone holds on the canvas. `export function down(touch) { … }` */
  export interface Touch {
    /** A whole number, unique in its city while the show runs. `rings.set(touch.id, touch)` */
    readonly id: number;
    /** From the left, in canvas units. `draw.circle(touch.x, touch.y, 20)` */
    readonly x: number;
    /** From the top, in canvas units. `draw.circle(touch.x, touch.y, 20)` */
    readonly y: number;
    /** What makes it; `"reach"` is a hand held still before the camera, `"cast"` an invented visitor. `if (touch.by === "cast") return;` */
    readonly by: "finger" | "mouse" | "reach" | "cast";
    /** When it began, on the clock of `now`, in seconds. `const age = now - touch.began;` */
    readonly began: number;
    /** How long ago it began, in seconds, when it was handed over. `const radius = 10 + 40 * touch.age;` */
    readonly age: number;
    /** The city that it is made in. `{ fill: touch.city.colour }` */
    readonly city: City;
    /** True if it is made in this city. `const fill = touch.here ? "white" : "gold";` */
    readonly here: boolean;
  }

  /** A place on the canvas, in its units. `draw.circle(body.head.x, body.head.y, 20)` */
  export interface Place {
    /** From the left. `body.foot.x` */
    readonly x: number;
    /** From the top. `body.head.y` */
    readonly y: number;
  }

  /**
   * A person that the camera sees, or a knot of people that cannot be told apart. It is the same object from `appear` to
   * `leave`, so hang on it what you like: `body.hue ??= random(360);`. What it says of itself is new each frame, so a place
   * or an outline that you keep stays as it was; `{ ...body }` keeps all of it.
   */
  export interface Body {
    /** A whole number, unique in its city while it is followed. `shades.set(body.id, body)` */
    readonly id: number;
    /** Where it stands, from the left; the same as `foot.x`. `draw.circle(body.x, body.y, 20)` */
    readonly x: number;
    /** Where it stands, from the top; the same as `foot.y`. `draw.circle(body.x, body.y, 20)` */
    readonly y: number;
    /** Where it stands. `draw.circle(body.foot.x, body.foot.y, 20)` */
    readonly foot: Place;
    /** The middle of its head. `draw.circle(body.head.x, body.head.y, 20)` */
    readonly head: Place;
    /** The hand of an arm held out; `null` without one. Held still it is a touch too. `if (body.reach) draw.circle(body.reach.x, body.reach.y, 20);` */
    readonly reach: Place | null;
    /** How fast it goes to the right, in canvas units a second. `const way = Math.sign(body.vx);` */
    readonly vx: number;
    /** How fast it goes down, in canvas units a second. `Math.hypot(body.vx, body.vy)` */
    readonly vy: number;
    /** How long it has stood still, in seconds. `if (body.still > 2) …` */
    readonly still: number;
    /** How long it has been followed, in seconds. `const alpha = Math.min(1, body.age);` */
    readonly age: number;
    /** How many people it may be, 1 and more. `const knot = body.people > 1;` */
    readonly people: number;
    /** How far it has faded away, 0 to 1: more than 0 only in the other city, when nothing is heard of it any more. `draw.body` draws it so by itself. `const alpha = 1 - body.faded;` */
    readonly faded: number;
    /** Its outline, closed: up to 48 points, of the other city's bodies often 16. `for (const [x, y] of body.outline) …` */
    readonly outline: readonly (readonly [number, number])[];
    /** The city that it is in. `{ fill: body.city.colour }` */
    readonly city: City;
    /** True if it is in this city. `const look = body.here ? here.look : there.look;` */
    readonly here: boolean;
    /** Yours. `body.hue = random(360);` */
    [yours: string]: any;
  }

  /** How the picture moves. `const wind = here.flow.at(touch.x, touch.y);` */
  export interface Flow {
    /** How fast it moves at x, y: canvas units a second, to the right and down; zero where nothing does. `here.flow.at(900, 500).x` */
    at(x: number, y: number): Place;
  }

  /** A city's colour and what its areas are made of: here is plain, there is made of lines. `draw.body(body, there.look)` */
  export interface CityLook {
    /** The city's colour. `{ stroke: here.look.fill, width: 4 }` */
    readonly fill: Colour;
    /** What an area is made of. `{ ...there.look, alpha: 0.5 }` */
    readonly pattern: Pattern;
  }

  /** Where the sun stands over a city. `const night = !there.sun.up;` */
  export interface Sun {
    /** Above the horizon, in radians; negative below it. `const light = Math.max(0, Math.sin(here.sun.altitude));` */
    readonly altitude: number;
    /** From north over east, in radians, 0 to 2π. `const x = Math.sin(here.sun.azimuth);` */
    readonly azimuth: number;
    /** True while it is above the horizon. `draw.background(here.sun.up ? "skyblue" : "midnightblue");` */
    readonly up: boolean;
  }

  /** The time of day in a city. `draw.text(there.clock.text, 40, 80)` */
  export interface Clock {
    /** 0 to 23. `const late = there.clock.hour >= 22;` */
    readonly hour: number;
    /** 0 to 59. `const turn = here.clock.minute / 60;` */
    readonly minute: number;
    /** 0 to 59. `const tick = here.clock.second % 2 === 0;` */
    readonly second: number;
    /** Hours, minutes and seconds. `there.clock.text === "09:05:07"` */
    readonly text: string;
  }

  /** What both cities have. `for (const site of [here, there]) for (const t of site.touches) draw.circle(t.x, t.y, 20);` */
  export interface Site {
    /** What is known of the city. `here.city.name` */
    readonly city: City;
    /** 0 in one city and 1 in the other; it stays. `const x = here.side === 0 ? 0 : canvas.width / 2;` */
    readonly side: 0 | 1;
    /** The touches that are held now. `for (const t of there.touches) draw.circle(t.x, t.y, 20);` */
    readonly touches: readonly Touch[];
    /** The bodies that are seen now. `for (const body of there.bodies) draw.body(body, there.look);` */
    readonly bodies: readonly Body[];
    /** For how many seconds nobody has been there; 0 while somebody is. `const calm = Math.min(1, here.empty / 20);` */
    readonly empty: number;
    /** How much moves, 0 to 1: here of the camera's picture, there by the bodies that walk. `const wind = there.stir;` */
    readonly stir: number;
    /** How it moves: here what the camera sees, there where bodies walk. `here.flow.at(x, y)` */
    readonly flow: Flow;
    /** Colour and texture, to tell the cities apart even without colours. `draw.body(body, here.look)` */
    readonly look: CityLook;
    /** Where the sun stands; known from `start` on, not while the script loads. `here.sun.up` */
    readonly sun: Sun;
    /** The time of day; known from `start` on, not while the script loads. `there.clock.text` */
    readonly clock: Clock;
  }

  /** This city. `here.touches` */
  export interface Here extends Site {
    /** True in one city while linked, and when alone: who decides what both do. `if (here.lead) signal("next");` */
    readonly lead: boolean;
    /**
     * What this city says of itself, as JSON of at most 800 bytes: the other one has it as `there.share`. Only the newest
     * counts, so it is for what lasts: a tide, a chapter, a vote. `here.share.tide = 0.4;`
     */
    share: { [yours: string]: any };
  }

  /** The other city. `there.touches` */
  export interface There extends Site {
    /** True while the other city can be reached. `const fade = there.linked ? 1 : 0.3;` */
    readonly linked: boolean;
    /** One way to the other city, in seconds; 0 before the first link. `const lag = Math.round(there.delay * 1000);` */
    readonly delay: number;
    /**
     * What the other city says of itself; empty when it cannot be reached, or as it was with `[lost]` and
     * `share = "freeze"` in `installation.toml`. `const tide = there.share.tide ?? 0;`
     */
    readonly share: { readonly [theirs: string]: any };
  }

  /**
   * Something that a visitor left. It is the same object from frame to frame; what you write on it later is this city's alone. To
   * move it alike in both, follow `age`, `seed` and `now`, and not sums of `dt` or `flow`. `draw.circle(mark.x, mark.y, 12)`
   */
  export interface Mark {
    /** From the left, in canvas units; 0 if it was left nowhere. `draw.circle(mark.x, mark.y, 12)` */
    readonly x: number;
    /** From the top, in canvas units; 0 if it was left nowhere. `const y = mark.y - 30 * mark.age;` */
    readonly y: number;
    /** How long ago it was left, in seconds; as long in both cities. `const alpha = 1 - mark.age / 40;` */
    readonly age: number;
    /** From 0 to 1000, by chance, the same in both cities. `const sway = 9 * noise(mark.seed, now);` */
    readonly seed: number;
    /** The city that it was left in. `{ fill: mark.city.colour }` */
    readonly city: City;
    /** True if that is this city. `const look = mark.here ? here.look : there.look;` */
    readonly here: boolean;
    /** True once the other city has it too. `const alpha = mark.shared ? 1 : 0.5;` */
    readonly shared: boolean;
    /** True once it is on a disk here; works are held in memory for now, so it stays false. `if (mark.kept) …` */
    readonly kept: boolean;
    /** 0 to 1: how far it has faded away while the other city is lost, where the manifest says `lost = "fade"`. `const alpha = 1 - mark.faded;` */
    readonly faded: number;
    /** What you said of it in `add`. `mark.hue` */
    readonly [yours: string]: any;
  }

  /** One kind of mark, as `[ours.lanterns]` in `installation.toml` declares it. `ours.lanterns.last("40s")` */
  export interface Marks {
    /**
     * Leaves one, here and in the other city: a place, a touch or a body, and what else is to be known of it (JSON of at most
     * 4,096 bytes). It is there at once. At most 60 a second are kept, 240 at once. `null` while the other city is lost, where
     * the manifest says `lost = "freeze"`. `ours.lanterns.add(touch, { hue: 40 })`
     */
    add(place: { readonly x?: number; readonly y?: number; readonly [yours: string]: any }, more?: { readonly [yours: string]: any }): Mark | null;
    /**
     * All of them, in an order that is the same in both cities: an answer stands after what it answers. The newest 5,000 of all
     * kinds, or fewer if much is said of them. `for (const mark of ours.lanterns.all()) draw.circle(mark.x, mark.y, 12);`
     */
    all(): readonly Mark[];
    /** Those that are younger than "40s", "5m", "2h", "7d" or so many seconds, in the order of `all`. `ours.lanterns.last("40s")` */
    last(span: string | number): readonly Mark[];
    /** Those within so many canvas units of a place, nearest first. `const [nearest] = ours.lanterns.near(touch, 100);` */
    near(place: { readonly x: number; readonly y: number }, distance: number): Mark[];
    /** Those within so many canvas units of x, y, nearest first. `ours.lanterns.near(960, 540, 100).length` */
    near(x: number, y: number, distance: number): Mark[];
    /** How many there are. `if (ours.lanterns.length > 1000) …` */
    readonly length: number;
  }

  /** What `frame` is given. `export function frame({ now, dt, width, height }) { … }` */
  export interface Frame {
    /** A clock that both cities share, in seconds. `const turn = now * 0.2;` */
    readonly now: number;
    /** Since the frame before, in seconds. `x += speed * dt;` */
    readonly dt: number;
    /** Width of the canvas, in its units. `draw.line(0, 0, width, height);` */
    readonly width: number;
    /** Height of the canvas, in its units. `draw.line(0, 0, width, height);` */
    readonly height: number;
  }

  /** How everything can look. `{ alpha: 0.5 }` */
  export interface Look {
    /** 0 is not to be seen, 1 is whole; 1 without it. `{ alpha: 0.5 }` */
    alpha?: number;
    /** How it meets what is below; `"over"` without it. `{ blend: "add" }` */
    blend?: Blend;
  }

  /** How a line looks; white where no `stroke` is said. `{ stroke: "gold", width: 4 }` */
  export interface LineStyle extends Look {
    /** Its colour, or a gradient. `{ stroke: "white" }` */
    stroke?: Colour | Gradient;
    /** Its width in canvas units; 1 without it, which is thin. `{ stroke: "white", width: 4 }` */
    width?: number;
    /** Over how many canvas units its edge fades out; 0 is sharp. `{ soft: 12 }` */
    soft?: number;
  }

  /** How a shape looks. Without `fill` and `stroke` it is filled white. `{ fill: "gold", alpha: 0.5 }` */
  export interface Style extends LineStyle {
    /** Colour inside, or a gradient; none without it where `stroke` is given. `{ fill: "#e8543f" }` */
    fill?: Colour | Gradient;
    /** What the fill is made of; `"plain"` without it. `{ fill: "gold", pattern: "dots" }` */
    pattern?: Pattern;
  }

  /** How a rectangle looks. `{ fill: "gold", radius: 8 }` */
  export interface RectStyle extends Style {
    /** Radius of its corners in canvas units; 0 without it. `{ radius: 8 }` */
    radius?: number;
  }

  /** How a line through points looks. `{ stroke: "white", closed: true }` */
  export interface PolylineStyle extends LineStyle {
    /** True joins the last point to the first. `{ closed: true }` */
    closed?: boolean;
  }

  /** How a curve looks: a line, or filled if a `fill` is said. `{ fill: "gold" }` */
  export interface CurveStyle extends Style {
    /** True joins the last point to the first; so does a `fill`. `{ closed: true }` */
    closed?: boolean;
  }

  /** How an image looks. `{ alpha: 0.5, center: true }` */
  export interface ImageStyle extends Look {
    /** What its colours are multiplied with; white changes nothing and is there without it. `{ fill: "gold" }` */
    fill?: Colour;
    /** The part that is drawn: left, top, width, height in the image's pixels; all of it without it. `{ part: [0, 0, 64, 64] }` */
    part?: readonly [number, number, number, number];
    /** True: its place is its middle, and not its left top corner. `{ center: true }` */
    center?: boolean;
  }

  /** How a text looks; white where no `fill` is said. `{ size: 48, align: "center" }` */
  export interface TextStyle extends Look {
    /** Colour of its letters, or a gradient. `{ fill: "gold" }` */
    fill?: Colour | Gradient;
    /** Height of the letters' em square in canvas units, 0.5 to 4000; 32 without it. `{ size: 48 }` */
    size?: number;
    /** Which end stands at x; `"left"` without it. `{ align: "center" }` */
    align?: "left" | "center" | "right" | (string & {});
    /** Instead of `size`: so large that it can be read in passing from so many metres away. `{ readable: 8 }` */
    readable?: number;
    /** True for heavy letters: the same as `weight: 700`. `{ bold: true }` */
    bold?: boolean;
    /** How heavy its letters are, 1 to 1000, as far as the font has them; 400 without it. `{ weight: 300 }` */
    weight?: number;
    /** Breaks lines so that none is longer than this, in canvas units. `{ wrap: 600 }` */
    wrap?: number;
    /** From one line to the next, as a multiple of `size`; 1.3 without it. `{ leading: 1.6 }` */
    leading?: number;
    /** Language of the text, BCP 47: han characters look different in each; this city's without it. `{ language: "ja" }` */
    language?: string;
  }

  /** Points in canvas units: pairs, numbers in turn, or things with x and y. `[[0, 0], [50, 80]]`, `[0, 0, 50, 80]` */
  export type Points = readonly (number | readonly number[] | { readonly x: number; readonly y: number })[];

  /** Of what `draw.inside` is the inside: bodies, polygons, circles, rectangles. `{ x: 960, y: 540, radius: 200 }` */
  export type Mask =
    | Body
    | Points
    | { readonly x: number; readonly y: number; readonly radius: number }
    | { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

  /** A text in several languages; where a text is asked for it is the one of this city. `draw.text(moon, 40, 80)` */
  export interface Words {
    /** In the language of this city. `draw.text(moon.here, 40, 80)` */
    readonly here: string;
    /** In the language of the other city. `draw.text(moon.there, 40, 80, { language: there.city.language })` */
    readonly there: string;
    /** In a language, or the nearest that there is; English if there is none. `moon.in("ja")` */
    in(language: string): string;
    /** The same as `here`. `String(moon)` */
    toString(): string;
  }

  /** A value for a member of a shader's `Params`: a number, a vector, or an array of vectors. `[0.1, 0.2]` */
  export type ShaderValue = number | boolean | readonly number[] | readonly (readonly number[])[];

  /** Values for a shader's `Params` by name, and how it meets what is below. `{ sun: 1, wind: [0, 2], blend: "add" }` */
  export interface ShaderParams {
    /** How it meets what is below; `"over"` without it. `{ blend: "add" }` */
    blend?: Blend | ShaderValue;
    /** A member of the shader's `struct Params`; 0 for what is left out. `{ sun: there.sun.altitude }` */
    [name: string]: ShaderValue | Blend | undefined;
  }

  /** What becomes of a trail. `{ fade: 3, drift: [0, -40] }` */
  export interface TrailOptions {
    /** Seconds after which a tenth is left of it; 1 without it. `{ fade: 3 }` */
    fade?: number;
    /** Where it moves, in canvas units a second, to the right and down. `{ drift: [0, -40] }` */
    drift?: readonly [number, number];
    /** By what factor it grows in a second; 1 without it. `{ grow: 1.2 }` */
    grow?: number;
    /** How far it turns in a second, in radians, clockwise. `{ turn: 0.1 }` */
    turn?: number;
    /** Round where it grows and turns; the middle of the canvas without it. `{ grow: 1.2, round: [960, 1080] }` */
    round?: readonly [number, number];
    /** How much of it is seen: 0 nothing, 1 all. `{ alpha: 0.5 }` */
    alpha?: number;
    /** How it meets what is below; `"over"` without it. `{ blend: "screen" }` */
    blend?: Blend;
  }

  /** How a kept layer is seen. `{ alpha: 0.5 }` */
  export interface KeptOptions {
    /** How much of it is seen: 0 nothing, 1 all. `{ alpha: 0.5 }` */
    alpha?: number;
    /** How it meets what is below; `"over"` without it. `{ blend: "multiply" }` */
    blend?: Blend;
  }

  /** A number, or from and to. `{ life: 4 }`, `{ life: [3, 6] }` */
  export type Span = number | readonly [number, number];

  /** One kind of particles: how long they are there, how they look, what moves them. `{ life: [3, 6], size: [8, 0], gravity: 60 }` */
  export interface ParticlePlan {
    /** How many there are at most, after which the oldest end; 1,000 without it, 20,000 in all of a scene. `{ most: 4000 }` */
    most?: number;
    /** Seconds, or from and to; 3 without it. `{ life: [3, 6] }` */
    life?: Span;
    /** Diameter in canvas units, or several over a life, in even steps; 6 without it. `{ size: [2, 12, 0] }` */
    size?: number | readonly number[];
    /** Colour, or several over a life, in even steps; white without it. `{ colour: ["gold", "red", "transparent"] }` */
    colour?: Colour | readonly Colour[];
    /** How much of a particle fades out to its edge: 0 is sharp, 1 a glow. `{ soft: 1 }` */
    soft?: number;
    /** How they meet what is below; `"over"` without it. `{ blend: "add" }` */
    blend?: Blend;
    /** What pulls them down, in canvas units a second, and a second; or to the right and down. `{ gravity: 200 }` */
    gravity?: number | readonly [number, number];
    /** How much of their speed they lose: after a second e to the minus this is left of it. `{ drag: 0.8 }` */
    drag?: number;
    /** How fast they wander, in canvas units a second. `{ wander: 40 }` */
    wander?: number;
    /** How much of people's motion they take on, 0 to 1. `{ flow: 0.6 }` */
    flow?: number;
    /** What pulls them towards the nearest body, in canvas units a second, and a second; negative pushes. `{ attract: 300 }` */
    attract?: number;
    /** On whom they come to rest: people of both cities, of one, or nobody. They are carried, and fall when who carries them moves fast or goes. `{ gravity: 90, lands: "both" }` */
    lands?: boolean | "here" | "there" | "both" | (string & {});
  }

  /** How particles begin. `{ count: 20, speed: [40, 120] }` */
  export interface EmitOptions {
    /** How many, at once; 1 without it. `{ count: 20 }` */
    count?: number;
    /** How many a second, if it is said in each frame. `{ rate: 60 }` */
    rate?: number;
    /** How far round their place, in canvas units. `{ spread: 30 }` */
    spread?: number;
    /** How fast, in canvas units a second, or from and to. `{ speed: [40, 120] }` */
    speed?: Span;
    /** Where to, in radians, clockwise from the right; without it, to all sides. `{ angle: -Math.PI / 2, speed: 90 }` */
    angle?: number;
    /** Within what angle, in radians. `{ angle: 0, fan: 0.5, speed: 90 }` */
    fan?: number;
    /** A colour of their own, in place of their kind's. `{ colour: there.city.colour }` */
    colour?: Colour;
  }

  /** Many small things that the engine moves. `const snow = particles({ life: 8, gravity: 40, lands: "both" });` */
  export interface Particles {
    /** How many there are. `if (snow.count < 500) snow.emit({ x: 100, y: 0 });` */
    readonly count: number;
    /** Lets some begin at a place; x and y may be numbers, or from and to. `snow.emit({ x: [0, canvas.width], y: -10 }, { rate: 60 })` */
    emit(place: { readonly x: Span; readonly y: Span }, options?: EmitOptions): void;
    /** Ends all of them. `snow.clear()` */
    clear(): void;
  }

  /** How a sound is played. `{ volume: 0.5, pan: -1 }` */
  export interface PlayOptions {
    /** 0 is silent, 1 is as recorded; 1 without it. `{ volume: 0.5 }` */
    volume?: number;
    /** -1 is left, 1 is right; 0 without it. `{ pan: 2 * touch.x / canvas.width - 1 }` */
    pan?: number;
    /** Speed, and with it pitch, 0.05 to 8; 1 is as recorded and the default. `{ rate: 2 }` */
    rate?: number;
  }

  /** This city. `draw.text(here.city.name, 40, 80)` */
  export const here: Here;

  /** The other city. `for (const t of there.touches) draw.circle(t.x, t.y, 20, { fill: there.city.colour });` */
  export const there: There;

  /**
   * What both cities make and keep, merged after any separation; each kind is declared in `installation.toml`:
   *
   * ```toml
   * [ours.lanterns]
   * lost = "alone"    # when the link is lost: goes on alone, or "freeze", "fade", "hide" (what the other city has left)
   * ```
   * `ours.lanterns.add(touch)`
   */
  export const ours: { readonly [name: string]: Marks };

  /** The canvas. `draw.circle(canvas.width / 2, canvas.height / 2, 100)` */
  export const canvas: {
    /** Its width, in its units. `draw.line(0, 0, canvas.width, 0)` */
    readonly width: number;
    /** Its height, in its units. `draw.line(0, 0, 0, canvas.height)` */
    readonly height: number;
    /** A metre of the screen, in its units; as if it was 4 metres wide where the site does not say. `const step = 0.7 * canvas.metre;` */
    readonly metre: number;
  };

  /**
   * Everything that can be seen; what is drawn later covers what was drawn before. At most 20,000 things a frame. The 4 ms of script are
   * spent before that: on about 4,000 circles. For more use `draw.kept` and `draw.particles`. `draw.circle(100, 50, 10)`
   */
  export const draw: {
    /** Paints all of the canvas in one colour or gradient. `draw.background("#102030")` */
    background(colour: Colour | Gradient): void;
    /** A circle round x, y, by its radius in canvas units. `draw.circle(100, 50, 10, { fill: "gold" })` */
    circle(x: number, y: number, radius: number, style?: Style): void;
    /** An ellipse round x, y, by its radii to the side and down in canvas units. `draw.ellipse(100, 50, 40, 10, { fill: "gold" })` */
    ellipse(x: number, y: number, radiusX: number, radiusY: number, style?: Style): void;
    /** A rectangle by its left top corner, width and height in canvas units. `draw.rect(10, 10, 200, 80, { radius: 8 })` */
    rect(x: number, y: number, width: number, height: number, style?: RectStyle): void;
    /** A line with round ends from x1, y1 to x2, y2 in canvas units. `draw.line(0, 0, 90, 40, { stroke: "red", width: 4 })` */
    line(x1: number, y1: number, x2: number, y2: number, style?: LineStyle): void;
    /** A part of a circle's line, clockwise from one angle to another. `draw.arc(100, 50, 40, 0, Math.PI, { stroke: "gold" })` */
    arc(x: number, y: number, radius: number, from: number, to: number, style?: LineStyle): void;
    /** A line through points in canvas units. `draw.polyline([[0, 0], [50, 80], [90, 10]], { stroke: "gold" })` */
    polyline(points: Points, style?: PolylineStyle): void;
    /** A smooth line through points in canvas units. `draw.curve([[0, 0], [50, 80], [90, 10]], { stroke: "gold", width: 4 })` */
    curve(points: Points, style?: CurveStyle): void;
    /** A filled outline through points in canvas units. `draw.polygon([[0, 0], [50, 80], [90, 10]], { fill: "gold" })` */
    polygon(points: Points, style?: Style): void;
    /**
     * A body, filled to its outline, which is made round; also an outline that was kept, or a copy of a body.
     * `draw.body(body, here.look)`
     */
    body(body: Body | { readonly outline: Points } | Points, style?: Style): void;
    /**
     * What `paint` draws is seen only within these bodies; with no bodies there is no inside. Not only bodies: also polygons,
     * circles, rectangles, or several of them. Shaders are clipped too, and `draw.background` fills what is inside. At most
     * 128 a frame, one after the other; what `paint` moves, turns or fades ends with it.
     * `draw.inside(here.bodies, () => draw.shader("sky.wgsl"))`
     */
    inside(mask: Mask | readonly Mask[], paint: () => void): void;
    /** The same as `inside`, the other way round. `draw.outside(here.bodies, () => draw.background("white"))` */
    outside(mask: Mask | readonly Mask[], paint: () => void): void;
    /**
     * A png, jpg or webp file of the folder, from its left top corner; as large as it is in pixels, or so wide, or so wide and
     * high. `draw.image("moon.png", 40, 80, 200)`
     */
    image(file: string, x: number, y: number, width?: number, height?: number, style?: ImageStyle): void;
    /** The same, as large as it is in pixels. `draw.image("moon.png", 40, 80, { alpha: 0.5 })` */
    image(file: string, x: number, y: number, style?: ImageStyle): void;
    /** Text on the baseline at x, y in canvas units; "\n" begins a new line. `draw.text("hello", 40, 80, { size: 48 })` */
    text(text: string | number | boolean | Words, x: number, y: number, style?: TextStyle): void;
    /**
     * All of the canvas, painted by a WGSL file of the folder; at most 8 a frame. The file has
     * `fn paint(at: vec2f) -> vec4f`, called for each pixel: `at` is in canvas units, y down; what it gives back is a
     * colour as CSS writes it, 0 to 1, with straight alpha. If it has a `struct Params { sun: f32, rings: array<vec4f, 8> }`,
     * that is `params.sun`, `params.rings[i]`; members are f32, i32, u32, their vectors, and arrays of vec4f; send how many of
     * an array count as a u32 of its own. Besides, it can use:
     *
     * - `engine.canvas` (width and height), `engine.pixel` (pixels in a canvas unit), `engine.now` (the shared clock, which
     *   begins again each hour), `engine.dt`, `engine.linked`, `engine.delay`; `phase(period)`, how far a cycle of so many
     *   seconds is, 0 to 1, for as long as it runs;
     * - `engine.resolution`: pixels of what is painted, a vec2f: of the canvas, or in `buffer_a` of the buffer; and `engine.frame`,
     *   a u32: how often this shader was drawn since its buffers were made, 0 at first, in each city for itself. 0 does not come
     *   again: after 16,777,215 it goes on at half of that;
     * - `engine.here` and `engine.there`: `colour`, `sun` (altitude and azimuth), `stir`, `hour`; `touches` of them in
     *   `touch[i]` (x, y, age, id; at most 16), `bodies` in `body[i]` (foot and head; at most 32);
     * - `body_here(at)`, `body_there(at)`: 1 within people and 0 outside, and `flow_here(at)`, `flow_there(at)`: how they
     *   move, in canvas units a second. Of here it is what the camera sees, finer than any outline;
     * - `previous(at)`: the picture before this one;
     * - buffers of its own, which stay: with `fn buffer_a(at: vec2f) -> vec4f` (to `buffer_d`), painted before, `read_a(at)` is
     *   what it was, or what it has become for those after it. `const buffer_scale = 0.5;` makes them smaller. For a state that
     *   is not to be smoothed, `texel_a(vec2i(x, y))` is one of its pixels, from the left and from the top, 0 beyond its edges,
     *   and `size_a()` says how many it has. The pixel that is painted is `vec2i(at / engine.canvas * engine.resolution)`.
     *
     * Its arrays, large structs and `var<private>` take at most 4 KiB a pixel, and one of them 2 KiB. Other address spaces,
     * bindings, `override` and entry points of its own are refused.
     *
     * One that takes the GPU longer than 50 ms a picture is not drawn, which rehearsal says, and is tried again later; nor is
     * one that the graphics driver has not made ready in 2 s. Until a shader that was saved is ready, the scene before goes on.
     *
     * `draw.shader("night.wgsl", { sun: 1 })`
     */
    shader(file: string, params?: ShaderParams): void;
    /**
     * What `paint` draws stays and fades away: light that is drawn behind somebody, ink in water. At most 4, each with a name
     * of its own; in it everything else can be drawn. `draw.trail("glow", { fade: 2 }, () => draw.circle(100, 50, 10))`
     */
    trail(name: string, options: TrailOptions, paint: () => void): void;
    /** The same, fading within a second. `draw.trail("glow", () => draw.circle(100, 50, 10))` */
    trail(name: string, paint: () => void): void;
    /**
     * What was drawn once and stays: `paint` is called for each thing when it comes, and for all of them again when one of
     * them is gone. For what does not change: it is there at the cost of one picture, be it 20,000 things. At most 4, each with
     * a name of its own. `draw.kept("stars", ours.lanterns.all(), (mark) => draw.circle(mark.x, mark.y, 3))`
     */
    kept<T>(name: string, things: readonly T[], paint: (thing: T) => void, options?: KeptOptions): void;
    /** Particles where they are now. `const snow = particles({ life: 4 }); draw.particles(snow);` */
    particles(particles: Particles): void;
    /** Remembers place, angle, size and alpha, up to 64 deep. `draw.push(); draw.rotate(1); draw.rect(0, 0, 9, 9); draw.pop();` */
    push(): void;
    /** Goes back to what the last `push` remembered. `draw.push(); draw.translate(100, 50); draw.pop();` */
    pop(): void;
    /** Moves what is drawn from now on, in canvas units. `draw.translate(100, 50)` */
    translate(x: number, y: number): void;
    /** Turns what is drawn from now on, in radians, clockwise as seen. `draw.rotate(Math.PI / 4)` */
    rotate(radians: number): void;
    /** Makes what is drawn from now on larger; one factor for both sides if y is left out. `draw.scale(2)` */
    scale(x: number, y?: number): void;
    /** Fades what is drawn from now on, by this much more: 0 is not to be seen, 1 changes nothing. `draw.push(); draw.alpha(0.5); draw.pop();` */
    alpha(alpha: number): void;
  };

  /** Everything that can be heard. `sound.play("bell.wav")` */
  export const sound: {
    /** Plays a wav, ogg, flac or mp3 file of the folder once, now, in this city. `sound.play("bell.wav", { volume: 0.5 })` */
    play(file: string, options?: PlayOptions): void;
  };

  /** Colours that pass into each other; mixed as the eye sees them (OKLab). `gradient.linear(0, 0, 0, 900, ["navy", "gold"])` */
  export const gradient: {
    /** Along a line from x1, y1 to x2, y2 in canvas units. `gradient.linear(0, 0, 0, 900, ["navy", "gold"])` */
    linear(x1: number, y1: number, x2: number, y2: number, colours: Colours): Gradient;
    /** From x, y outwards to a radius, in canvas units. `gradient.radial(960, 540, 300, ["gold", "transparent"])` */
    radial(x: number, y: number, radius: number, colours: Colours): Gradient;
    /** Round x, y, clockwise from an angle. `gradient.conic(960, 540, 0, ["red", "gold", "red"])` */
    conic(x: number, y: number, angle: number, colours: Colours): Gradient;
  };

  /** A colour between two: 0 is the first, 1 the second; by the shorter way round the colour circle (OKLCH). `mix("gold", "red", 0.5)` */
  export function mix(first: Colour, second: Colour, t: number): Colour;

  /** From 0 to 1, and not in even steps. `const x = 100 + 400 * ease.inOut(age / 2);` */
  export const ease: {
    /** Slowly first. `ease.in(0.5) === 0.125` */
    in(t: number): number;
    /** Slowly at the end. `ease.out(0.5) === 0.875` */
    out(t: number): number;
    /** Slowly first and at the end. `ease.inOut(0.5) === 0.5` */
    inOut(t: number): number;
    /** Beyond the end, and back. `ease.back(0.7) > 1` */
    back(t: number): number;
    /** Swings in like a spring. `ease.elastic(age)` */
    elastic(t: number): number;
    /** Falls, and bounces. `ease.bounce(age)` */
    bounce(t: number): number;
  };

  /**
   * Particles that the engine moves, of one kind; made once, not in `frame`. They are seen where `draw.particles` stands.
   * `const snow = particles({ life: 8, size: 5, gravity: 40, wander: 20, lands: "both" });`
   */
  export function particles(plan?: ParticlePlan): Particles;

  /**
   * Calls `then` once, after "2s", "5m" or a number of seconds. The function that it returns cancels the timer; the end of the
   * scene does too. `now` is when the timer was due, which lies between two frames. `const end = after("2s", () => sound.play("bell.wav"));`
   */
  export function after(span: string | number, then: (timer: { readonly now: number }) => void): () => void;
  /**
   * Calls `then` at regular intervals. The function that it returns cancels the timer. `now` is when the timer was due.
   * `every("20s", () => sound.play("bell.wav"));`
   */
  export function every(span: string | number, then: (timer: { readonly now: number }) => void): () => void;

  /** A text in the languages of both cities. `const moon = words({ en: "moon", zh: "月" });` */
  export function words(texts: { readonly [language: string]: string }): Words;

  /**
   * Numbers that an artist turns while the scene runs, as sliders on F1; each is declared in `installation.toml`:
   *
   * ```toml
   * [dials.speed]
   * value = 1.0
   * from = 0.0
   * to = 4.0
   * ```
   * `x += dials.speed * dt;`
   */
  export const dials: { readonly [name: string]: number };

  /** Tells the other half of the scene, in order and once, while `there.linked`; otherwise it is dropped, so say what
   * matters again in `linked()`. At most 30 signals and 8 kB a second are sent; more are left out, and the log says so. For
   * what is so now, such as a position, use `here.share`. A name of 1 to 64 bytes, data as JSON of at most 800. `signal("bell", { x: 10 })` */
  export function signal(name: string, data?: unknown): void;

  /** A number from 0 up to 1, without 1; not the same in both cities. `const chance = random() < 0.1;` */
  export function random(): number;
  /** A number from 0 up to `max`, without it. `const x = random(canvas.width);` */
  export function random(max: number): number;
  /** A number from `min` up to `max`, without it. `const angle = random(-Math.PI, Math.PI);` */
  export function random(min: number, max: number): number;

  /** Smooth noise from -1 to 1, 0 at whole numbers, the same in both cities. `const y = 500 + 80 * noise(x / 200, now);` */
  export function noise(x: number, y?: number, z?: number): number;
}

/** What a script may log: at most 20 lines and 4 kB a second go to the log of the show. */
interface Console {
  /** Writes to the log of the show; objects as JSON. `console.log("touched", touch)` */
  log(...words: unknown[]): void;
  /** The same as `log`. `console.info("starts")` */
  info(...words: unknown[]): void;
  /** The same as `log`. `console.warn("nobody")` */
  warn(...words: unknown[]): void;
  /** The same as `log`. `console.error("no row")` */
  error(...words: unknown[]): void;
}
declare var console: Console;
