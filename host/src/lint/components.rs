//! Connected components of photos, by a union-find.

use std::sync::atomic::{AtomicU32, Ordering};

/// A lock-free union-find that all threads join photos in at once. The result does not depend on
/// the order of joining: a photo's root is the first photo of its component.
pub(super) struct Components(Vec<AtomicU32>);

impl Components {
    /// `count` photos, each a component of its own.
    pub(super) fn new(count: usize) -> Self {
        Components((0..count as u32).map(AtomicU32::new).collect())
    }

    fn parent(&self, photo: u32) -> u32 {
        self.0[photo as usize].load(Ordering::Relaxed)
    }

    fn root(&self, mut photo: u32) -> u32 {
        loop {
            let parent = self.parent(photo);
            if parent == photo {
                return photo;
            }
            // Path halving. A parent is always an earlier photo of the same component, so any
            // thread's update is correct.
            let above = self.parent(parent);
            self.0[photo as usize].fetch_min(above, Ordering::Relaxed);
            photo = above;
        }
    }

    /// Returns true if two photos are already known to be in one component.
    pub(super) fn joined(&self, one: u32, other: u32) -> bool {
        self.root(one) == self.root(other)
    }

    /// Joins the components of two photos.
    pub(super) fn join(&self, one: u32, other: u32) {
        loop {
            let (a, b) = (self.root(one), self.root(other));
            let (first, later) = (a.min(b), a.max(b));
            let place = &self.0[later as usize];
            let relaxed = Ordering::Relaxed;
            if a == b
                || place
                    .compare_exchange(later, first, relaxed, relaxed)
                    .is_ok()
            {
                return;
            }
        }
    }

    /// Components of two photos or more, each in rising order, sorted by their first photos.
    pub(super) fn of_several(&self) -> Vec<Vec<usize>> {
        let count = self.0.len() as u32;
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); self.0.len()];
        for photo in 0..count {
            members[self.root(photo) as usize].push(photo as usize);
        }
        members.retain(|photos| photos.len() > 1);
        members
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn joined_by_way_of_others_on_all_threads() {
        let components = Components::new(10_000);
        (0..9_997u32)
            .into_par_iter()
            .filter(|photo| photo % 1000 < 997)
            .for_each(|photo| components.join(photo + 3, photo));
        let found = components.of_several();
        assert_eq!(found.len(), 30);
        assert_eq!(found[4][..3], [1001, 1004, 1007]);
        assert!(found.iter().all(|photos| photos.is_sorted()));
        assert!(components.joined(1, 997) && !components.joined(1, 2));
    }
}
