//! Bounds on what a network of MobileNet's kind may take: files say their extents themselves.

use super::network::Common;

/// Maximum number of products (MACs) per picture. MobileNet 1.0 at 1,024 pixels takes 12,000 million.
pub const MOST_PRODUCTS: u64 = 50_000_000_000;
/// Maximum number of elements in all maps together. MobileNet 1.0 at 1,024 pixels has 105 million.
pub const MOST_NUMBERS: u64 = 1 << 29;

/// A network that takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// Too many products.
    #[error(
        "a picture takes it {0} million products, about {minutes} minutes at 1,000 million a second; posy takes \
         networks of up to {most} million, MobileNet 1.0 at 224 pixels has 568: give a smaller one",
        minutes = .0 / 60_000 + 1,
        most = MOST_PRODUCTS / 1_000_000
    )]
    Products(u64),
    /// Too large maps.
    #[error(
        "its maps have {0} million numbers together; posy takes networks of up to {most} million: give one that \
         reads a smaller picture",
        most = MOST_NUMBERS / 1_000_000
    )]
    Numbers(u64),
}

/// Refuses layers that take more products or memory than a picture is worth.
///
/// # Errors
/// [`CostError`].
pub fn check_cost(layers: &[&Common]) -> Result<(), CostError> {
    let sum = |of: fn(&Common) -> u64| {
        let each = layers.iter().map(|layer| of(layer));
        each.fold(0_u64, u64::saturating_add)
    };
    let products = sum(Common::products);
    let numbers = sum(|layer| layer.input.len() as u64 + layer.output.len() as u64);
    if products > MOST_PRODUCTS {
        Err(CostError::Products(products / 1_000_000))
    } else if numbers > MOST_NUMBERS {
        Err(CostError::Numbers(numbers / 1_000_000))
    } else {
        Ok(())
    }
}
