//! The words of the field and what each means, said once for tooltips and for Help.

/// A word that a newcomer may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each is named after what it explains
pub enum Word {
    Scale,
    ZeroPoint,
    Step,
    ScaleError,
    ZeroPointError,
    StepError,
    Sqnr,
    LocalCumulative,
    Clipped,
    Agreement,
    PerChannel,
    Calibration,
    Representative,
    P95,
    Interval,
    Pareto,
    Margin,
}

impl Word {
    /// All words, in the order of Help.
    pub const ALL: [Word; 17] = [
        Word::Scale,
        Word::ZeroPoint,
        Word::Step,
        Word::ScaleError,
        Word::ZeroPointError,
        Word::StepError,
        Word::Sqnr,
        Word::LocalCumulative,
        Word::Clipped,
        Word::Agreement,
        Word::PerChannel,
        Word::Calibration,
        Word::Representative,
        Word::P95,
        Word::Interval,
        Word::Pareto,
        Word::Margin,
    ];

    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Word::Scale => "Scale",
            Word::ZeroPoint => "Zero point",
            Word::Step => "Step",
            Word::ScaleError => "Scale error",
            Word::ZeroPointError => "Zero-point error",
            Word::StepError => "Step error",
            Word::Sqnr => "SQNR",
            Word::LocalCumulative => "Local, cumulative",
            Word::Clipped => "Clipped share",
            Word::Agreement => "Agreement",
            Word::PerChannel => "Per-channel",
            Word::Calibration => "Calibration",
            Word::Representative => "Representative dataset",
            Word::P95 => "p95",
            Word::Interval => "95 % interval",
            Word::Pareto => "Pareto front",
            Word::Margin => "Margin",
        }
    }

    /// What it means, in one sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Word::Scale => "The real-world size of one integer step",
            Word::ZeroPoint => "The integer that stands for 0.0",
            Word::Step => {
                "The gap between two neighbouring representable values, equal to the scale"
            }
            Word::ScaleError => {
                "How far the scale is from the one with the least squared error, in powers of two; above 0 wastes range, below 0 clips"
            }
            Word::ZeroPointError => {
                "Steps between the stored zero point and the one the observed range asks for; ±0.5 is rounding"
            }
            Word::StepError => {
                "The rounding error of each value in steps; flat between −0.5 and 0.5 is healthy, tails are clipping"
            }
            Word::Sqnr => {
                "Signal power over quantization error power in dB; every 6 dB is about one bit"
            }
            Word::LocalCumulative => {
                "Error with only this tensor quantized, and error that has piled up at this point of the whole network"
            }
            Word::Clipped => "Part of the values outside the range, which saturate at its ends",
            Word::Agreement => {
                "Share of samples on which this variant gives the same top answer as the float model"
            }
            Word::PerChannel => {
                "One scale for each output channel instead of one for the whole tensor"
            }
            Word::Calibration => {
                "Running sample data through the float model to learn the range of each activation"
            }
            Word::Representative => {
                "The samples used to calibrate; they should look like what the model will meet, about 100 are enough to start"
            }
            Word::P95 => "95 % of runs were at least this fast",
            Word::Interval => {
                "Range of deltas that fit these samples; if it holds 0, the data cannot tell the two apart"
            }
            Word::Pareto => "Variants that no other beats on both axes",
            Word::Margin => "Gap between the best and the second-best softmax score",
        }
    }
}
