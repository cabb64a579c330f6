//! Addresses in two instructions: the upper part by one relocation, the rest by others.
//!
//! The first says where nameless bytes begin, but only the second how many are read. Both must mean the same
//! bytes, or one constant would be two.

use super::super::places::{Place, Use};
use super::Machine;

/// Gives every reference to the upper part of an address the width at which the rest of it is accessed, where
/// all accesses of the function to that place have one width.
pub fn settle(machine: &dyn Machine, uses: &mut [Use]) {
    let uppers: Vec<usize> = (0..uses.len())
        .filter(|at| uses.get(*at).is_some_and(|u| machine.is_upper(u.kind) && nameless(&u.place)))
        .collect();
    for upper in uppers {
        let Some(place) = uses.get(upper).map(|u| u.place) else { continue };
        let mut lower = uses.iter().filter(|u| u.place == place && !machine.is_upper(u.kind)).map(|u| u.access);
        let width = lower.next().filter(|first| lower.all(|other| other == *first)).unwrap_or(0);
        if let Some(one) = uses.get_mut(upper) {
            one.access = width;
        }
    }
}

fn nameless(place: &Place) -> bool {
    matches!(place, Place::Private(..))
}
