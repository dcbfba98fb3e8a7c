//! An artist's `Params`: the offset of each member, and the layout of a script's numbers in it.

use naga::{Scalar, ScalarKind, TypeInner, VectorSize};
use serde::{Deserialize, Serialize};

/// One member of `Params`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::scene) struct ParamField {
    pub name: String,
    offset: usize,
    /// Numbers in one element: 1 to 4.
    width: usize,
    /// Elements, and bytes from one to the next.
    count: usize,
    stride: usize,
    kind: NumberType,
}

/// How a number of `Params` is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum NumberType {
    F32,
    I32,
    U32,
}

/// What a script has to know of a shader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShaderParams {
    /// The shader's file within the installation.
    pub name: String,
    /// Bytes of its `Params`; 0 if it has none.
    pub size: usize,
    /// The members of its `Params`, in order.
    pub(in crate::scene) slots: Vec<ParamField>,
}
impl ParamField {
    /// How many numbers it takes.
    pub fn number_count(&self) -> usize {
        self.width * self.count
    }

    /// True if both take the same numbers from the same offset, whatever their names: in a rewritten source a name that ends in a
    /// digit gets a suffix.
    pub(super) fn same_layout(&self, other: &Self) -> bool {
        Self { name: String::new(), ..self.clone() } == Self { name: String::new(), ..other.clone() }
    }

    /// Writes numbers into the bytes of `Params`; what is missing stays 0, what is too much is left out.
    pub fn write_numbers(&self, params: &mut [u8], numbers: &[f32]) {
        for (i, number) in numbers.iter().take(self.number_count()).enumerate() {
            let at = self.offset + i / self.width * self.stride + i % self.width * 4;
            let bytes = match self.kind {
                NumberType::I32 => (*number as i32).to_le_bytes(),
                NumberType::U32 => (*number as u32).to_le_bytes(),
                NumberType::F32 => number.to_le_bytes(),
            };
            if let Some(place) = params.get_mut(at..at + 4) {
                place.copy_from_slice(&bytes);
            }
        }
    }
}

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
