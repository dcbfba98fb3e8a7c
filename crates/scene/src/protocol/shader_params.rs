//! Layout of a shader's `Params`: converts a script's numbers to bytes.

use serde::{Deserialize, Serialize};

/// One member of `Params`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParamField {
    pub name: String,
    pub offset: usize,
    /// Numbers in one element: 1 to 4.
    pub width: usize,
    /// Elements, and bytes from one to the next.
    pub count: usize,
    pub stride: usize,
    pub kind: NumberType,
}

/// Type of a number in `Params`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum NumberType {
    F32,
    I32,
    U32,
}

/// Parameters of a shader, as a script sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShaderParams {
    /// File name of the shader within the installation.
    pub name: String,
    /// Bytes of its `Params`; 0 if it has none.
    pub size: usize,
    /// The members of its `Params`, in order.
    pub(crate) slots: Vec<ParamField>,
}

impl ParamField {
    /// Returns the count of numbers in this member.
    pub fn number_count(&self) -> usize {
        self.width * self.count
    }

    /// Returns true if both take the same numbers from the same offset, whatever their names: in a rewritten source, a
    /// name that ends in a digit gets a suffix.
    pub fn same_layout(&self, other: &Self) -> bool {
        Self { name: String::new(), ..self.clone() } == Self { name: String::new(), ..other.clone() }
    }

    /// Writes numbers into the bytes of `Params`. Missing numbers stay 0, excess numbers are dropped.
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
