//! An artist's `Params`: the offset of each member, and the layout of a script's numbers in it.

use crate::protocol::shader_params::{NumberType, ParamField};
use naga::{Scalar, ScalarKind, TypeInner, VectorSize};

fn params_type(module: &naga::Module) -> Option<&naga::TypeInner> {
    let (_, variable) = module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some("params"))?;
    Some(&module.types[variable.ty].inner)
}

pub(super) fn params_size(module: &naga::Module) -> u32 {
    match params_type(module) {
        // A uniform buffer is bound in multiples of 16 bytes.
        Some(TypeInner::Struct { span, .. }) => span.next_multiple_of(16),
        _ => 0,
    }
}

pub(super) fn param_fields(module: &naga::Module) -> Result<Vec<ParamField>, String> {
    let Some(TypeInner::Struct { members, .. }) = params_type(module) else { return Ok(Vec::new()) };
    members
        .iter()
        .map(|member| {
            let name = member.name.clone().unwrap_or_default();
            let inner = &module.types[member.ty].inner;
            let (element, count, stride) = match inner {
                TypeInner::Array { base, size: naga::ArraySize::Constant(count), stride } => {
                    (&module.types[*base].inner, count.get() as usize, *stride as usize)
                }
                other => (other, 1, 0),
            };
            let (width, scalar) = number_type(element).ok_or_else(|| {
                format!(
                    "`Params.{name}` cannot be set from a script; use f32, i32, u32, their vectors, or arrays of vec4f"
                )
            })?;
            let kind = match scalar.kind {
                ScalarKind::Sint => NumberType::I32,
                ScalarKind::Uint => NumberType::U32,
                _ => NumberType::F32,
            };
            Ok(ParamField { name, offset: member.offset as usize, width, count, stride, kind })
        })
        .collect()
}

fn number_type(inner: &TypeInner) -> Option<(usize, Scalar)> {
    let (width, scalar) = match inner {
        TypeInner::Scalar(scalar) => (1, *scalar),
        TypeInner::Vector { size, scalar } => (
            match size {
                VectorSize::Bi => 2,
                VectorSize::Tri => 3,
                VectorSize::Quad => 4,
            },
            *scalar,
        ),
        _ => return None,
    };
    (scalar.width == 4 && scalar.kind != ScalarKind::Bool).then_some((width, scalar))
}
