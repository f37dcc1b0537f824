//! A tether's verdict as its integrator signs it: `mmp-tether-v1` (§15.8).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::drift::Verdict;
use crate::error::{Reason, Refusal};
use crate::identity::{PublicKey, SigningKey};
use crate::json::parse_object;
use crate::limits::{MAX_SAFE_INTEGER, MAX_TETHER_NAME_BYTES};
use crate::netstring::Writer;
use crate::signature::verify_bytes;

const DOMAIN: &str = "mmp-tether-v1\n";
const ALGORITHM: &str = "ed25519";
/// 1 less a cosine, with room for what rounding adds.
const MAX_DRIFT: f64 = 2.0 + 1e-9;

/// One verdict, as it claims to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Attestation {
    of: String,
    anchor: String,
    kernel: String,
    drift: f64,
    verdict: Verdict,
    by: String,
    at: u64,
    signature: [u8; 64],
}

impl Attestation {
    /// Sign a verdict.
    ///
    /// # Errors
    /// A name is empty, too long or not plain text; the drift is none; the time is beyond the safe integers.
    #[allow(clippy::too_many_arguments)] // the seven members of the signed payload, and the key
    pub fn sign(
        of: &str,
        anchor: &str,
        kernel: &str,
        drift: f64,
        verdict: Verdict,
        by: &str,
        at: u64,
        key: &SigningKey,
    ) -> Result<Self, Refusal> {
        let [of, anchor, kernel, by] = [of, anchor, kernel, by].map(str::to_owned);
        let unsigned = Self { of, anchor, kernel, drift, verdict, by, at, signature: [0; 64] };
        unsigned.check()?;
        let signature = key.sign_bytes(&unsigned.payload());
        Ok(Self { signature, ..unsigned })
    }

    /// Read one from JSON. Members beside the published ones are passed over: the schema is open.
    ///
    /// # Errors
    /// A member is missing, of the wrong shape, or out of bounds.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire = parse_object(json)?;
        if wire.sig_alg != ALGORITHM {
            return Err(schema("sigAlg: expected ed25519"));
        }
        let signature = URL_SAFE_NO_PAD.decode(&wire.sig).ok().and_then(|bytes| bytes.try_into().ok());
        let read = Self {
            of: wire.of,
            anchor: wire.anchor,
            kernel: wire.kernel_id,
            drift: wire.drift,
            verdict: Verdict::parse(&wire.verdict).ok_or_else(|| schema("verdict: neither tethered nor severed"))?,
            by: wire.by,
            at: wire.at,
            signature: signature.ok_or_else(|| schema("sig: expected 64 bytes as unpadded base64url"))?,
        };
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), Refusal> {
        for (member, text) in [("of", &self.of), ("anchor", &self.anchor), ("kernelId", &self.kernel), ("by", &self.by)]
        {
            let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
            if text.is_empty() || text.len() > MAX_TETHER_NAME_BYTES || !plain {
                return Err(schema(format!(
                    "{member}: expected 1 to {MAX_TETHER_NAME_BYTES} visible ASCII characters"
                )));
            }
        }
        if !(self.drift.is_finite() && (0.0..=MAX_DRIFT).contains(&self.drift)) {
            return Err(schema("drift: expected a number from 0 to 2"));
        }
        if self.at > MAX_SAFE_INTEGER {
            return Err(schema("at: beyond the safe integers"));
        }
        Ok(())
    }

    /// The canonical signed bytes.
    pub fn payload(&self) -> Vec<u8> {
        let mut writer = Writer::new(DOMAIN);
        writer.lp_str(&self.of).lp_str(&self.anchor).lp_str(&self.kernel).lp_str(&six_digits(self.drift));
        writer.lp_str(self.verdict.as_str()).lp_str(&self.by).lp_u64(self.at);
        writer.into_bytes()
    }

    /// Check the signature under the integrator's key. One that does not hold is discarded, never weighed.
    ///
    /// # Errors
    /// It does not hold.
    pub fn verify(&self, integrator: &PublicKey) -> Result<(), Refusal> {
        verify_bytes(&self.payload(), &self.signature, integrator)
    }

    /// Say whether two verdicts can be compared at all: they can in one kernel, and in no other case.
    pub fn is_comparable(&self, other: &Self) -> bool {
        self.kernel == other.kernel
    }

    /// The attestation as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            of: self.of.clone(),
            anchor: self.anchor.clone(),
            kernel_id: self.kernel.clone(),
            // The signed digits, so that who reads the number signs the same ones.
            drift: six_digits(self.drift).parse().unwrap_or(self.drift),
            verdict: self.verdict.as_str().to_owned(),
            by: self.by.clone(),
            at: self.at,
            sig: URL_SAFE_NO_PAD.encode(self.signature),
            sig_alg: ALGORITHM.to_owned(),
        };
        // Strings and finite numbers always serialise.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// The remix it is about.
    pub fn of(&self) -> &str {
        &self.of
    }
    /// The root it was measured against.
    pub fn anchor(&self) -> &str {
        &self.anchor
    }
    /// The kernel it was measured in.
    pub fn kernel(&self) -> &str {
        &self.kernel
    }
    /// How far it was.
    pub const fn drift(&self) -> f64 {
        self.drift
    }
    /// What was decided.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }
    /// Who says so.
    pub fn by(&self) -> &str {
        &self.by
    }
    /// The integrator's clock in milliseconds; information only.
    pub const fn at(&self) -> u64 {
        self.at
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    of: String,
    anchor: String,
    kernel_id: String,
    drift: f64,
    verdict: String,
    by: String,
    at: u64,
    sig: String,
    sig_alg: String,
}

/// A drift with six digits behind the point, as it is signed. Halfway goes up, as the reference's language has it; only
/// odd 128ths lie halfway, and those are counted exactly.
pub(super) fn six_digits(drift: f64) -> String {
    let parts = drift * 128.0;
    if parts.fract() == 0.0 && parts % 2.0 != 0.0 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 0 to 256")]
        let millionths = (parts as u64 * 1_000_000).div_ceil(128);
        return format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    }
    format!("{drift:.6}")
}

fn schema(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Schema, format!("tether attestation: {}", detail.into()))
}
