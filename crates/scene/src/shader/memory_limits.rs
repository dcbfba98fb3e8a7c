//! Bounds on the memory per pixel: a shader's variables and constants, and the copies that its functions make.

use super::error::ShaderError;
use super::loop_bound::called_functions;
use naga::proc::Layouter;
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{AddressSpace, Expression, Function, Handle, Module, Span, Type, TypeInner};
use std::collections::{HashMap, HashSet};

/// Maximum size of a module's variables and constants, in bytes per pixel.
const VARIABLES_BYTES_MAX: u64 = 4 << 10;
/// Maximum size of one of them, in bytes.
///
/// A software driver sets each number separately, and its compile time grows with the third power of their count.
const VARIABLE_BYTES_MAX: u64 = 2 << 10;
/// Maximum memory that functions keep and copy, in bytes per pixel.
///
/// A driver inlines a function at each place where it is called.
const INLINED_BYTES_MAX: u64 = 4 << 10;
const COPIED_BYTES_MAX: u64 = 64 << 10;
/// Maximum number of memory accesses with a non-constant index, counted once per inlined copy of the function.
const INDEXED_MAX: u64 = 512;
/// Maximum size of a struct without arrays that fits into a few registers, in bytes.
const REGISTER_BYTES_MAX: u64 = 64;

/// Sizes of all types of a module.
struct TypeSizes {
    /// Size of each type, in bytes.
    bytes: Vec<u64>,
    /// True for arrays and for structs that contain them: a driver keeps those in memory and not in registers.
    in_memory: Vec<bool>,
}

impl TypeSizes {
    fn of(module: &Module) -> Option<Self> {
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).ok()?;
        let mut sizes = Self { bytes: Vec::new(), in_memory: Vec::new() };
        for (handle, ty) in module.types.iter() {
            let bytes = u64::from(layouter[handle].size);
            // A type comes after the types that it is made of.
            let heavy = match &ty.inner {
                TypeInner::Array { .. } => true,
                TypeInner::Struct { members, .. } => {
                    bytes > REGISTER_BYTES_MAX || members.iter().any(|m| sizes.in_memory[m.ty.index()])
                }
                _ => false,
            };
            sizes.bytes.push(bytes);
            sizes.in_memory.push(heavy);
        }
        Some(sizes)
    }

    fn memory_bytes(&self, ty: Handle<Type>) -> u64 {
        if self.in_memory[ty.index()] { self.bytes[ty.index()] } else { 0 }
    }
}

fn too_large() -> ShaderError {
    ShaderError { line: None, problem: "has a type that is too large".into(), remedy: "use a shorter array".into() }
}

/// Refuses a module whose variables and constants are too large, before any compiler has seen it.
///
/// `added`: bytes that the engine itself has added.
pub(super) fn check_variables(module: &Module, whole: &str, added: u64) -> Result<(), ShaderError> {
    let sizes = TypeSizes::of(module).ok_or_else(too_large)?;
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
            add(sizes.bytes[variable.ty.index()], module.global_variables.get_span(handle));
        }
    }
    for (handle, constant) in module.constants.iter() {
        add(sizes.memory_bytes(constant.ty), module.constants.get_span(handle));
    }
    for (handle, function) in module.functions.iter() {
        let handed = function.arguments.iter().map(|a| a.ty).chain(function.result.iter().map(|result| result.ty));
        add(
            handed.fold(0, |sum: u64, ty| sum.saturating_add(sizes.memory_bytes(ty))),
            module.functions.get_span(handle),
        );
        for (handle, variable) in function.local_variables.iter() {
            add(sizes.memory_bytes(variable.ty), function.local_variables.get_span(handle));
        }
    }
    let (bytes, span) = largest;
    let line = span.is_defined().then(|| span.location(whole).line_number);
    let remedy = "use shorter arrays, or paint what they hold into a buffer: fn buffer_a";
    let problem = if bytes > VARIABLE_BYTES_MAX {
        format!(
            "this takes {bytes} bytes for each pixel; {VARIABLE_BYTES_MAX} are allowed for one variable or constant"
        )
    } else if sum > VARIABLES_BYTES_MAX + added {
        format!(
            "variables and constants take {sum} bytes for each pixel, {bytes} of them here; {VARIABLES_BYTES_MAX} are allowed"
        )
    } else {
        return Ok(());
    };
    Err(ShaderError { line, problem, remedy: remedy.into() })
}

