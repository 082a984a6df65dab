//! The smallest of many keys, each of which may change: a tournament tree.
//!
//! Leaves are keys; every inner node names the leaf that wins below it. A
//! change replays the matches on one path to the root, until one that the leaf
//! neither wins nor has won: a few for most leaves, O(log n) for the best.

/// A key that never wins against another.
pub(super) const NEVER: u64 = u64::MAX;

/// A tournament of keys; the smallest wins.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// A power of two, at least the number of leaves.
    width: usize,
    keys: Vec<u64>,
    /// The winner below each inner node; the root is at 1.
    winners: Vec<u32>,
}

impl Tree {
    /// Makes room for so many leaves; new ones never win.
    pub(super) fn grow(&mut self, count: usize) {
        if count <= self.width {
            return;
        }
        self.width = count.next_power_of_two();
        self.keys.resize(self.width, NEVER);
        self.winners = vec![0; self.width];
        for node in (1..self.width).rev() {
            self.winners[node] = self.play(node);
        }
    }

    /// Changes a key.
    pub(super) fn set(&mut self, leaf: usize, key: u64) {
        if self.keys[leaf] == key {
            return;
        }
        self.keys[leaf] = key;
        let mut node = (leaf + self.width) / 2;
        while node >= 1 {
            let winner = self.play(node);
            let former = std::mem::replace(&mut self.winners[node], winner);
            if former == winner && winner as usize != leaf {
                break;
            }
            node /= 2;
        }
    }

    pub(super) fn key(&self, leaf: usize) -> u64 {
        self.keys[leaf]
    }

    /// Returns the leaf with the smallest key, unless that is [`NEVER`].
    pub(super) fn winner(&self) -> Option<usize> {
        let leaf = match self.width {
            0 => return None,
            1 => 0,
            _ => self.winners[1] as usize,
        };
        (self.keys[leaf] != NEVER).then_some(leaf)
    }

    /// Returns the better of the two leaves that won below the children.
    fn play(&self, node: usize) -> u32 {
        let (left, right) = (self.best(2 * node), self.best(2 * node + 1));
        if self.keys[right as usize] < self.keys[left as usize] {
            right
        } else {
            left
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "there are fewer leaves than 2^32"
    )]
    fn best(&self, child: usize) -> u32 {
        if child >= self.width {
            (child - self.width) as u32
        } else {
            self.winners[child]
        }
    }
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
