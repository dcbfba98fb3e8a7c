//! Script host on QuickJS: loads a script once, calls it once a frame, stops it when it runs too long.

use super::hot_reload::HotReloadState;
use super::natives::install_natives;
use super::promise_rejections::PromiseRejections;
use super::source::ScriptSource;
use super::state::{ScriptState, SharedScriptState};
use crate::diagnostic::SceneDiagnostic;
use crate::limits::{RETAINED_LAYERS_MAX, SCRIPT_MEMORY_MAX, SCRIPT_STOP_MS};
use crate::lint::hints::p5_equivalent;
use crate::protocol::message::{CityInfo, FromScene, SceneAction, SceneInit};
use moongate_core::config::BuiltinEffects;
use moongate_core::config::closest_match;
use moongate_core::marks;
use rquickjs::context::intrinsic;
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::{Declared, Evaluated};
use rquickjs::promise::PromiseState;
use rquickjs::{
    Array, CatchResultExt, CaughtError, Context, Ctx, Error, Exception, Function, Module, Object, Persistent, Result,
    Runtime, Value,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const PRELUDE: &str = concat!(
    include_str!("js/prelude.js"),
    include_str!("js/together.js"),
    include_str!("js/tools.js"),
    include_str!("js/layers.js"),
    include_str!("js/kit.js")
);
/// Script time limit for loading.
const LOAD_LIMIT: Duration = Duration::from_millis(500);
/// Script time limit of one frame. The show kills a process that exceeds its budget by 50 ms; this limit comes first,
/// so that the line is reported.
const FRAME_LIMIT: Duration = Duration::from_millis(SCRIPT_STOP_MS);
/// Maximum stack of the script, in bytes.
const STACK_MAX: usize = 512 << 10;

/// Handlers that a script may export.
const HANDLER_NAMES: [&str; 20] = [
    "start",
    "frame",
    "down",
    "move",
    "up",
    "downThere",
    "moveThere",
    "upThere",
    "appear",
    "leave",
    "still",
    "appearThere",
    "leaveThere",
    "stillThere",
    "heard",
    "idle",
    "meet",
    "merged",
    "linked",
    "parted",
];

/// Limits that the JavaScript side enforces too.
const LIMITS: [(&str, usize); 4] = [
    ("marks", marks::VISIBLE_MAX),
    ("markBytes", marks::PAYLOAD_MAX),
    ("markWeight", marks::VISIBLE_WEIGHT_MAX),
    ("layers", RETAINED_LAYERS_MAX),
];

type Intrinsics = (
    intrinsic::Eval,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
);

/// Module resolver that refuses every import but "moongate", which is already declared.
struct MoongateResolver;

impl Resolver for MoongateResolver {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        _base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        if name == "moongate" {
            return Ok(name.to_owned());
        }
        Err(Exception::throw_message(
            ctx,
            &format!("\"{name}\" cannot be imported: a scene imports from \"moongate\" only"),
        ))
    }
}

impl Loader for MoongateResolver {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        Err(Exception::throw_message(ctx, &format!("there is no module \"{name}\"")))
    }
}

/// A loaded script. Fields are dropped in this order: objects of the script, then its engine.
pub struct ScriptHost {
    deliver_input: Persistent<Function<'static>>,
    finish_frame: Persistent<Function<'static>>,
    handlers: Vec<(&'static str, Persistent<Function<'static>>)>,
    hot_reload: HotReloadState,
    state: SharedScriptState,
    deadline: Rc<Cell<Duration>>,
    clock: Rc<dyn Fn() -> Duration>,
    /// Factor by which a frame may exceed its limit.
    limit_factor: u32,
    script: Rc<ScriptSource>,
    started: bool,
    /// The previous frame failed: the script must discard its pending changes too.
    last_frame_failed: bool,
    rejections: PromiseRejections,
    context: Context,
    runtime: Runtime,
}

