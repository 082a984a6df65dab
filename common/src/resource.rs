//! The resources of a host, and a value for each of them.
//!
//! ```
//! use rolecast_common::resource::{ByResource, Resource};
//!
//! let used = ByResource::new([1.5, 2e9, 0.0, 1e6]);
//! assert_eq!(used[Resource::Disk], 1e6);
//! ```

use std::array;
use std::ops::{Index, IndexMut};
use std::slice;

use crate::unit::{Bytes, BytesPerSecond, Cores, Resources};

/// A resource that jobs and others share on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// In cores.
    Cpu,
    /// In bytes.
    Memory,
    /// In bytes a second, received and sent together.
    Network,
    /// In bytes a second, read and written together.
    Disk,
}

impl Resource {
    /// Number of resources.
    pub const COUNT: usize = 4;
    /// All resources, in the order of the values of [`ByResource`].
    pub const ALL: [Self; Self::COUNT] = [Self::Cpu, Self::Memory, Self::Network, Self::Disk];
}

/// A value for each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ByResource<T>([T; Resource::COUNT]);

impl<T> ByResource<T> {
    /// Takes the values of CPU, memory, network and disk.
    pub const fn new(values: [T; Resource::COUNT]) -> Self {
        Self(values)
    }

    pub fn from_fn(value: impl FnMut(Resource) -> T) -> Self {
        Self(Resource::ALL.map(value))
    }

    /// Returns the values of CPU, memory, network and disk.
    pub fn into_array(self) -> [T; Resource::COUNT] {
        self.0
    }

    pub fn map<U>(self, change: impl FnMut(T) -> U) -> ByResource<U> {
        ByResource(self.0.map(change))
    }

    pub fn iter(&self) -> slice::Iter<'_, T> {
        self.0.iter()
    }

    pub fn iter_mut(&mut self) -> slice::IterMut<'_, T> {
        self.0.iter_mut()
    }
}

impl<T: Copy> ByResource<T> {
    /// Returns the same value for each resource.
    pub const fn all(value: T) -> Self {
        Self([value; Resource::COUNT])
    }
}

impl<T> Index<Resource> for ByResource<T> {
    type Output = T;

    fn index(&self, resource: Resource) -> &T {
        &self.0[resource as usize]
    }
}

impl<T> IndexMut<Resource> for ByResource<T> {
    fn index_mut(&mut self, resource: Resource) -> &mut T {
        &mut self.0[resource as usize]
    }
}

impl<T> IntoIterator for ByResource<T> {
    type Item = T;
    type IntoIter = array::IntoIter<T, { Resource::COUNT }>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a ByResource<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "no host has 2^53 bytes of memory"
)]
impl From<Resources> for ByResource<f64> {
    fn from(resources: Resources) -> Self {
        Self([
            resources.cpu.get(),
            resources.memory.get() as f64,
            resources.network.get(),
            resources.disk.get(),
        ])
    }
}

/// Clamps each value to what its unit holds; NaN counts as zero.
impl From<ByResource<f64>> for Resources {
    fn from(values: ByResource<f64>) -> Self {
        let [cpu, memory, network, disk] = values.0;
        Self {
            cpu: Cores::clamped(cpu),
            memory: Bytes::clamped(memory),
            network: BytesPerSecond::clamped(network),
            disk: BytesPerSecond::clamped(disk),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_resource() {
        let mut values = ByResource::from_fn(|resource| resource as usize);
        assert_eq!(values, ByResource::new([0, 1, 2, 3]));
        values[Resource::Network] = 7;
        assert_eq!(values.into_array(), [0, 1, 7, 3]);
    }

    #[test]
    fn amounts_keep_their_values_and_absurd_ones_are_clamped() {
        let values = ByResource::new([1.5, 4096.0, 1e6, 0.0]);
        assert_eq!(ByResource::from(Resources::from(values)), values);
        let absurd = ByResource::new([f64::NAN, -1.0, f64::NEG_INFINITY, -0.5]);
        assert_eq!(Resources::from(absurd), Resources::default());
    }
}
