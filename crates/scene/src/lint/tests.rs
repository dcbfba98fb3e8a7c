//! Diagnostics for scripts with undefined names, and none for correct scripts.

use super::*;

const ALL: &str = "import { here, there, ours, draw, sound, signal, random, noise, canvas, gradient, mix, ease, after, every, words, dials, particles } from \"moongate\";";

fn told(lines: &str) -> Vec<String> {
    let text = format!("{ALL}\nexport function frame({{ now }}) {{\n{lines}\n}}\n");
    lint_script("scene.js", &text, &["stars"], &["sway"]).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_nowhere_is_told_with_its_place_and_what_was_meant() {
    let cases = [
        ("if (now < 0) drow.circle(1, 2, 3);", "scene.js:3:14: drow is not defined; did you mean `draw`?"),
        ("if (now < 0) draw.circel(1, 2, 3);", "`draw` has no `circel`; did you mean `draw.circle`?"),
        ("here.bodys.length;", "`here` has no `bodys`; did you mean `here.bodies`?"),
        ("for (const touch of there.touches) touch.agee;", "`touch` has no `agee`; did you mean `touch.age`?"),
        ("[...here.touches, ...there.touches].forEach((t) => t.X1);", "`t` has no `X1`"),
        ("draw.circle(1, 2);", "`draw.circle` is given 2 of at least 3 arguments; it takes (x: number"),
        ("here.flow.at(1);", "`here.flow.at` is given 1 of at least 2"),
        ("const at = here.flow.at(1, 2); at.z;", "`at` has no `z`; did you mean `at.x`?"),
        ("ours.starz.add({ x: 1, y: 2 });", "did you mean `ours.stars`?"),
        (
            "ours.stars.last(\"1h\").map((mark) => mark.x).lenght; ours.stars.nearest(1);",
            "it has add, all, last, length, near",
        ),
        ("dials.swai;", "did you mean `dials.sway`?"),
        ("there.clock.hours;", "did you mean `there.clock.hour`?"),
        ("here.bodies.find((b) => b.head.Z).head.y; random().x; mix(\"red\", \"blue\");", "`b.head` has no `Z`"),
        ("setTimeout(() => {}, 1);", "after(\"2s\""),
    ];
    for (line, said) in cases {
        let told = told(line);
        assert!(told.iter().any(|told| told.contains(said)), "`{line}` does not say {said:?}: {told:?}");
    }
    let handler = format!("{ALL}\nexport function down(touch) {{ touch.xx; }}\n");
    assert_eq!(lint_script("scene.js", &handler, &[], &[])[0].place, Some((2, 37)));
}

#[test]
fn of_what_is_right_nothing_is_told() {
    let lines = [
        "const mine = { a: 1 }; mine.b; mine.b = 2; here.extra = 1; here.extra;",
        "for (const body of here.bodies) { body.mine ??= 1; body.head.x; body.anything; }",
        "typeof window === \"undefined\"; Math.hypot(1, 2); console.log(now);",
        "let body = here.bodies[0]; body = { foo: 1 }; body.foo;",
        "draw.circle(...[1, 2, 3]); there.share.whatever; here.bodies.reduce((a, b) => a + b.x, 0);",
        "draw.kept(\"a\", ours.stars.all(), (m) => draw.circle(m.x, m.y, m.size)); here.bodies[0]?.head?.x;",
        "const w = words({ en: \"a\" }); draw.text(w, 1, 2); w.in(\"de\"); dials.sway * ease.inOut(0.5);",
        "const p = particles({}); p.emit({ x: 1, y: 2 }); draw.particles(p); every(1, () => {})();",
    ];
    for line in lines {
        assert_eq!(told(line), Vec::<String>::new(), "{line}");
    }
    // Running the script reports a syntax error.
    assert_eq!(lint_script("scene.js", "let a = ;", &[], &[]), []);
}

#[test]
fn a_script_that_is_as_deep_as_it_is_long_is_read_too() {
    let long = |begin: &str, part: &str, end: &str| {
        let many = (SCRIPT_MAX - 200) / part.len();
        format!(
            "import {{ here }} from \"moongate\";\nexport function frame() {{ {begin}{}{end}; }}",
            part.repeat(many)
        )
    };
    let scripts = [
        long("here.share", ".a", ""),
        long("x", "+x", ""),
        long("here.share", ".a()", ""),
        long("", "x;", ""),
        long("", "y.z.", "a"),
        long("let a = 1; a", "?a:a", ""),
    ];
    for text in scripts {
        let read = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || lint_script("scene.js", &text, &[], &[]).len());
        let told = read.expect("a thread").join().expect("it is read");
        assert!(told <= DIAGNOSTICS_MAX, "{told}");
    }
}
