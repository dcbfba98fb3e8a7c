//! Cache of style keys and colours by the engine's atoms: parsing each string would take longer than drawing the item.

use super::keys::{KEYS, StyleKey};
use crate::protocol::colour::Colour;
use rquickjs::{Atom, Ctx, Error, Result, String as Text, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};

/// Maximum number of cached colours.
const COLOURS_MAX: usize = 1_000;

/// Red, green, blue and alpha by the atom of the colour's text.
type ColourCache<'js> = RefCell<HashMap<Atom<'js>, u32>>;

/// Atoms of one script, owned by its engine and dropped with it.
///
/// A native function that owned them would keep the engine alive that owns the function.
#[derive(Clone)]
pub(super) struct AtomCache<'js> {
    keys: Weak<Vec<Atom<'js>>>,
    colours: Weak<ColourCache<'js>>,
}

impl<'js> AtomCache<'js> {
    pub fn new(ctx: &Ctx<'js>) -> Result<Self> {
        let keys = KEYS.into_iter().map(|(key, _)| Atom::from_str(ctx.clone(), key)).collect::<Result<_>>()?;
        let (keys, colours) = (Rc::<Vec<Atom>>::new(keys), Rc::<ColourCache>::default());
        let words = Self { keys: Rc::downgrade(&keys), colours: Rc::downgrade(&colours) };
        let kept = ctx.store_userdata(keys).is_ok() && ctx.store_userdata(colours).is_ok();
        if kept { Ok(words) } else { Err(Error::Unknown) }
    }

    /// Returns the style key of an atom.
    pub fn key(&self, key: &Atom<'js>) -> Option<StyleKey> {
        let index = self.keys.upgrade()?.iter().position(|known| known == key)?;
        Some(KEYS[index].1)
    }

    /// Returns the colour of a text; `parse` reads it on first use.
    pub fn colour(&self, text: &Text<'js>, parse: impl FnOnce(&str) -> Result<Colour>) -> Result<Colour> {
        let Some(colours) = self.colours.upgrade() else { return parse(&text.to_string()?) };
        let value: &Value = text;
        let word = Atom::from_value(value.ctx().clone(), value)?;
        if let Some(colour) = colours.borrow().get(&word) {
            return Ok(Colour(colour.to_ne_bytes()));
        }
        let colour = parse(&text.to_string()?)?;
        let mut colours = colours.borrow_mut();
        if colours.len() < COLOURS_MAX {
            colours.insert(word, u32::from_ne_bytes(colour.0));
        }
        Ok(colour)
    }
}
