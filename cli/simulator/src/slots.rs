//! List that reuses its free places.

/// Items, each at an index that it keeps until it is taken.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    items: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// Stores the item and returns its index.
    pub(crate) fn put(&mut self, item: T) -> usize {
        if let Some(place) = self.free.pop() {
            self.items[place] = Some(item);
            return place;
        }
        self.items.push(Some(item));
        self.items.len() - 1
    }

    pub(crate) fn take(&mut self, place: usize) -> T {
        self.free.push(place);
        self.items[place].take().expect("an item is taken once")
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    /// Returns the items with their indexes, in the order of these.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let items = self.items.iter().enumerate();
        items.filter_map(|(place, item)| Some((place, item.as_ref()?)))
    }
}
