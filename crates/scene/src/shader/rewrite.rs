//! Rewrites an artist's module where necessary: loops are bounded, and pointers that naga cannot pass on are copied.

use super::{loop_bound, pointer_args};
use naga::Module;
use naga::back::wgsl::{WriterFlags, write_string};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Size of the variable that counts iterations, in bytes.
pub(super) const COUNTER_BYTES: u64 = 4;

/// Returns the module as rewritten WGSL; none if it can stay unchanged. The error is for the artist.
pub(super) fn rewrite(mut module: Module) -> Result<Option<String>, String> {
    let copies = pointer_args::copy_pointer_args(&mut module);
    let bounds = loop_bound::bound_loops(&mut module)?;
    if !copies && !bounds {
        return Ok(None);
    }
    let broken = |why: String| format!("it cannot be rewritten with bounded loops ({why}); write it more simply");
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    let info = validator.validate(&module).map_err(|why| broken(why.to_string()))?;
    write_string(&module, &info, WriterFlags::empty()).map(Some).map_err(|why| broken(why.to_string()))
}
