//! Signing tokens, and checking them: EdDSA over Ed25519 (RFC 8037) and nothing else.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use sha2::{Digest, Sha256};
use weft_proto::weft::identity::v1::JsonWebKey;

use super::{AUDIENCE, Claims, ISSUER, MESH_ISSUER};

/// How far clocks of two machines may differ, in seconds.
const LEEWAY_SECONDS: u64 = 5;
/// No token of ours is longer.
const LONGEST_TOKEN: usize = 8192;

/// Why a token is refused. It says nothing of the token itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token, or one of another algorithm.
    #[error("the access token is malformed")]
    Malformed,
    /// Signed by a key that is not known.
    #[error("the access token was signed by a key that is not known")]
    UnknownKey,
    /// The signature, the issuer or the audience is wrong.
    #[error("the access token is not genuine")]
    NotGenuine,
    /// Too old, or not yet good.
    #[error("the access token is expired or not yet valid")]
    Expired,
}

/// A key that signs tokens.
#[derive(Clone)]
pub struct SigningKey {
    kid: String,
    encoding: EncodingKey,
    public: [u8; 32],
}

impl SigningKey {
    /// From a secret seed of 32 bytes. The key's id is the thumbprint of its public half.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = key.verifying_key().to_bytes();
        let der = key.to_pkcs8_der().expect("an Ed25519 key always has a PKCS #8 form");
        Self { kid: thumbprint(&public), encoding: EncodingKey::from_ed_der(der.as_bytes()), public }
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half.
    pub fn public_bytes(&self) -> &[u8; 32] {
        &self.public
    }

    /// The public half, as it is published.
    pub fn public(&self) -> JsonWebKey {
        json_web_key(&self.public)
    }

    /// Signs claims.
    pub fn sign(&self, claims: &Claims) -> String {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &self.encoding).expect("claims are plain JSON and the key is an Ed25519 key")
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The published form of an Ed25519 public key.
pub fn json_web_key(public: &[u8; 32]) -> JsonWebKey {
    JsonWebKey {
        kty: "OKP".into(),
        crv: "Ed25519".into(),
        alg: "EdDSA".into(),
        r#use: "sig".into(),
        kid: thumbprint(public),
        x: URL_SAFE_NO_PAD.encode(public),
    }
}

/// The id of a public key: its JWK thumbprint (RFC 7638 with RFC 8037, section 2).
pub fn thumbprint(public: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
}

/// Keys that tokens are checked with. The mesh's own key vouches for services and nobody else;
/// the identity service's keys vouch for everybody but services.
#[derive(Clone, Default)]
pub struct VerifyingKeys {
    identity: HashMap<String, DecodingKey>,
    mesh: HashMap<String, DecodingKey>,
}

impl VerifyingKeys {
    /// With the mesh's own key only.
    pub fn new(mesh_key: &JsonWebKey) -> Self {
        let mut keys = Self::default();
        insert(&mut keys.mesh, mesh_key);
        keys
    }

    /// The same with these keys of the identity service instead of those before. Keys of another
    /// kind are left out.
    pub fn with_identity(&self, published: &[JsonWebKey]) -> Self {
        let mut keys = Self { identity: HashMap::new(), mesh: self.mesh.clone() };
        for key in published {
            insert(&mut keys.identity, key);
        }
        keys
    }

    /// Checks a token at a time (seconds since 1970).
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify(&self, token: &str, now: u64) -> Result<Claims, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Malformed);
        }
        let kid = header.kid.ok_or(TokenError::Malformed)?;
        let (key, issuer) = match (self.identity.get(&kid), self.mesh.get(&kid)) {
            (Some(key), _) => (key, ISSUER),
            (None, Some(key)) => (key, MESH_ISSUER),
            (None, None) => return Err(TokenError::UnknownKey),
        };
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Times are checked below, by the clock that was handed in.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = decode::<Claims>(token, key, &validation).map_err(|_| TokenError::NotGenuine)?.claims;
        if claims.sub.starts_with("services/") != (issuer == MESH_ISSUER) {
            return Err(TokenError::NotGenuine);
        }
        if now >= claims.exp.saturating_add(LEEWAY_SECONDS) || now.saturating_add(LEEWAY_SECONDS) < claims.nbf
        {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }
}

