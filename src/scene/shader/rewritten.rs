//! Rewrites an artist's module where it has to: loops get an end, and pointers that naga cannot pass on get a copy.

use crate::scene::{loops, pointers};
use naga::Module;
use naga::back::wgsl::{WriterFlags, write_string};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Bytes of the variable that counts turns.
pub(super) const COUNTER: u64 = 4;

/// The module as other WGSL; nothing if it can stay as it is. The error is for the artist.
pub(super) fn rewritten(mut module: Module) -> Result<Option<String>, String> {
    let copies = pointers::copy(&mut module);
    let bounds = loops::bound_all(&mut module)?;
    if !copies && !bounds {
        return Ok(None);
    }
    let broken = |why: String| format!("it cannot be rewritten with bounded loops ({why}); write it more simply");
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    let info = validator.validate(&module).map_err(|why| broken(why.to_string()))?;
    write_string(&module, &info, WriterFlags::empty()).map(Some).map_err(|why| broken(why.to_string()))
}
