//! State that a script keeps across revisions: the properties of its exported object `keep`.

use crate::diagnostic::SceneDiagnostic;
use rquickjs::{Ctx, Module, Object, Persistent, Result, Value, module::Evaluated};

/// Maximum size of the state, in bytes of JSON.
const STATE_BYTES_MAX: usize = 256 << 10;

/// The exported object `keep` of a script, if there is one.
pub(super) struct HotReloadState(Option<Persistent<Object<'static>>>);

impl HotReloadState {
    /// Finds `keep` among a script's exports.
    pub fn find<'js>(ctx: &Ctx<'js>, module: &Module<'js, Evaluated>) -> std::result::Result<Self, String> {
        let value = module.get::<_, Value>("keep").ok().filter(|value| !value.is_undefined());
        let Some(value) = value else { return Ok(Self(None)) };
        let object = value.as_object().filter(|object| !object.is_function() && !object.is_array());
        let object =
            object.ok_or_else(|| format!("`keep` is {}, not an object", super::args::describe_type(&value)))?;
        Ok(Self(Some(Persistent::save(ctx, object.clone()))))
    }

    /// Returns the state as JSON.
    pub fn export_json(&self, ctx: &Ctx, script: &str) -> Result<std::result::Result<Option<String>, SceneDiagnostic>> {
        let Some(keep) = self.0.clone() else { return Ok(Ok(None)) };
        let text = ctx.json_stringify(keep.restore(ctx)?)?.map(|text| text.to_string()).transpose()?;
        Ok(match text {
            Some(text) if text.len() > STATE_BYTES_MAX => {
                let problem =
                    format!("`keep` has {} KiB; at most {} are kept", text.len() >> 10, STATE_BYTES_MAX >> 10);
                Err(SceneDiagnostic::new(script, problem, "put less into `keep`"))
            }
            text => Ok(text),
        })
    }

    /// Restores the state of the previous revision: each property that still exists with a compatible type.
    pub fn import_json<'js>(&self, ctx: &Ctx<'js>, json: &str) -> Result<()> {
        let Some(keep) = self.0.clone() else { return Ok(()) };
        let keep = keep.restore(ctx)?;
        let before: Value = ctx.json_parse(json)?;
        let Some(before) = before.as_object() else { return Ok(()) };
        for entry in before.props::<String, Value>() {
            let (key, value) = entry?;
            let now: Value = keep.get(key.as_str())?;
            let alike = now.type_of() == value.type_of() || (now.is_number() && value.is_number());
            if keep.contains_key(key.as_str())? && (alike || now.is_null() || value.is_null()) {
                keep.set(key, value)?;
            }
        }
        Ok(())
    }
}
