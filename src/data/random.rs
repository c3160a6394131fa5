//! The one generator of random numbers: the same words for the same seed, on every machine and in every version.

/// A well-mixed 64-bit word for each pair of seed and position (the finaliser of splitmix64).
pub fn word(seed: u64, position: u64) -> u64 {
    let mut x = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
