//! Kernel variants for this kind of processor.

use alloc::boxed::Box;

use super::super::Kernels;
use super::super::scalar::Scalar;
#[cfg(any(
    target_arch = "aarch64",
    target_arch = "x86_64",
    all(target_arch = "wasm32", target_feature = "simd128")
))]
use super::Simd;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::Simd128;
#[cfg(target_arch = "x86_64")]
use super::{Avx2, Avx512Vnni, AvxVnni};
#[cfg(target_arch = "aarch64")]
use super::{Neon, NeonDotprod};

/// Kernels of any variant.
pub type AnyKernels = Box<dyn Kernels + Send + Sync>;

/// Kernel variant. Variants differ only in speed.
pub struct Variant {
    /// Name of the variant.
    pub name: &'static str,
    /// Creates its kernels; `None` if this processor cannot run them.
    pub kernels: fn() -> Option<AnyKernels>,
}

/// Kernel variants for this kind of processor, fastest first. A static, since a constant would compile the kernels
/// anew in each crate that names it.
pub static VARIANTS: &[Variant] = &[
    #[cfg(target_arch = "x86_64")]
    Variant {
        name: "avx512-vnni",
        kernels: || Some(Box::new(Simd::<Avx512Vnni>::new()?)),
    },
    #[cfg(target_arch = "x86_64")]
    Variant {
        name: "avx-vnni",
        kernels: || Some(Box::new(Simd::<AvxVnni>::new()?)),
    },
    #[cfg(target_arch = "x86_64")]
    Variant {
        name: "avx2",
        kernels: || Some(Box::new(Simd::<Avx2>::new()?)),
    },
    #[cfg(target_arch = "aarch64")]
    Variant {
        name: "neon-dotprod",
        kernels: || Some(Box::new(Simd::<NeonDotprod>::new()?)),
    },
    #[cfg(target_arch = "aarch64")]
    Variant {
        name: "neon",
        kernels: || Some(Box::new(Simd::<Neon>::new()?)),
    },
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Variant {
        name: "simd128",
        kernels: || Some(Box::new(Simd::<Simd128>::new()?)),
    },
    Variant {
        name: "scalar",
        kernels: || Some(Box::new(Scalar)),
    },
];
