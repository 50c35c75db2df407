//! Integer and float features from one decoding.
//!
//! Where both kinds are needed for the same photos, [`Pair::integer`] decodes and preprocesses each
//! photo once, runs both networks, and keeps the float features. [`Pair::float`] runs second and
//! hands them out; it computes missing ones, for example after a killed run. Each kind is cached
//! separately.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use super::cache::{ContentHash, ExtractorKey};
use super::extract::Extractor;
use super::extractors::{FloatExtractor, IntExtractor};

type Computed = Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;

/// Two extractors with equal preprocessing.
pub struct Pair<'a, 'm> {
    int: &'a IntExtractor<'m>,
    real: &'a FloatExtractor<'m>,
    /// Float features that have not been requested yet.
    made: Mutex<HashMap<ContentHash, Vec<u8>>>,
}

impl<'a, 'm> Pair<'a, 'm> {
    /// A pair of extractors, which must come from the same model.
    pub fn new(int: &'a IntExtractor<'m>, real: &'a FloatExtractor<'m>) -> Self {
        let made = Mutex::default();
        Pair { int, real, made }
    }

    /// The integer extractor, which runs first.
    pub fn integer(&self) -> impl Extractor + use<'_, 'a, 'm> {
        Integer(self)
    }

    /// The float extractor, which runs second.
    pub fn float(&self) -> impl Extractor + use<'_, 'a, 'm> {
        Float(self)
    }

    fn made(&self) -> std::sync::MutexGuard<'_, HashMap<ContentHash, Vec<u8>>> {
        // A thread that panicked left only whole entries.
        let made = self.made.lock();
        made.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

struct Integer<'p, 'a, 'm>(&'p Pair<'a, 'm>);

impl Extractor for Integer<'_, '_, '_> {
    fn key(&self) -> ExtractorKey {
        self.0.int.key()
    }

    fn kind(&self) -> &'static str {
        self.0.int.kind()
    }

    fn value_len(&self) -> usize {
        self.0.int.value_len()
    }

    fn compute(&self, photo: &[u8]) -> Computed {
        let input = self.0.int.input(photo)?;
        // An error of the float network is reported when its features are requested.
        if let Ok(values) = self.0.real.of_input(&input) {
            let content = Sha256::digest(photo).into();
            self.0.made().insert(content, values);
        }
        self.0.int.of_input(&input)
    }
}

struct Float<'p, 'a, 'm>(&'p Pair<'a, 'm>);

impl Extractor for Float<'_, '_, '_> {
    fn key(&self) -> ExtractorKey {
        self.0.real.key()
    }

    fn kind(&self) -> &'static str {
        self.0.real.kind()
    }

    fn value_len(&self) -> usize {
        self.0.real.value_len()
    }

    fn compute(&self, photo: &[u8]) -> Computed {
        let content: ContentHash = Sha256::digest(photo).into();
        // The entry stays: the same photo may come under two names.
        let made = self.0.made().get(&content).cloned();
        made.map_or_else(|| self.0.real.compute(photo), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::testing::{data, smallest};
    use posy_nn::runtime::float::FloatRunner;

    #[test]
    fn each_kind_is_what_its_own_extractor_makes() {
        let test = "each_kind_is_what_its_own_extractor_makes";
        let photo = "flower_photos/daisy/21652746_cc379e0eea_m.jpg";
        let (Some((backbone, bytes)), Some(photo)) = (smallest(test), data(test, photo)) else {
            return;
        };
        let photo = std::fs::read(photo).unwrap();
        let int = IntExtractor::new(&bytes).unwrap();
        let runner = FloatRunner::new(&backbone.float).unwrap();
        let real = FloatExtractor::new(&bytes, runner, &backbone.sha256).unwrap();
        let pair = Pair::new(&int, &real);
        let alone = real.compute(&photo).unwrap();
        // Before the integer features, and after.
        assert_eq!(pair.float().compute(&photo).unwrap(), alone);
        let both = pair.integer().compute(&photo).unwrap();
        assert_eq!(both, int.compute(&photo).unwrap());
        assert_eq!(pair.made().len(), 1);
        assert_eq!(pair.float().compute(&photo).unwrap(), alone);
        assert_eq!(pair.integer().key(), int.key());
        assert_eq!(pair.float().key(), real.key());
        assert!(pair.integer().compute(b"no photo").is_err());
    }
}