impl ScriptHost {
    /// Loads the script and runs it once. `clock` returns the CPU time of this thread.
    pub fn load(
        start: &SceneInit,
        clock: impl Fn() -> Duration + 'static,
    ) -> std::result::Result<Self, SceneDiagnostic> {
        let stage = Rc::new(RefCell::new(ScriptState::new(start)));
        let limit = Cell::new(LOAD_LIMIT);
        let script =
            Rc::new(ScriptSource { name: start.script.clone(), text: start.text.clone(), limit, state: stage.clone() });
        let clock: Rc<dyn Fn() -> Duration> = Rc::new(clock);
        let deadline = Rc::new(Cell::new(clock() + LOAD_LIMIT));

        let broken = |why: Error| SceneDiagnostic::new(&script.name, format!("the script's engine fails: {why}"), "");
        let runtime = Runtime::new().map_err(broken)?;
        runtime.set_memory_limit(SCRIPT_MEMORY_MAX);
        runtime.set_max_stack_size(STACK_MAX);
        let (ends, time) = (deadline.clone(), clock.clone());
        runtime.set_interrupt_handler(Some(Box::new(move || time() > ends.get())));
        runtime.set_loader(MoongateResolver, MoongateResolver);
        let rejections = PromiseRejections::track(&runtime, &script);
        let context = Context::custom::<Intrinsics>(&runtime).map_err(broken)?;
        let (sees, told, handlers, keep) = context.with(|ctx| -> std::result::Result<_, SceneDiagnostic> {
            let (sees, told) =
                load_prelude(&ctx, &stage, start).catch(&ctx).map_err(|error| script.diagnostic(&ctx, error))?;
            let module = evaluate(&ctx, &script).catch(&ctx).map_err(|error| script.diagnostic(&ctx, error))?;
            let handlers = find_handlers(&ctx, &module, &script)?;
            let keep = HotReloadState::find(&ctx, &module).map_err(|problem| {
                let remedy = "export an object whose properties are to be kept: export const keep = { score: 0 };";
                SceneDiagnostic::new(&script.name, problem, remedy)
                    .with_location(script.find_line("keep"), &script.text)
            })?;
            Ok((Persistent::save(&ctx, sees), Persistent::save(&ctx, told), handlers, keep))
        })?;
        Ok(Self {
            deliver_input: sees,
            finish_frame: told,
            handlers,
            hot_reload: keep,
            state: stage,
            deadline,
            clock,
            limit_factor: start.budgets,
            script,
            started: false,
            last_frame_failed: false,
            rejections,
            context,
            runtime,
        })
    }

    /// Runs one frame on a frame input. Returns a display list unless the script fails.
    pub fn run_frame(&mut self, number: u64, input: u64, json: &str) -> FromScene {
        let (began, limit) = ((self.clock)(), FRAME_LIMIT * self.limit_factor);
        self.script.limit.set(limit);
        self.deadline.set(began + limit);
        let context = self.context.clone();
        let result = context
            .with(|ctx| self.dispatch(&ctx, json).catch(&ctx).map_err(|error| self.script.diagnostic(&ctx, error)));
        let jobs = self.run_pending_jobs();
        let rejected = self.rejections.take_first();
        let fault = result.err().or(jobs).or(rejected);
        let took = (self.clock)().saturating_sub(began);
        if took > limit {
            // After an overrun, a busy machine is no longer an excuse.
            self.limit_factor = 1;
        }
        let took_us = took.as_micros() as u64;
        let mut stage = self.state.borrow_mut();
        let mut picture = stage.builder.finish();
        let (mut acts, mut kept) = (std::mem::take(&mut stage.actions), stage.retained.take_updates());
        if fault.is_some() {
            // Effects of a failed frame would persist and make the corrected scene fail as well.
            acts.retain(|act| matches!(act, SceneAction::Log(_)));
            kept.clear();
            self.last_frame_failed = true;
        }
        (picture.answers, picture.reflects) = (number, input);
        FromScene::Frame { picture: fault.is_none().then_some(picture), acts, kept, fault, took_us }
    }

    /// Returns the state that the script keeps for the next revision, as JSON.
    pub fn export_state(&self) -> std::result::Result<Option<String>, SceneDiagnostic> {
        self.deadline.set((self.clock)() + FRAME_LIMIT);
        let kept = self.context.with(|ctx| {
            let kept = self.hot_reload.export_json(&ctx, &self.script.name);
            kept.catch(&ctx).map_err(|error| self.script.diagnostic(&ctx, error))
        });
        kept.and_then(|kept| kept)
    }

    /// Passes the state kept by the previous revision to the script. Unusable parts are dropped.
    pub fn import_state(&self, json: &str) {
        self.deadline.set((self.clock)() + FRAME_LIMIT);
        self.context.with(|ctx| {
            if self.hot_reload.import_json(&ctx, json).is_err() {
                // A setter of the script may throw; the script continues with the state that it has.
                ctx.catch();
            }
        });
    }

