//! Addresses in two instructions: the upper part by one relocation, the rest by others.
//!
//! The first says where nameless bytes begin, but only the second how many are read. Both must mean the same
//! bytes, or one constant would be two.

use super::super::places::{Place, Use};
use super::Machine;

/// Gives every reference to the upper part of an address the width at which the rest of it is accessed, where
/// all accesses of the function to that place have one width. `number` tells which instruction of this function
/// a place is.
pub fn settle(machine: &dyn Machine, uses: &mut [Use], number: impl Fn(&Place) -> Option<u32>) {
    let uppers: Vec<usize> = (0..uses.len())
        .filter(|at| uses.get(*at).is_some_and(|u| machine.is_upper(u.kind) && nameless(&u.place)))
        .collect();
    for upper in uppers {
        let Some(Use { place, at, .. }) = uses.get(upper).copied() else { continue };
        let is_rest = |u: &&Use| {
            let named = machine.names_upper(u.kind) && number(&u.place) == Some(at);
            named || (u.place == place && !machine.is_upper(u.kind))
        };
        let mut lower = uses.iter().filter(is_rest).map(|u| u.access);
        let width = lower.next().filter(|first| lower.all(|other| other == *first)).unwrap_or(0);
        if let Some(one) = uses.get_mut(upper) {
            one.access = width;
        }
    }
}

fn nameless(place: &Place) -> bool {
    matches!(place, Place::Private(..))
}
