//! Which vectors code is compiled for, and fused arithmetic where there is some.
#![expect(clippy::inline_always, reason = "only inlined code is compiled for the caller's processor")]

use wide::f32x4;

/// What every processor has.
pub(super) const PORTABLE: u8 = 0;
/// Fused arithmetic: AVX2 and FMA, or 64-bit ARM.
pub(super) const FUSED: u8 = 1;
/// AVX-512 as well.
#[cfg(target_arch = "x86_64")]
pub(super) const WIDE: u8 = 2;

/// What code for every processor of this architecture may use.
pub(super) const LEAST: u8 = if cfg!(target_arch = "aarch64") { FUSED } else { PORTABLE };

/// `a · b + c`, in one rounding where there is fused arithmetic.
#[inline(always)]
pub(super) fn fused<const KIND: u8>(a: f32, b: f32, c: f32) -> f32 {
    if KIND == PORTABLE { a * b + c } else { a.mul_add(b, c) }
}

/// [`fused`] for four numbers.
#[inline(always)]
pub(super) fn fused_4<const KIND: u8>(a: f32x4, b: f32x4, c: f32x4) -> f32x4 {
    if KIND == PORTABLE {
        return a * b + c;
    }
    let (a, b, c) = (a.to_array(), b.to_array(), c.to_array());
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_fmadd_ps, _mm_loadu_ps, _mm_storeu_ps};
        let mut sum = [0.0; 4];
        #[expect(unsafe_code, reason = "the compiler does not always find the vector in four numbers")]
        // SAFETY: loads and stores exactly the four numbers of each array; this kind is compiled for, and only
        // called on, processors with fused arithmetic.
        unsafe {
            let [a, b, c] = [a, b, c].map(|four| _mm_loadu_ps(four.as_ptr()));
            _mm_storeu_ps(sum.as_mut_ptr(), _mm_fmadd_ps(a, b, c));
        }
        f32x4::new(sum)
    }
    #[cfg(not(target_arch = "x86_64"))]
    f32x4::new(std::array::from_fn(|at| a[at].mul_add(b[at], c[at])))
}
