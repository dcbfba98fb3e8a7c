//! Parameters of a scene, adjusted in rehearsal and by an operator: `[dials.speed]`.

use super::error::{ConfigError, TomlSource};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Most parameters of one installation; more do not fit a panel.
const PARAMETERS_MAX: usize = 32;

/// An adjustable number.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// `dials.NAME` in the script.
    pub name: String,
    /// Default value, set by the artist.
    pub value: f64,
    /// Lowest and highest value.
    pub range: [f64; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawParameter {
    value: Spanned<f64>,
    from: Option<f64>,
    to: Option<f64>,
}

pub(super) fn read_parameters(
    source: &TomlSource,
    raw: BTreeMap<Spanned<String>, RawParameter>,
) -> Result<Vec<ParameterSpec>, ConfigError> {
    let mut all = vec![];
    for (name, RawParameter { value, from, to }) in raw {
        let (key, word) = (format!("dials.{}", name.get_ref()), name.get_ref());
        source.check_script_name(&name, &key, "[dials.speed]")?;
        if all.len() == PARAMETERS_MAX {
            let problem = format!("more than {PARAMETERS_MAX} dials");
            return Err(source.error(name.span(), &key, problem, "leave out those that nobody turns"));
        }
        let number = *value.get_ref();
        let range = [from.unwrap_or(0.0), to.unwrap_or(1.0)];
        if !range.iter().all(|end| end.is_finite()) || range[0] >= range[1] {
            let problem = format!("from {} to {} is no range", range[0], range[1]);
            return Err(source.error(
                name.span(),
                &key,
                problem,
                "let `from` be less than `to`; they are 0 and 1 if not said",
            ));
        }
        if !(range[0]..=range[1]).contains(&number) {
            let problem = format!("{number} is not within {} to {}", range[0], range[1]);
            return Err(source.error(value.span(), &format!("{key}.value"), problem, "change it, or `from` and `to`"));
        }
        all.push(ParameterSpec { name: word.clone(), value: number, range });
    }
    Ok(all)
}
