//! Mutual TLS 1.3 with pinned raw public keys (RFC 7250): a peer without a pinned key fails the handshake.

use super::site_key::SiteKey;
use crate::link::pairing::PAIR_ALPN;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme};
use std::sync::Arc;

/// Application protocol of the link.
pub const ALPN: &[u8] = b"moongate/1";
/// Prefix of an Ed25519 SubjectPublicKeyInfo, which 32 bytes of key follow (RFC 8410).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Policy for the peers whose handshake is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerPolicy {
    /// Only the holder of this key.
    Pinned([u8; 32]),
    /// Any peer that holds the key that it shows: it came with a ticket id, and proves the ticket afterwards.
    Anyone,
    /// No peer, since there is no twin.
    Nobody,
}

/// Verifier of the keys that peers show.
#[derive(Debug)]
struct RawKeyVerifier {
    policy: PeerPolicy,
    algorithms: WebPkiSupportedAlgorithms,
}

impl RawKeyVerifier {
    fn check_key(&self, key: &CertificateDer, chain: &[CertificateDer]) -> Result<(), Error> {
        let good = match (raw_key(key).filter(|_| chain.is_empty()), self.policy) {
            (Some(key), PeerPolicy::Pinned(twin)) => key == twin,
            (Some(_), PeerPolicy::Anyone) => true,
            _ => false,
        };
        if good { Ok(()) } else { Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) }
    }

    fn check_signature(
        &self,
        message: &[u8],
        key: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
    }
}

fn reject_tls12<T>() -> Result<T, Error> {
    Err(Error::General("only TLS 1.3 is spoken".into()))
}

impl ServerCertVerifier for RawKeyVerifier {
    fn verify_server_cert(
        &self,
        key: &CertificateDer,
        chain: &[CertificateDer],
        _name: &ServerName,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check_key(key, chain).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        reject_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for RawKeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer,
        chain: &[CertificateDer],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check_key(key, chain).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        reject_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn verifier(whom: PeerPolicy) -> Arc<RawKeyVerifier> {
    Arc::new(RawKeyVerifier { policy: whom, algorithms: provider().signature_verification_algorithms })
}

/// Returns the Ed25519 key within a peer's certificate.
pub fn raw_key(shown: &CertificateDer) -> Option<[u8; 32]> {
    shown.as_ref().strip_prefix(&SPKI_PREFIX[..])?.try_into().ok()
}

/// Returns a certified key with the public half `shown`, as a raw public key.
fn certified_key(key: &SiteKey, shown: [u8; 32]) -> Result<Arc<CertifiedKey>, Error> {
    let secret = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(key.pkcs8().to_vec()))?;
    let public: Vec<u8> = SPKI_PREFIX.into_iter().chain(shown).collect();
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], secret)))
}

/// Returns the configuration of the accepting side: shows our key, requires the twin's. No resumption, no early data.
pub fn server_config(key: &SiteKey, twin: [u8; 32]) -> Result<quinn::ServerConfig, Error> {
    server_config_for(key, PeerPolicy::Pinned(twin), ALPN)
}

/// Returns the same for any policy, and for the given application protocol.
pub fn server_config_for(key: &SiteKey, whom: PeerPolicy, alpn: &[u8]) -> Result<quinn::ServerConfig, Error> {
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier(whom))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified_key(key, key.public())?)));
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    let tls = QuicServerConfig::try_from(tls).map_err(|why| Error::General(why.to_string()))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(tls));
    // Few handshakes are in progress, since there is one twin. This queue holds the packets that a socket delivers at
    // once in a flood, since each is answered before the next update.
    config.max_incoming(256).incoming_buffer_size(16 << 10).incoming_buffer_size_total(256 << 10);
    Ok(config)
}

/// Returns the configuration of the dialling side: shows our key, requires the twin's. Sends no server name.
pub fn client_config(key: &SiteKey, twin: [u8; 32]) -> Result<quinn::ClientConfig, Error> {
    client_config_for(key, key.public(), twin, ALPN)
}

/// Returns the same for a key that shows another public half than its own, as an impostor would.
#[doc(hidden)]
pub fn client_config_showing(key: &SiteKey, shown: [u8; 32], twin: [u8; 32]) -> Result<quinn::ClientConfig, Error> {
    client_config_for(key, shown, twin, ALPN)
}

/// Returns the configuration of the dialling side with a ticket: requires the key on the ticket.
pub fn pairing_client_config(key: &SiteKey, inviting: [u8; 32]) -> Result<quinn::ClientConfig, Error> {
    client_config_for(key, key.public(), inviting, PAIR_ALPN)
}

fn client_config_for(
    key: &SiteKey,
    shown: [u8; 32],
    twin: [u8; 32],
    alpn: &[u8],
) -> Result<quinn::ClientConfig, Error> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier(PeerPolicy::Pinned(twin)))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified_key(key, shown)?)));
    tls.alpn_protocols = vec![alpn.to_vec()];
    tls.resumption = Resumption::disabled();
    tls.enable_early_data = false;
    tls.enable_sni = false;
    let tls = QuicClientConfig::try_from(tls).map_err(|why| Error::General(why.to_string()))?;
    Ok(quinn::ClientConfig::new(Arc::new(tls)))
}
