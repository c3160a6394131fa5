//! Where a report comes from: content hashes, the machine, the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::kernels::Isa;
use crate::workbench::Fingerprint;

/// Where figures were measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Such as `AMD EPYC 9V74`; the architecture where the system does not say.
    pub processor: String,
    /// Cores that the program may use.
    pub cores: usize,
    /// Such as `linux x86_64`.
    pub system: String,
    /// Instruction set of the kernels.
    pub kernels: String,
    /// Version of Zeropoint.
    pub version: String,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let described = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = described.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "model name").then(|| value.trim().to_owned())
        });
        Self {
            processor: processor.unwrap_or_else(|| arch.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{os} {arch}"),
            kernels: Isa::best().map_or("unknown", Isa::name).to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// SHA-256 of some bytes, hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Fingerprint::of_bytes(bytes).sha256
}

/// A time as `2026-11-23 17:05 UTC`; before 1970 counts as 1970.
pub fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let minutes = since.as_secs() / 60;
    let (mut days, minutes) = (minutes / 1440, minutes % 1440);
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    // 400 years have 146,097 days, wherever they begin.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute) = (minutes / 60, minutes % 60);
    format!(
        "{year}-{month:02}-{:02} {hour:02}:{minute:02} UTC",
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), abc);
    }

    #[test]
    fn times_follow_the_calendar() {
        let at = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00 UTC");
        assert_eq!(at(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(at(4_107_542_400), "2100-03-01 00:00 UTC");
        assert_eq!(at(1_795_453_500), "2026-11-23 17:05 UTC");
    }
}
