//! How far a remix lies from the root of its lineage, and whether it may still name its parents.

use crate::category::{COUNT, Weights};
use crate::encoder::Kernel;
use crate::svaf::cosine_of;

/// What a root's own gate would say of a remix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is still about what the root is about.
    Tethered,
    /// The root's gate would refuse it as foreign: it is minted as a fresh root.
    Severed,
}

impl Verdict {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tethered => "tethered",
            Self::Severed => "severed",
        }
    }

    /// Read a word; `None` when it is none of the two.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Tethered, Self::Severed].into_iter().find(|verdict| verdict.as_str() == word)
    }
}

/// How a remix stands to a root.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// No category can be compared: nothing is known, and nothing is severed.
    Unverified,
    /// The weighted mean drift over the categories that both carry.
    Measured {
        /// 1 less the cosine, weighted: 0 to 2.
        drift: f64,
        /// What follows from it.
        verdict: Verdict,
    },
}

impl Standing {
    /// Say whether the remix may name its parents.
    pub const fn descends(self) -> bool {
        !matches!(self, Self::Measured { verdict: Verdict::Severed, .. })
    }

    /// The parents a remix is minted with: those it names, or none at all where it is severed.
    pub fn lineage<T>(self, parents: Vec<T>) -> Vec<T> {
        if self.descends() { parents } else { Vec::new() }
    }
}

/// Measure vectors of one kernel. `None` is a category without text; vectors of other lengths are not compared, and
/// neither is one of zeros: a text too short for its kernel says nothing.
///
/// `floor` is the drift above which admission rejects (`Thresholds::guarded`); there is no constant of the tether's own.
pub fn measure(
    remix: &[Option<&[f64]>; COUNT],
    root: &[Option<&[f64]>; COUNT],
    weights: &Weights,
    floor: f64,
) -> Standing {
    let (mut weighted, mut total) = (0.0, 0.0);
    for ((remix, root), weight) in remix.iter().zip(root).zip(weights.as_array()) {
        let (Some(remix), Some(root)) = (remix, root) else { continue };
        if remix.len() != root.len() {
            continue;
        }
        if let Some(cosine) = cosine_of(remix, root) {
            weighted += weight * (1.0 - cosine);
            total += weight;
        }
    }
    if total <= 0.0 {
        return Standing::Unverified;
    }
    let drift = (weighted / total).max(0.0); // rounding may leave a little less than nothing
    let verdict = if drift > floor { Verdict::Severed } else { Verdict::Tethered };
    Standing::Measured { drift, verdict }
}

/// Measure two blocks by their texts, in category order; an empty text counts as none.
pub fn of_texts(kernel: Kernel, remix: [&str; COUNT], root: [&str; COUNT], weights: &Weights, floor: f64) -> Standing {
    let encoded = |texts: [&str; COUNT]| texts.map(|text| (!text.is_empty()).then(|| kernel.encode(text)));
    let (remix, root) = (encoded(remix), encoded(root));
    let remix = std::array::from_fn(|index| remix[index].as_ref().map(<[f64; _]>::as_slice));
    let root = std::array::from_fn(|index| root[index].as_ref().map(<[f64; _]>::as_slice));
    measure(&remix, &root, weights, floor)
}
