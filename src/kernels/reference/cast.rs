//! CAST between element types.
//!
//! Source: `cast.cc`: to integers floats are truncated and held within the type, NaN becoming its largest value;
//! integers keep their low bits.

use half::f16;

/// A type that every other is cast to.
pub trait Cast<O> {
    /// The value as the other type.
    fn cast(self) -> O;
}

macro_rules! as_cast {
    ($($from:ty => [$($to:ty),*]);* $(;)?) => { $($(
        impl Cast<$to> for $from {
            #[inline]
            fn cast(self) -> $to { self as $to }
        }
    )*)* };
}
as_cast! {
    f32 => [f32, f64];
    f64 => [f32, f64];
    i8 => [f32, f64, i8, u8, i16, u16, i32, u32, i64, u64];
    u8 => [f32, f64, i8, u8, i16, u16, i32, u32, i64, u64];
    i16 => [f32, f64, i8, u8, i16, u16, i32, u32, i64, u64];
    u16 => [f32, f64, i8, u8, i16, u16, i32, u32, i64, u64];
    i32 => [f32, f64, i8, u8, i16, u16, i32, u32, i64, u64];
    u32 => [f32, f64, i8, u8, i16, u16, i32, u32, i64, u64];
    i64 => [f32, f64, i8, u8, i16, u16, i32, u32, i64, u64];
    u64 => [f32, f64, i8, u8, i16, u16, i32, u32, i64, u64];
}

macro_rules! truncate {
    ($($t:ty),*) => { $(
        impl Cast<$t> for f32 {
            #[inline]
            fn cast(self) -> $t { if self.is_nan() { <$t>::MAX } else { self as $t } }
        }
        impl Cast<$t> for f64 {
            #[inline]
            fn cast(self) -> $t { if self.is_nan() { <$t>::MAX } else { self as $t } }
        }
        impl Cast<$t> for f16 {
            #[inline]
            fn cast(self) -> $t { self.to_f32().cast() }
        }
    )* };
}
truncate!(i8, u8, i16, u16, i32, u32, i64, u64);

macro_rules! half_cast {
    ($($t:ty),*) => { $(
        impl Cast<f16> for $t {
            #[inline]
            fn cast(self) -> f16 { f16::from_f32(self as f32) }
        }
    )* };
}
half_cast!(f32, f64, i8, u8, i16, u16, i32, u32, i64, u64);

impl Cast<f32> for f16 {
    #[inline]
    fn cast(self) -> f32 {
        self.to_f32()
    }
}

impl Cast<f64> for f16 {
    #[inline]
    fn cast(self) -> f64 {
        self.to_f64()
    }
}

impl Cast<f16> for f16 {
    #[inline]
    fn cast(self) -> f16 {
        self
    }
}

/// A type that can be cast to every element type that tensors of numbers have.
pub trait EveryCast:
    Cast<f32>
    + Cast<f16>
    + Cast<f64>
    + Cast<i8>
    + Cast<u8>
    + Cast<i16>
    + Cast<u16>
    + Cast<i32>
    + Cast<u32>
    + Cast<i64>
{
}

impl<T> EveryCast for T where
    T: Cast<f32>
        + Cast<f16>
        + Cast<f64>
        + Cast<i8>
        + Cast<u8>
        + Cast<i16>
        + Cast<u16>
        + Cast<i32>
        + Cast<u32>
        + Cast<i64>
{
}