    fn dispatch(&mut self, ctx: &Ctx, json: &str) -> Result<()> {
        let sees = ctx.json_parse(json)?;
        let calls: Array =
            self.deliver_input.clone().restore(ctx)?.call((sees, std::mem::take(&mut self.last_frame_failed)))?;
        if !std::mem::replace(&mut self.started, true)
            && let Some(start) = self.handler(ctx, "start")?
        {
            start.call::<_, Value>(())?;
        }
        for call in calls.iter::<Array>() {
            let call = call?;
            if let Some(own) = call.get::<Value>(0)?.into_function() {
                own.call::<_, Value>(())?;
                continue;
            }
            let name: String = call.get(0)?;
            if let Some(handler) = self.handler(ctx, &name)? {
                let arguments: Array = call.get(1)?;
                match arguments.len() {
                    0 => handler.call::<_, Value>(())?,
                    1 => handler.call::<_, Value>((arguments.get::<Value>(0)?,))?,
                    _ => handler.call::<_, Value>((arguments.get::<Value>(0)?, arguments.get::<Value>(1)?))?,
                };
            }
        }
        self.finish_frame.clone().restore(ctx)?.call(())
    }

    fn handler<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Result<Option<Function<'js>>> {
        let found = self.handlers.iter().find(|(known, _)| *known == name);
        found.map(|(_, handler)| handler.clone().restore(ctx)).transpose()
    }

    /// Runs the pending jobs of promises and returns the first error among them.
    fn run_pending_jobs(&self) -> Option<SceneDiagnostic> {
        for _ in 0..1_000 {
            match self.runtime.execute_pending_job() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(failed) => {
                    return Some(failed.0.with(|ctx| {
                        let error = CaughtError::from_error(&ctx, Error::Exception);
                        self.script.diagnostic(&ctx, error)
                    }));
                }
            }
        }
        Some(SceneDiagnostic::new(
            &self.script.name,
            "promises without an end",
            "resolve them, or use `frame` and `now`",
        ))
    }
}

fn site_object<'js>(ctx: &Ctx<'js>, card: &CityInfo) -> Result<Object<'js>> {
    let city = Object::new(ctx.clone())?;
    city.set("name", card.name.as_str())?;
    city.set("latin", card.latin.as_str())?;
    city.set("domain", card.domain.as_str())?;
    city.set("colour", card.colour.as_str())?;
    city.set("color", card.colour.as_str())?;
    city.set("language", card.language.as_str())?;
    let site = Object::new(ctx.clone())?;
    site.set("city", city)?;
    Ok(site)
}

/// Declares the module "moongate". Returns its functions that take in a `FrameInput` and that run after the handlers.
fn load_prelude<'js>(
    ctx: &Ctx<'js>,
    stage: &SharedScriptState,
    start: &SceneInit,
) -> Result<(Function<'js>, Function<'js>)> {
    let native = install_natives(ctx, stage)?;
    native.set("here", site_object(ctx, &start.here)?)?;
    native.set("there", site_object(ctx, &start.there)?)?;
    native.set("side", start.side)?;
    native.set("ours", start.ours.iter().map(|(name, lost)| vec![name.as_str(), lost]).collect::<Vec<_>>())?;
    let dials = Array::new(ctx.clone())?;
    for (index, (name, value, range)) in start.dials.iter().enumerate() {
        let dial = Array::new(ctx.clone())?;
        dial.set(0, name.as_str())?;
        dial.set(1, *value)?;
        dial.set(2, range[0])?;
        dial.set(3, range[1])?;
        dials.set(index, dial)?;
    }
    native.set("dials", dials)?;
    native.set("metre", start.metre)?;
    let kit = Object::new(ctx.clone())?;
    let BuiltinEffects { arrival, meeting, sky, touch } = start.effects;
    for (name, on) in [("arrival", arrival), ("meeting", meeting), ("sky", sky), ("touch", touch)] {
        kit.set(name, on)?;
    }
    native.set("kit", kit)?;
    native.set("lostShare", start.lost_share.as_str())?;
    let limits = Object::new(ctx.clone())?;
    for (name, most) in LIMITS {
        limits.set(name, most)?;
    }
    native.set("limits", limits)?;
    native.set("width", start.canvas[0])?;
    native.set("height", start.canvas[1])?;
    ctx.globals().set("__moongate", native)?;
    let (module, promise) = Module::declare(ctx.clone(), "moongate", PRELUDE)?.eval()?;
    promise.finish::<()>()?;
    ctx.globals().remove("__moongate")?;
    ctx.globals().remove("eval")?;
    Ok((module.get("__sees")?, module.get("__told")?))
}

