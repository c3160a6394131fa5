//! Which instruction set the kernels use: what the machine has, and what `ZEROPOINT_ISA` asks for.

use super::simd;
use crate::error::Result;

/// Name of the environment variable that forces an instruction set.
pub const ISA_VARIABLE: &str = "ZEROPOINT_ISA";

/// An instruction set that kernels are written for, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust that the compiler vectorises for the target's baseline; every machine has it.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512 F, BW, VL, DQ and VNNI.
    Avx512,
}

impl Isa {
    /// Every variant, weakest first, whether this machine has it or not.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// The word that [`ISA_VARIABLE`] takes for it.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    /// Those this machine can run, weakest first; [`Isa::Portable`] is always among them.
    pub fn available() -> Vec<Isa> {
        Self::ALL.into_iter().filter(|i| i.is_available()).collect()
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            Isa::Avx2 => has_avx2(),
            Isa::Avx512 => has_avx512(),
        }
    }

    /// The strongest this machine can run, unless [`ISA_VARIABLE`] forces another.
    ///
    /// # Errors
    /// `Invalid` if the variable names no instruction set, or one that this machine lacks.
    pub fn best() -> Result<Isa> {
        match std::env::var(ISA_VARIABLE) {
            Ok(name) => Self::named(&name),
            Err(std::env::VarError::NotPresent) => Ok(Self::strongest()),
            Err(std::env::VarError::NotUnicode(_)) => crate::invalid!(
                "{ISA_VARIABLE} is not text; set it to portable, avx2 or avx512, or unset it"
            ),
        }
    }

    /// The instruction set of that name (see [`Isa::name`]); an empty name means the strongest.
    ///
    /// # Errors
    /// `Invalid` if the name is unknown or this machine lacks it.
    pub fn named(name: &str) -> Result<Isa> {
        if name.is_empty() {
            return Ok(Self::strongest());
        }
        let Some(isa) = Self::ALL.into_iter().find(|i| i.name() == name) else {
            return crate::invalid!(
                "{ISA_VARIABLE} is \"{name}\", which is no instruction set; set it to portable, avx2 or avx512, or unset it"
            );
        };
        if !isa.is_available() {
            let have: Vec<_> = Self::available().into_iter().map(Isa::name).collect();
            return crate::invalid!(
                "{ISA_VARIABLE} asks for {name}, which this machine lacks; it has {}",
                have.join(", ")
            );
        }
        Ok(isa)
    }

    /// [`Isa::best`], and plain Rust where that fails.
    pub(crate) fn chosen() -> Isa {
        Self::best().unwrap_or(Isa::Portable)
    }

    fn strongest() -> Isa {
        Self::ALL
            .into_iter()
            .rev()
            .find(|i| i.is_available())
            .unwrap_or(Isa::Portable)
    }

    /// Proof that the machine runs this, or [`Isa::Portable`] where it does not.
    pub(crate) fn proven(self) -> Proven {
        Proven(if self.is_available() {
            self
        } else {
            Isa::Portable
        })
    }
}

/// Runs code that the compiler vectorised for `isa`: what is not part of a prepared operator.
pub(crate) fn vectorized(isa: Isa, code: impl simd::Vectorized) {
    simd::vectorized(isa.proven(), code);
}

/// An instruction set that was found on this machine; the functions of `simd` ask for it, which makes calling them sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proven(Isa);

impl Proven {
    pub(crate) fn isa(self) -> Isa {
        self.0
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vnni")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(Isa::named("portable"), Ok(Isa::Portable));
        assert_eq!(Isa::named(""), Ok(Isa::strongest()));
        let unknown = Isa::named("sse9").unwrap_err().to_string();
        assert!(unknown.contains("sse9") && unknown.contains("avx512"));
        for isa in Isa::ALL {
            match Isa::named(isa.name()) {
                Ok(found) => assert!(found == isa && isa.is_available()),
                Err(e) => assert!(!isa.is_available() && e.to_string().contains(isa.name())),
            }
        }
    }
}
