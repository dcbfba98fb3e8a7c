//! How much memory each pixel takes: what a shader declares, and what its functions copy, with all that they call.

use super::Refusal;
use crate::scene::loops::calls;
use naga::proc::Layouter;
use naga::valid::ModuleInfo;
use naga::{AddressSpace, Function, Handle, Module, Span, Type, TypeInner};
use std::collections::HashMap;

/// Most bytes a pixel of variables and constants of a module.
const KEPT_MAX: u64 = 4 << 10;
/// Most bytes a pixel that functions copy; a driver writes a function out at each place where it is called.
const COPIED_MAX: u64 = 64 << 10;
/// A struct without arrays that is not larger is a few registers.
const SMALL: u64 = 64;

/// Sizes of all types of a module.
struct Sizes {
    /// In bytes.
    all: Vec<u64>,
    /// Whether a driver may keep one in memory and not in registers: arrays, and what holds them.
    heavy: Vec<bool>,
}

impl Sizes {
    fn of(module: &Module) -> Option<Self> {
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).ok()?;
        let mut sizes = Self { all: Vec::new(), heavy: Vec::new() };
        for (handle, ty) in module.types.iter() {
            let bytes = u64::from(layouter[handle].size);
            // What a type is made of stands before it.
            let heavy = match &ty.inner {
                TypeInner::Array { .. } => true,
                TypeInner::Struct { members, .. } => bytes > SMALL || members.iter().any(|m| sizes.heavy[m.ty.index()]),
                _ => false,
            };
            sizes.all.push(bytes);
            sizes.heavy.push(heavy);
        }
        Some(sizes)
    }

    fn heavy(&self, ty: Handle<Type>) -> u64 {
        if self.heavy[ty.index()] { self.all[ty.index()] } else { 0 }
    }
}

fn too_large() -> Refusal {
    Refusal { line: None, problem: "has a type that is too large".into(), remedy: "use a shorter array".into() }
}

/// Refuses a module whose variables and constants are too large. No compiler needs to have seen it. `added`: bytes that the
/// engine has put there itself.
pub(super) fn kept(module: &Module, whole: &str, added: u64) -> Result<(), Refusal> {
    let sizes = Sizes::of(module).ok_or_else(too_large)?;
    let mut sum = 0_u64;
    let mut largest = (0, Span::UNDEFINED);
    let mut add = |bytes: u64, span: Span| {
        sum = sum.saturating_add(bytes);
        if bytes > largest.0 {
            largest = (bytes, span);
        }
    };
    for (handle, variable) in module.global_variables.iter() {
        if variable.space == AddressSpace::Private {
            add(sizes.all[variable.ty.index()], module.global_variables.get_span(handle));
        }
    }
    for (handle, constant) in module.constants.iter() {
        add(sizes.heavy(constant.ty), module.constants.get_span(handle));
    }
    for (handle, function) in module.functions.iter() {
        let handed = function.arguments.iter().map(|a| a.ty).chain(function.result.iter().map(|result| result.ty));
        add(handed.fold(0, |sum: u64, ty| sum.saturating_add(sizes.heavy(ty))), module.functions.get_span(handle));
        for (handle, variable) in function.local_variables.iter() {
            add(sizes.heavy(variable.ty), function.local_variables.get_span(handle));
        }
    }
    if sum <= KEPT_MAX + added {
        return Ok(());
    }
    let line = largest.1.is_defined().then(|| largest.1.location(whole).line_number);
    let problem = format!(
        "variables and constants take {sum} bytes for each pixel, {} of them here; {KEPT_MAX} are allowed",
        largest.0
    );
    Err(Refusal {
        line,
        problem,
        remedy: "use shorter arrays, or paint what they hold into a buffer: fn buffer_a".into(),
    })
}

/// Refuses a module whose functions copy too many arrays and large structs about.
pub(super) fn copied(module: &Module, info: &ModuleInfo, whole: &str) -> Result<(), Refusal> {
    let sizes = Sizes::of(module).ok_or_else(too_large)?;
    // What is called stands before what calls it.
    let mut known: HashMap<Handle<Function>, u64> = HashMap::new();
    for (handle, function) in module.functions.iter() {
        let types = &info[handle];
        let made = function.expressions.iter().map(|(expression, _)| {
            let ty = types[expression].ty.handle();
            ty.map_or(0, |ty| sizes.heavy(ty))
        });
        let declared = function.local_variables.iter().map(|(_, variable)| sizes.heavy(variable.ty));
        let called = calls(&function.body);
        let called = called.iter().map(|called| known.get(called).copied().unwrap_or(0));
        let sum = made.chain(declared).chain(called).fold(0, u64::saturating_add);
        if sum > COPIED_MAX {
            let span = module.functions.get_span(handle);
            let line = span.is_defined().then(|| span.location(whole).line_number);
            let name = function.name.as_deref().unwrap_or_default();
            let problem = format!(
                "`{name}` copies {sum} bytes of arrays and structs for each pixel, with what it calls; {COPIED_MAX} are allowed"
            );
            let remedy = "hand pointers to functions, and make a `const` array that is looked into a var<private>";
            return Err(Refusal { line, problem, remedy: remedy.into() });
        }
        known.insert(handle, sum);
    }
    Ok(())
}
