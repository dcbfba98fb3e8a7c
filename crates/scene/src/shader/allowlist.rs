//! Allowlist of everything an artist's module may declare and do. Additions to WGSL are refused until they are listed.

use super::error::ShaderError;
use super::loop_bound::nested_blocks;
use naga::{AddressSpace, Block, Handle, ImageClass, ImageDimension, Module, Span, Statement, Type, TypeInner};
use std::ops::Range;

/// Maximum number of functions: a driver inlines each into its callers, and is slow for a long chain.
const FUNCTIONS_MAX: usize = 512;

/// Returns the first construct that is not allowed.
///
/// `artists`: byte range of the artist's source; `tail`: the text after it.
pub(super) fn find_disallowed(
    module: &Module,
    (whole, artists): (&str, Range<usize>),
    tail: &str,
) -> Option<ShaderError> {
    let own = |span: Span| span.to_range().is_some_and(|range| artists.contains(&range.start));
    let refuse = |span: Span, problem: String, remedy: &str| {
        // An undefined span has no line.
        let line = span.is_defined().then(|| span.location(whole).line_number);
        Some(ShaderError { line, problem, remedy: remedy.into() })
    };
    for (handle, variable) in module.global_variables.iter() {
        let span = module.global_variables.get_span(handle);
        let name = variable.name.as_deref().unwrap_or_default();
        if own(span) && variable.space != AddressSpace::Private {
            let problem = format!(
                "`{name}` is in the address space `{}`, which a scene's shader has not",
                address_space_name(variable.space)
            );
            let remedy = "say var<private>, or take the numbers from `Params`; to keep something from picture to picture there are buffers";
            return refuse(span, problem, remedy);
        }
        if own(span) && variable.binding.is_some() {
            return refuse(
                span,
                format!("`{name}` has a binding"),
                "leave @group and @binding out: the engine gives what there is",
            );
        }
    }
    if let Some((handle, _)) = module.functions.iter().nth(FUNCTIONS_MAX) {
        let problem = format!("has {} functions; {FUNCTIONS_MAX} are allowed", module.functions.len());
        return refuse(module.functions.get_span(handle), problem, "write fewer and longer ones");
    }
    if let Some((handle, over)) = module.overrides.iter().next() {
        let name = over.name.as_deref().unwrap_or_default();
        let remedy = "say `const`, or take the number from `Params`";
        return refuse(
            module.overrides.get_span(handle),
            format!("`{name}` is an `override`, which nobody can set"),
            remedy,
        );
    }
    let entry = module.entry_points.iter().find(|entry| !tail.contains(&format!("fn {}(", entry.name)));
    if let Some(entry) = entry {
        let start = artists.start as u32;
        let at = whole.find(&format!("fn {}", entry.name)).map_or(start, |at| at as u32);
        let problem = format!("`{}` is an entry point", entry.name);
        return refuse(
            Span::new(at, at + 1),
            problem,
            "leave @vertex, @fragment and @compute out: the engine calls `paint`",
        );
    }
    for (handle, ty) in module.types.iter() {
        let name = match ty.inner {
            TypeInner::Scalar(_) | TypeInner::Vector { .. } | TypeInner::Matrix { .. } | TypeInner::Struct { .. } => {
                continue;
            }
            TypeInner::Array { size: naga::ArraySize::Constant(_), .. } => continue,
            TypeInner::Pointer { space, .. } | TypeInner::ValuePointer { space, .. } => match space {
                AddressSpace::Function | AddressSpace::Private => continue,
                other => format!("a pointer into the address space `{}`", address_space_name(other)),
            },
            TypeInner::Sampler { comparison: false } => continue,
            TypeInner::Image {
                dim: ImageDimension::D2,
                arrayed: false,
                class: ImageClass::Sampled { multi: false, .. },
            } => {
                continue;
            }
            TypeInner::Array { .. } => "an array without a length".into(),
            TypeInner::Atomic(_) => "an atomic".into(),
            TypeInner::Image { .. } | TypeInner::Sampler { .. } => "this sort of texture".into(),
            _ => "this type".into(),
        };
        let remedy = "use numbers, vectors, matrices, structs, and arrays with a length";
        return refuse(type_location(module, handle), format!("a scene's shader cannot have {name}"), remedy);
    }
    module.functions.iter().find_map(|(_, function)| {
        let span = disallowed_statement(&function.body)?;
        let remedy = "leave it out: each pixel is painted by itself";
        refuse(span, "this makes pixels wait for each other or write what others read".into(), remedy)
    })
}

/// Returns the place where a type is declared, or else a function that takes it, or a struct that has it as a member.
fn type_location(module: &Module, ty: Handle<Type>) -> Span {
    let span = |span: Span| Some(span).filter(Span::is_defined);
    let handed = module.functions.iter().find(|(_, function)| function.arguments.iter().any(|a| a.ty == ty));
    let within = module.types.iter().find(|(_, other)| match &other.inner {
        TypeInner::Struct { members, .. } => members.iter().any(|member| member.ty == ty),
        _ => false,
    });
    span(module.types.get_span(ty))
        .or_else(|| span(module.functions.get_span(handed?.0)))
        .or_else(|| span(module.types.get_span(within?.0)))
        .unwrap_or_default()
}

/// Returns the place of the first statement that is more than a calculation.
fn disallowed_statement(block: &Block) -> Option<Span> {
    block.span_iter().find_map(|(statement, span)| match statement {
        Statement::Emit(_)
        | Statement::Block(_)
        | Statement::If { .. }
        | Statement::Switch { .. }
        | Statement::Loop { .. }
        | Statement::Break
        | Statement::Continue
        | Statement::Return { .. }
        | Statement::Kill
        | Statement::Store { .. }
        | Statement::Call { .. } => nested_blocks(statement).into_iter().find_map(disallowed_statement),
        _ => Some(*span),
    })
}

fn address_space_name(space: AddressSpace) -> &'static str {
    match space {
        AddressSpace::Function => "function",
        AddressSpace::Private => "private",
        AddressSpace::WorkGroup => "workgroup",
        AddressSpace::Uniform => "uniform",
        AddressSpace::Storage { .. } => "storage",
        AddressSpace::Handle => "handle",
        AddressSpace::Immediate => "immediate",
        AddressSpace::TaskPayload => "task_payload",
        AddressSpace::RayPayload | AddressSpace::IncomingRayPayload => "ray_payload",
    }
}