/// Memory use of a function, including all functions that it calls.
#[derive(Debug, Clone, Copy, Default)]
struct MemoryCost {
    /// Bytes of variables, and of values that are indexed.
    stored: u64,
    copied: u64,
    /// Number of memory accesses with a non-constant index.
    indexed: u64,
}

impl MemoryCost {
    fn add(&mut self, other: Self) {
        self.stored = self.stored.saturating_add(other.stored);
        self.copied = self.copied.saturating_add(other.copied);
        self.indexed = self.indexed.saturating_add(other.indexed);
    }

    /// Returns the cost of a function without its callees.
    fn of(function: &Function, (module, sizes): (&Module, &TypeSizes), info: &FunctionInfo) -> Self {
        let mut cost = Self::default();
        let bytes = |expression: Handle<Expression>| match info[expression].ty.handle() {
            Some(ty) => sizes.bytes[ty.index()],
            None => REGISTER_BYTES_MAX,
        };
        // Vectors, matrices and values stay in registers unless they are indexed.
        let (mut variables, mut values) = (HashSet::new(), HashSet::new());
        for (handle, expression) in function.expressions.iter() {
            if let Some(ty) = info[handle].ty.handle() {
                cost.copied = cost.copied.saturating_add(sizes.memory_bytes(ty));
            }
            let Expression::Access { base, .. } = expression else { continue };
            let inner = info[*base].ty.inner_with(&module.types);
            match inner.pointer_space() {
                Some(AddressSpace::Function) => {
                    cost.indexed += 1;
                    if let Expression::LocalVariable(variable) = function.expressions[root_variable(function, *base)] {
                        variables.insert(variable);
                    }
                }
                Some(AddressSpace::Private) => cost.indexed += 1,
                Some(_) => {}
                None => {
                    cost.indexed += 1;
                    if values.insert(*base) {
                        cost.stored = cost.stored.saturating_add(bytes(*base));
                    }
                }
            }
        }
        for (handle, variable) in function.local_variables.iter() {
            let size = sizes.bytes[variable.ty.index()];
            if sizes.in_memory[variable.ty.index()] || variables.contains(&handle) {
                cost.stored = cost.stored.saturating_add(size);
                cost.copied = cost.copied.saturating_add(size);
            }
        }
        cost
    }
}

/// Returns the variable that a pointer starts from.
fn root_variable(function: &Function, mut pointer: Handle<Expression>) -> Handle<Expression> {
    while let Expression::Access { base, .. } | Expression::AccessIndex { base, .. } = function.expressions[pointer] {
        pointer = base;
    }
    pointer
}

/// Refuses a module whose functions keep, copy or index too much memory.
pub(super) fn check_functions(module: &Module, info: &ModuleInfo, whole: &str) -> Result<(), ShaderError> {
    let sizes = TypeSizes::of(module).ok_or_else(too_large)?;
    // A function comes after the functions that it calls.
    let mut known: HashMap<Handle<Function>, MemoryCost> = HashMap::new();
    for (handle, function) in module.functions.iter() {
        let mut cost = MemoryCost::of(function, (module, &sizes), &info[handle]);
        for called in called_functions(&function.body) {
            cost.add(known.get(&called).copied().unwrap_or_default());
        }
        let MemoryCost { stored: kept, copied, indexed: looked } = cost;
        let problem = if kept > INLINED_BYTES_MAX {
            format!("keeps {kept} bytes of arrays for each pixel, with what it calls; {INLINED_BYTES_MAX} are allowed")
        } else if copied > COPIED_BYTES_MAX {
            format!(
                "copies {copied} bytes of arrays and structs for each pixel, with what it calls; {COPIED_BYTES_MAX} are allowed"
            )
        } else if looked > INDEXED_MAX {
            format!("looks into arrays at {looked} places, with what it calls; {INDEXED_MAX} are allowed")
        } else {
            known.insert(handle, cost);
            continue;
        };
        let span = module.functions.get_span(handle);
        let line = span.is_defined().then(|| span.location(whole).line_number);
        let problem = format!("`{}` {problem}", function.name.as_deref().unwrap_or_default());
        let remedy = "call it less often, in a loop, or make a `const` array that is looked into a var<private>";
        return Err(ShaderError { line, problem, remedy: remedy.into() });
    }
    Ok(())
}
