//! Bounds on the memory per pixel: a shader's variables and constants, and the copies that its functions make.

use super::Refusal;
use crate::scene::loops::calls;
use naga::proc::Layouter;
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{AddressSpace, Expression, Function, Handle, Module, Span, Type, TypeInner};
use std::collections::{HashMap, HashSet};

/// Maximum size of a module's variables and constants, in bytes per pixel.
const KEPT_MAX: u64 = 4 << 10;
/// Maximum size of one of them, in bytes: a software driver sets each number separately, and its compile time grows with the
/// third power of their count.
const ONE_MAX: u64 = 2 << 10;
/// Maximum memory that functions keep and copy, in bytes per pixel; a driver inlines a function at each place where it is
/// called.
const INLINED_MAX: u64 = 4 << 10;
const COPIED_MAX: u64 = 64 << 10;
/// Maximum number of memory accesses with a non-constant index, counted once per inlined copy of the function.
const LOOKED_MAX: u64 = 512;
/// Maximum size of a struct without arrays that fits into a few registers, in bytes.
const SMALL: u64 = 64;

/// Sizes of all types of a module.
struct Sizes {
    /// Size of each type, in bytes.
    all: Vec<u64>,
    /// True for arrays and for structs that contain them: a driver keeps those in memory and not in registers.
    heavy: Vec<bool>,
}

impl Sizes {
    fn of(module: &Module) -> Option<Self> {
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).ok()?;
        let mut sizes = Self { all: Vec::new(), heavy: Vec::new() };
        for (handle, ty) in module.types.iter() {
            let bytes = u64::from(layouter[handle].size);
            // A type comes after the types that it is made of.
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

/// Refuses a module whose variables and constants are too large, before any compiler has seen it. `added`: bytes that the
/// engine itself has added.
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
    let (bytes, span) = largest;
    let line = span.is_defined().then(|| span.location(whole).line_number);
    let remedy = "use shorter arrays, or paint what they hold into a buffer: fn buffer_a";
    let problem = if bytes > ONE_MAX {
        format!("this takes {bytes} bytes for each pixel; {ONE_MAX} are allowed for one variable or constant")
    } else if sum > KEPT_MAX + added {
        format!("variables and constants take {sum} bytes for each pixel, {bytes} of them here; {KEPT_MAX} are allowed")
    } else {
        return Ok(());
    };
    Err(Refusal { line, problem, remedy: remedy.into() })
}

/// Memory use of a function, including all functions that it calls.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    /// Bytes of variables, and of values that are indexed.
    kept: u64,
    copied: u64,
    /// Number of memory accesses with a non-constant index.
    looked: u64,
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.kept = self.kept.saturating_add(other.kept);
        self.copied = self.copied.saturating_add(other.copied);
        self.looked = self.looked.saturating_add(other.looked);
    }

    /// Returns the cost of a function without its callees.
    fn of(function: &Function, (module, sizes): (&Module, &Sizes), info: &FunctionInfo) -> Self {
        let mut cost = Self::default();
        let bytes = |expression: Handle<Expression>| match info[expression].ty.handle() {
            Some(ty) => sizes.all[ty.index()],
            None => SMALL,
        };
        // Vectors, matrices and values stay in registers unless they are indexed.
        let (mut variables, mut values) = (HashSet::new(), HashSet::new());
        for (handle, expression) in function.expressions.iter() {
            if let Some(ty) = info[handle].ty.handle() {
                cost.copied = cost.copied.saturating_add(sizes.heavy(ty));
            }
            let Expression::Access { base, .. } = expression else { continue };
            let inner = info[*base].ty.inner_with(&module.types);
            match inner.pointer_space() {
                Some(AddressSpace::Function) => {
                    cost.looked += 1;
                    if let Expression::LocalVariable(variable) = function.expressions[root(function, *base)] {
                        variables.insert(variable);
                    }
                }
                Some(AddressSpace::Private) => cost.looked += 1,
                Some(_) => {}
                None => {
                    cost.looked += 1;
                    if values.insert(*base) {
                        cost.kept = cost.kept.saturating_add(bytes(*base));
                    }
                }
            }
        }
        for (handle, variable) in function.local_variables.iter() {
            let size = sizes.all[variable.ty.index()];
            if sizes.heavy[variable.ty.index()] || variables.contains(&handle) {
                cost.kept = cost.kept.saturating_add(size);
                cost.copied = cost.copied.saturating_add(size);
            }
        }
        cost
    }
}

/// Returns the variable that a pointer starts from.
fn root(function: &Function, mut pointer: Handle<Expression>) -> Handle<Expression> {
    while let Expression::Access { base, .. } | Expression::AccessIndex { base, .. } = function.expressions[pointer] {
        pointer = base;
    }
    pointer
}

/// Refuses a module whose functions keep, copy or index too much memory.
pub(super) fn moved(module: &Module, info: &ModuleInfo, whole: &str) -> Result<(), Refusal> {
    let sizes = Sizes::of(module).ok_or_else(too_large)?;
    // A function comes after the functions that it calls.
    let mut known: HashMap<Handle<Function>, Cost> = HashMap::new();
    for (handle, function) in module.functions.iter() {
        let mut cost = Cost::of(function, (module, &sizes), &info[handle]);
        for called in calls(&function.body) {
            cost.add(known.get(&called).copied().unwrap_or_default());
        }
        let Cost { kept, copied, looked } = cost;
        let problem = if kept > INLINED_MAX {
            format!("keeps {kept} bytes of arrays for each pixel, with what it calls; {INLINED_MAX} are allowed")
        } else if copied > COPIED_MAX {
            format!(
                "copies {copied} bytes of arrays and structs for each pixel, with what it calls; {COPIED_MAX} are allowed"
            )
        } else if looked > LOOKED_MAX {
            format!("looks into arrays at {looked} places, with what it calls; {LOOKED_MAX} are allowed")
        } else {
            known.insert(handle, cost);
            continue;
        };
        let span = module.functions.get_span(handle);
        let line = span.is_defined().then(|| span.location(whole).line_number);
        let problem = format!("`{}` {problem}", function.name.as_deref().unwrap_or_default());
        let remedy = "call it less often, in a loop, or make a `const` array that is looked into a var<private>";
        return Err(Refusal { line, problem, remedy: remedy.into() });
    }
    Ok(())
}