fn insert(keys: &mut HashMap<String, DecodingKey>, key: &JsonWebKey) {
    if key.kty == "OKP"
        && key.crv == "Ed25519"
        && let Ok(decoding) = DecodingKey::from_ed_components(&key.x)
    {
        keys.insert(key.kid.clone(), decoding);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn claims() -> Claims {
        Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: "projects/mesh/apiKeys/admin".into(),
            exp: NOW + 900,
            nbf: NOW,
            iat: NOW,
            auth_time: NOW,
            jti: "1".into(),
            name: String::new(),
            grants: BTreeMap::from([("mesh".into(), "admin".into())]),
            scopes: Vec::new(),
        }
    }

    fn keys(signing: &SigningKey) -> VerifyingKeys {
        VerifyingKeys::new(&SigningKey::from_seed(&[9; 32]).public()).with_identity(&[signing.public()])
    }

    #[test]
    fn a_good_token_is_taken() {
        let key = SigningKey::from_seed(&[1; 32]);
        assert_eq!(keys(&key).verify(&key.sign(&claims()), NOW + 1), Ok(claims()));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let key = SigningKey::from_seed(&[1; 32]);
        let token = key.sign(&claims());
        let keys = keys(&key);
        let signature = token.rfind('.').expect("a JWT has three parts") + 1;
        let mut bytes = URL_SAFE_NO_PAD.decode(&token[signature..]).expect("base64url");
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let forged = format!("{}{}", &token[..signature], URL_SAFE_NO_PAD.encode(&bytes));
            assert_eq!(keys.verify(&forged, NOW), Err(TokenError::NotGenuine), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // And every letter of the signed part.
        for position in 0..signature - 1 {
            let mut letters = token.clone().into_bytes();
            letters[position] = if letters[position] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(letters).expect("ASCII");
            if forged != token {
                assert!(keys.verify(&forged, NOW).is_err(), "letter {position}");
            }
        }
    }

    #[test]
    fn times_issuers_audiences_and_algorithms_are_checked() {
        let key = SigningKey::from_seed(&[1; 32]);
        let keys = keys(&key);
        let refused = |change: &dyn Fn(&mut Claims), now| {
            let mut changed = claims();
            change(&mut changed);
            keys.verify(&key.sign(&changed), now).expect_err("it must be refused")
        };
        assert_eq!(refused(&|_| {}, NOW + 906), TokenError::Expired);
        assert_eq!(refused(&|claims| claims.nbf = NOW + 60, NOW), TokenError::Expired);
        assert_eq!(refused(&|claims| claims.aud = "other".into(), NOW), TokenError::NotGenuine);
        assert_eq!(refused(&|claims| claims.iss = "other".into(), NOW), TokenError::NotGenuine);
        assert_eq!(refused(&|claims| claims.iss = MESH_ISSUER.into(), NOW), TokenError::NotGenuine);
        assert_eq!(refused(&|claims| claims.sub = "services/graph".into(), NOW), TokenError::NotGenuine);

        let other = SigningKey::from_seed(&[2; 32]);
        assert_eq!(keys.verify(&other.sign(&claims()), NOW), Err(TokenError::UnknownKey));

        let payload = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).expect("plain JSON"));
        for algorithm in ["none", "None", "HS256", "RS256", "ES256"] {
            let header = format!(r#"{{"alg":"{algorithm}","kid":"{}"}}"#, key.kid());
            let forged = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(keys.verify(&forged, NOW), Err(TokenError::Malformed), "{algorithm}");
        }
        assert_eq!(keys.verify(&"a".repeat(1_000_000), NOW), Err(TokenError::Malformed));
    }

    #[test]
    fn the_mesh_key_vouches_for_services_only() {
        let mesh = SigningKey::from_seed(&[9; 32]);
        let keys = VerifyingKeys::new(&mesh.public());
        let mut service = claims();
        service.iss = MESH_ISSUER.into();
        service.sub = "services/graph".into();
        assert!(keys.verify(&mesh.sign(&service), NOW).is_ok());
        assert_eq!(keys.verify(&mesh.sign(&claims()), NOW), Err(TokenError::NotGenuine));
    }
}
