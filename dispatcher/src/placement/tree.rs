//! A tree of minima: the smallest of many keys, each of which may change.
//!
//! The lowest layer is the keys; a number of each further layer is the smallest of eight
//! below it, which lie in one line of the cache. A change is carried up until a minimum
//! is unchanged: one layer for most leaves, O(log n) for the best.

/// A key that never wins against another.
pub(super) const NEVER: u64 = u64::MAX;

/// Numbers of a layer that share one of the next layer.
const FAN: usize = 8;

/// The tree; the smallest of its keys wins.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// Layers from the keys up to one group; each in whole groups.
    layers: Vec<Vec<[u64; FAN]>>,
}

impl Tree {
    /// Makes room for this many leaves; new ones never win.
    pub(super) fn grow(&mut self, count: usize) {
        let mut groups = count.div_ceil(FAN);
        if groups <= self.layers.first().map_or(0, Vec::len) {
            return;
        }
        // Twice as many, so that not each new node rebuilds the tree.
        groups = groups.next_power_of_two();
        let mut keys = self.layers.drain(..).next().unwrap_or_default();
        keys.resize(groups, [NEVER; FAN]);
        self.layers.push(keys);
        while let Some(below) = self.layers.last().filter(|below| below.len() > 1) {
            let mut layer = vec![[NEVER; FAN]; below.len().div_ceil(FAN)];
            for (at, group) in below.iter().enumerate() {
                layer[at / FAN][at % FAN] = smallest(group);
            }
            self.layers.push(layer);
        }
    }

    /// Changes a key.
    pub(super) fn set(&mut self, leaf: usize, key: u64) {
        let (mut at, mut key) = (leaf, key);
        for layer in &mut self.layers {
            let group = &mut layer[at / FAN];
            if std::mem::replace(&mut group[at % FAN], key) == key {
                return;
            }
            key = smallest(group);
            at /= FAN;
        }
    }

    pub(super) fn key(&self, leaf: usize) -> u64 {
        self.layers[0][leaf / FAN][leaf % FAN]
    }

    /// Returns the leaf with the smallest key, unless that is [`NEVER`].
    pub(super) fn winner(&self) -> Option<usize> {
        let least = smallest(self.layers.last()?.first()?);
        let down = self.layers.iter().rev();
        let leaf = down.fold(0, |at, layer| at * FAN + place(&layer[at], least));
        (least != NEVER).then_some(leaf)
    }
}

/// Returns the first place of the number, without a branch to mispredict.
fn place(group: &[u64; FAN], number: u64) -> usize {
    let mut places = 0_u32;
    for (at, other) in group.iter().enumerate() {
        places |= u32::from(*other == number) << at;
    }
    places.trailing_zeros() as usize
}

fn smallest(group: &[u64; FAN]) -> u64 {
    group.iter().copied().fold(NEVER, u64::min)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_winner_is_the_smallest_key(
            sets in proptest::collection::vec((0usize..37, 0u64..9), 1..200),
        ) {
            let mut tree = Tree::default();
            let mut keys = vec![NEVER; 37];
            for (step, (leaf, key)) in sets.into_iter().enumerate() {
                tree.grow(if step < 50 { 20 } else { 37 }.max(leaf + 1));
                let key = if key == 8 { NEVER } else { key };
                tree.set(leaf, key);
                keys[leaf] = key;
                let smallest = keys.iter().copied().min().filter(|key| *key != NEVER);
                prop_assert_eq!(tree.winner().map(|leaf| keys[leaf]), smallest);
            }
        }
    }
}
