//! Registers native functions with the script engine.

use super::args::CallArgs;
use super::atoms::AtomCache;
use super::state::SharedScriptState;
use rquickjs::function::{self, IntoJsFunc, ParamRequirement};
use rquickjs::{Ctx, Function, IntoJs, Object, Result, Value};
use smallvec::SmallVec;

/// Creates the native functions of one script.
pub(super) struct NativeRegistry<'a, 'js> {
    pub ctx: &'a Ctx<'js>,
    state: &'a SharedScriptState,
    atoms: AtomCache<'js>,
}

impl<'a, 'js> NativeRegistry<'a, 'js> {
    /// Creates a registry for the functions of one script.
    pub fn new(ctx: &'a Ctx<'js>, state: &'a SharedScriptState) -> Result<Self> {
        Ok(Self { ctx, state, atoms: AtomCache::new(ctx)? })
    }

    /// Adds a native function as a property. The triple is the property's key, and the name and usage for error
    /// messages.
    pub fn add<R: IntoJs<'js> + 'js>(
        &self,
        to: &Object<'js>,
        (key, name, usage): (&str, &'static str, &'static str),
        body: impl Fn(&CallArgs<'_, 'js>, &SharedScriptState) -> Result<R> + 'js,
    ) -> Result<()> {
        let native = NativeFunction { name, usage, state: self.state.clone(), atoms: self.atoms.clone(), body };
        let function = Function::new(self.ctx.clone(), native)?;
        to.set(key, function.with_name(key)?)
    }
}

/// A native function. It reads its arguments in place: converting them first costs as much as drawing a circle.
struct NativeFunction<'js, F> {
    name: &'static str,
    usage: &'static str,
    state: SharedScriptState,
    atoms: AtomCache<'js>,
    body: F,
}

impl<'js, R, F> IntoJsFunc<'js, (R,)> for NativeFunction<'js, F>
where
    R: IntoJs<'js>,
    F: Fn(&CallArgs<'_, 'js>, &SharedScriptState) -> Result<R> + 'js,
{
    fn param_requirements() -> ParamRequirement {
        ParamRequirement::any()
    }

    fn call(&self, params: function::Params<'_, 'js>) -> Result<Value<'js>> {
        // A call with few arguments allocates nothing.
        let mut arguments = SmallVec::<[Value; 6]>::new();
        for index in 0..params.len() {
            if let Some(argument) = params.arg(index) {
                arguments.push(argument);
            }
        }
        let ctx = params.ctx();
        let Self { name, usage, state: stage, atoms: words, body } = self;
        body(&CallArgs { ctx, name, usage, arguments: &arguments, atoms: words }, stage)?.into_js(ctx)
    }
}
