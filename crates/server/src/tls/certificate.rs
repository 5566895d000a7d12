//! The three things that a node wants to know of a certificate (X.509, RFC 5280): from when to when it holds, and its key.

use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use sha2::{Digest as _, Sha256};

/// A certificate, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// SHA-256 of the `SubjectPublicKeyInfo`, hexadecimal.
    pub(crate) pin: String,
}

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, String> {
        Self::read(der).ok_or_else(|| "this is no X.509 certificate".to_owned())
    }

    fn read(der: &[u8]) -> Option<Self> {
        let (certificate, _) = of_kind(SEQUENCE, der)?;
        let (mut rest, _) = of_kind(SEQUENCE, certificate)?;
        // The version is there in all but version 1.
        if rest.first() == Some(&0xa0) {
            rest = element(rest)?.2;
        }
        // Serial number, signature algorithm, issuer.
        for _ in 0..3 {
            rest = element(rest)?.2;
        }
        let (validity, rest) = of_kind(SEQUENCE, rest)?;
        let (kind, not_before, ends) = element(validity)?;
        let (end_kind, not_after, _) = element(ends)?;
        let rest = element(rest)?.2;
        let length = rest.len() - element(rest)?.2.len();
        Some(Self {
            not_before: time(kind, not_before)?,
            not_after: time(end_kind, not_after)?,
            pin: hex::encode(Sha256::digest(&rest[..length])),
        })
    }
}

/// A new key and a certificate that it signs itself, both in PEM, for a host and the days between two moments.
///
/// # Errors
/// A sentence.
pub(crate) fn self_signed(
    (name, host): (&str, &str),
    (from, until): (Timestamp, Timestamp),
) -> Result<(String, String), String> {
    let words = |error: rcgen::Error| error.to_string();
    let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(words)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let day = |at: Timestamp| {
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (day(from), day(until));
    let key = KeyPair::generate().map_err(words)?;
    let certificate = params.self_signed(&key).map_err(words)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Tag, content and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (bytes, rest) =
                rest.split_at_checked(usize::from(long & 0x7f)).filter(|(bytes, _)| bytes.len() <= 4)?;
            (bytes.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn of_kind(wanted: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280, section 4.1.2.5).
fn time(kind: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let text = match kind {
        GENERALIZED_TIME => text.to_owned(),
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        _ => return None,
    };
    let digits = text.strip_suffix('Z').filter(|text| text.len() == 14)?;
    let part = |at: usize, length: usize| digits.get(at..at + length);
    let iso = [
        part(0, 4)?,
        "-",
        part(4, 2)?,
        "-",
        part(6, 2)?,
        "T",
        part(8, 2)?,
        ":",
        part(10, 2)?,
        ":",
        part(12, 2)?,
        "Z",
    ];
    iso.concat().parse().ok()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::{Certificate, self_signed};

    #[test]
    fn a_certificate_tells_its_time_and_key_and_nonsense_is_refused() {
        let time = |text: &str| text.parse().expect("a time");
        let days = (time("2026-01-02T00:00:00Z"), time("2061-03-04T00:00:00Z"));
        let (pem, _) = self_signed(("issuer.example", "127.0.0.1"), days).expect("a certificate");
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let read = Certificate::parse(&der).expect("X.509");
        assert_eq!((read.not_before, read.not_after), days, "UTCTime before 2050, GeneralizedTime after");
        assert_eq!(read.pin.len(), 64);
        for length in 0..der.len() {
            let _ = Certificate::parse(&der[..length]);
        }
        assert!(Certificate::parse(&der[..40]).is_err());
        assert!(Certificate::parse(b"0\x84\xff\xff\xff\xff").is_err());
    }
}
