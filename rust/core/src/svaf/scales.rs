//! The numbers of covey's own path for each encoder, chosen on the tuning part of the scenario set (benches/admission).

use super::gate::Thresholds;
use super::selective::Scale;
use crate::encoder::Encoder;

impl Scale {
    /// How the cosines of an encoder are read.
    pub const fn of(encoder: &Encoder) -> Self {
        match encoder {
            // Words are weighed by a table of their own; only what lineage leaves is read here.
            Encoder::Lexis | Encoder::Words => LEXIS,
            Encoder::Ngram => NGRAM,
            Encoder::Table(_) => TABLE,
        }
    }
}

impl Thresholds {
    /// The numbers of covey's own path with an encoder.
    pub const fn selective(encoder: &Encoder) -> Self {
        let redundancy = match encoder {
            Encoder::Words => {
                return Self { stable: 0.2, guarded: 0.35, redundancy: 0.5, decay_floor: 0.8, ..Self::REFERENCE };
            }
            Encoder::Lexis => 0.56,
            Encoder::Ngram => 0.45,
            Encoder::Table(_) => 0.25,
        };
        Self { stable: 0.14, guarded: 0.28, redundancy, decay_floor: 0.8, ..Self::REFERENCE }
    }
}

const LEXIS: Scale =
    Scale { foreign: 0.14, home: 0.39, context: 0.65, context_nearest: 0.7, first: 0.6, second: 0.9, answering: 0.3 };

const NGRAM: Scale = Scale { foreign: 0.20, home: 0.50, context_nearest: 0.5, first: 0.5, second: 0.2, ..LEXIS };

const TABLE: Scale =
    Scale { foreign: 0.40, home: 0.60, context: 0.65, context_nearest: 0.8, first: 0.4, second: 0.3, answering: 0.3 };
