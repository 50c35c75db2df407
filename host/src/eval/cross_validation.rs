//! Out-of-fold logits and prototype similarities, by k-fold cross-validation.

use posy_nn::graph::head::Head;
use rayon::prelude::*;

use super::prototypes::Prototypes;
use crate::train::Features;

/// Number of folds.
pub const FOLDS: usize = 5;

/// Fewest labelled photos for choosing a threshold; 5% of fewer are less than two.
pub const LEAST_PHOTOS: usize = 40;

/// Weights of a head from which on the folds run one after another.
const ONE_BY_ONE: usize = 1 << 17;

/// Photos with features in both forms, in the order of the data set.
#[derive(Clone, Debug)]
pub struct Photos {
    /// Int8 features, one row per photo.
    pub rows: Vec<Vec<i8>>,
    /// The features dequantised, with labels.
    pub features: Features,
    /// Number of named labels. One more may stand for "none of these".
    pub known: usize,
    /// Number of all labels.
    pub labels: usize,
}

/// Out-of-fold predictions: neither head nor prototypes were fitted to the photo in question.
#[derive(Clone, Debug, PartialEq)]
pub struct OutOfFold {
    /// Logits `[N, K]`, K all labels.
    pub logits: Vec<f32>,
    /// Prototype similarities `[N]`; `None` without prototypes.
    pub familiarity: Option<Vec<i8>>,
    /// Labels `[N]`.
    pub labels: Vec<usize>,
}

/// The model of one fold.
#[derive(Clone, Debug)]
pub struct FoldModel {
    /// The head.
    pub head: Head,
}

/// Fold of each photo. Each label is divided in the given order, into contiguous runs: similar
/// photos taken one after another have consecutive names, and share a fold.
fn folds(labels: &[usize], count: usize) -> Vec<usize> {
    let mut photos = vec![0; count];
    for &label in labels {
        photos[label] += 1;
    }
    let mut seen = vec![0; count];
    let of = |&label: &usize| {
        seen[label] += 1;
        (seen[label] - 1) * FOLDS / photos[label]
    };
    labels.iter().map(of).collect()
}

/// Returns true if every label has a photo for each fold and there are enough in all.
pub fn enough(photos: &Photos) -> bool {
    let labels = photos.features.labels();
    let mut counts = vec![0; photos.labels];
    labels.iter().for_each(|&label| counts[label] += 1);
    let named: usize = counts.iter().take(photos.known).sum();
    named >= LEAST_PHOTOS && counts.iter().all(|&count| count >= FOLDS)
}

/// Predicts each fold by a head and prototypes fitted to the other folds; `fit` trains a fold's
/// model on the photos whose indices it receives. `tables` says whether prototypes are fitted.
///
/// # Errors
/// Returns an error of `fit`.
pub fn cross_validate<E: Send>(
    photos: &Photos,
    tables: bool,
    fit: &(dyn Fn(&[usize]) -> Result<FoldModel, E> + Sync),
) -> Result<OutOfFold, E> {
    let labels = photos.features.labels();
    let fold_of = folds(labels, photos.labels);
    let judge = |fold: usize| {
        let (own, others): (Vec<usize>, Vec<usize>) =
            (0..labels.len()).partition(|&photo| fold_of[photo] == fold);
        let judge = fit(&others)?;
        let (rows, features) = (&photos.rows, &photos.features);
        let tables = tables.then(|| {
            let seen: Vec<&[i8]> = others.iter().map(|&photo| &*rows[photo]).collect();
            let labels: Vec<usize> = others.iter().map(|&photo| labels[photo]).collect();
            Prototypes::fit(&seen, &labels, photos.known)
        });
        let tables = tables.flatten();
        let said = own.into_par_iter().with_min_len(16).map(|photo| {
            let logits = judge.head.logits(features.row(photo));
            let familiarity = tables
                .as_ref()
                .map(|tables| tables.familiarity_of(&rows[photo]));
            (photo, logits, familiarity)
        });
        Ok(said.collect::<Vec<_>>())
    };
    // With few labels, one head does not keep all threads busy; with many, five at once take too
    // much memory.
    let parts: Result<Vec<_>, E> = match photos.labels * photos.features.width() < ONE_BY_ONE {
        true => (0..FOLDS).into_par_iter().map(judge).collect(),
        false => (0..FOLDS).map(judge).collect(),
    };
    let mut said: Vec<_> = parts?.into_iter().flatten().collect();
    said.sort_by_key(|(photo, ..)| *photo);
    Ok(OutOfFold {
        familiarity: said
            .iter()
            .map(|(_, _, familiarity)| *familiarity)
            .collect(),
        logits: said.into_iter().flat_map(|(_, logits, _)| logits).collect(),
        labels: labels.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_photos_of_every_label() {
        let labels: Vec<usize> = (0..23).map(|index| usize::from(index % 3 == 0)).collect();
        let found = folds(&labels, 2);
        for fold in 0..FOLDS {
            for label in 0..2 {
                let both = |(&f, &l): (&usize, &usize)| f == fold && l == label;
                assert!(found.iter().zip(&labels).any(both));
            }
        }
        // Neighbours stay together.
        let changes = |label: usize| {
            let own = found.iter().zip(&labels).filter(|(_, l)| **l == label);
            let own: Vec<usize> = own.map(|(fold, _)| *fold).collect();
            assert!(own.is_sorted());
        };
        changes(0);
        changes(1);
    }

    /// A head that tells for each label how many training photos it had proves that no photo is
    /// predicted by a head that saw it.
    #[test]
    fn no_photo_is_judged_by_what_it_taught() {
        let rows: Vec<Vec<i8>> = (0..40).map(|index| vec![index, 1, 2]).collect();
        let labels: Vec<usize> = (0..40).map(|index| index % 2).collect();
        let flat = rows.iter().flatten().map(|&x| f32::from(x)).collect();
        let photos = Photos {
            rows: rows.clone(),
            features: Features::new(3, flat, labels.clone()).unwrap(),
            known: 2,
            labels: 2,
        };
        assert!(enough(&photos));
        // The weight of the first feature has a bit for each training photo; a photo tests its own
        // bit by its first feature.
        let fit = |others: &[usize]| -> Result<FoldModel, ()> {
            assert_eq!(others.len(), 32);
            let seen: f32 = others
                .iter()
                .map(|&photo| photos.features.row(photo)[0])
                .sum();
            Ok(FoldModel {
                head: Head {
                    weights: vec![0.0; 6],
                    bias: vec![seen, 0.0],
                },
            })
        };
        let held_out = cross_validate(&photos, true, &fit).unwrap();
        assert_eq!(held_out.labels, labels);
        let all: f32 = (0..40).map(|x| x as f32).sum();
        for fold in 0..FOLDS {
            let own: Vec<usize> = (8 * fold..8 * fold + 8).collect();
            let rest = all - own.iter().map(|&x| x as f32).sum::<f32>();
            for photo in own {
                assert_eq!(held_out.logits[2 * photo], rest, "{photo}");
            }
        }
        assert_eq!(held_out.familiarity.unwrap().len(), 40);
    }
}