fn evaluate<'js>(ctx: &Ctx<'js>, script: &ScriptSource) -> Result<Module<'js, Evaluated>> {
    let (module, promise) = Module::declare(ctx.clone(), script.name.as_str(), script.text.as_str())?.eval()?;
    match promise.state() {
        PromiseState::Pending if ctx.has_exception() => return Err(Error::Exception),
        PromiseState::Pending => {
            return Err(Exception::throw_message(ctx, "`await` cannot stand outside of a function here"));
        }
        _ => promise.result::<()>().transpose()?,
    };
    Ok(module)
}

type Handlers = Vec<(&'static str, Persistent<Function<'static>>)>;

fn find_handlers<'js>(
    ctx: &Ctx<'js>,
    module: &Module<'js, Evaluated>,
    script: &ScriptSource,
) -> std::result::Result<Handlers, SceneDiagnostic> {
    let fault = |problem: String, remedy: String, word: &str| {
        SceneDiagnostic::new(&script.name, problem, remedy).with_location(script.find_line(word), &script.text)
    };
    let names = module.namespace().and_then(|space| space.keys::<String>().collect::<Result<Vec<_>>>());
    let names = names.catch(ctx).map_err(|error| script.diagnostic(ctx, error))?;
    let mut handlers = Vec::new();
    for name in &names {
        let value: Option<Value> = module.get(name.as_str()).ok();
        let Some(function) = value.and_then(Value::into_function) else { continue };
        if let Some(known) = HANDLER_NAMES.into_iter().find(|event| event == name) {
            handlers.push((known, Persistent::save(ctx, function)));
        } else if let Some(ours) = p5_equivalent(name) {
            return Err(fault(
                format!("`{name}` is never called"),
                format!("it is {ours} here"),
                &format!("function {name}"),
            ));
        } else if let Some(meant) = closest_match(name, HANDLER_NAMES) {
            return Err(fault(
                format!("`{name}` is never called"),
                format!("did you mean `{meant}`?"),
                &format!("function {name}"),
            ));
        }
    }
    if handlers.is_empty() {
        let remedy = "write: export function frame({ now }) { … }";
        let bare = HANDLER_NAMES.into_iter().find(|event| script.text.contains(&format!("function {event}")));
        let remedy = bare.map_or(remedy.to_owned(), |event| format!("write `export` before `function {event}`"));
        return Err(fault("exports no function that the engine calls".into(), remedy, bare.unwrap_or("\0")));
    }
    Ok(handlers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::message::{SceneEvent, TouchState};

    #[test]
    fn each_event_of_a_frame_has_a_handler() {
        let touch = TouchState { id: 1, x: 0.0, y: 0.0, by: "finger", began: 0.0 };
        let events = [
            SceneEvent::Down(touch),
            SceneEvent::Move(touch),
            SceneEvent::Up(touch),
            SceneEvent::DownThere(touch),
            SceneEvent::MoveThere(touch),
            SceneEvent::UpThere(touch),
            SceneEvent::Heard { name: String::new(), data: String::new() },
            SceneEvent::Meet { x: 0.0, y: 0.0 },
            SceneEvent::Merged { marks: 1 },
            SceneEvent::Linked,
            SceneEvent::Parted,
        ];
        for event in events {
            let json = serde_json::to_value(&event).expect("numbers and texts");
            let name = json["is"].as_str().expect("a tag");
            assert!(HANDLER_NAMES.contains(&name), "{name}");
            // An event that is added here has to be added above.
            match event {
                SceneEvent::Down(_)
                | SceneEvent::Move(_)
                | SceneEvent::Up(_)
                | SceneEvent::DownThere(_)
                | SceneEvent::MoveThere(_)
                | SceneEvent::UpThere(_)
                | SceneEvent::Heard { .. }
                | SceneEvent::Meet { .. }
                | SceneEvent::Merged { .. }
                | SceneEvent::Linked
                | SceneEvent::Parted => {}
            }
        }
    }
}
