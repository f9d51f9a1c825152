//! TLS of the public listener, how programs on the same machine know it, and whom this one believes.

mod pinned;

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, ServerConfig};

use pinned::Pinned;

/// The one protocol that is spoken inside.
const HTTP1: &[u8] = b"http/1.1";

/// A certificate and its key, ready for use; clones share them.
#[derive(Clone)]
pub struct Tls {
    server: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
}

/// Why a certificate and a key cannot be used. No message shows what is in either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate, or something else in its place.
    #[error("holds no certificate that can be read")]
    Certificate,
    /// There is no private key, or one with a password.
    #[error("holds no private key that can be read without a password")]
    Key,
    /// The key is another one's.
    #[error("holds a key that does not belong to the certificate")]
    Mismatch,
}

impl Tls {
    /// The server's certificate with those that issued it, and its private key, each as PEM.
    ///
    /// # Errors
    /// [`TlsError`] says which of the two is wrong.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|_| TlsError::Certificate)?;
        let certificate = chain.first().cloned().ok_or(TlsError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
        // What can be no key of the library's is told from one that does not fit.
        let provider = provider();
        let loaded = provider.key_provider.load_private_key(key.clone_key());
        loaded.map_err(|_| TlsError::Key)?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| match error {
                Error::InconsistentKeys(_) => TlsError::Mismatch,
                _ => TlsError::Certificate,
            })?;
        server.alpn_protocols = vec![HTTP1.to_vec()];
        Ok(Self {
            server: Arc::new(server),
            certificate,
        })
    }

    /// For the side that has the key.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// For a client that knows the certificate from the same settings: it believes this one alone,
    /// whatever name and time are in it.
    ///
    /// # Errors
    /// When the library cannot be set up.
    pub fn client(&self) -> Result<ClientConfig, Error> {
        client(Some(self.certificate.clone()))
    }
}

/// For a client that asks nothing secret and believes no answer beyond that there is one: the daemon
/// may hold another certificate than the file has by now.
///
/// # Errors
/// When the library cannot be set up.
pub fn probing_client() -> Result<ClientConfig, Error> {
    client(None)
}

/// For a client that calls a service by its name: it believes whom `authorities` (PEM) vouch for, or
/// those that the system trusts.
///
/// # Errors
/// [`TlsError::Certificate`] when the authorities cannot be read.
pub fn trusting_client(authorities: Option<&[u8]>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| TlsError::Certificate)?;
                roots.add(certificate).map_err(|_| TlsError::Certificate)?;
            }
            if roots.is_empty() {
                return Err(TlsError::Certificate);
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|_| TlsError::Certificate)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn client(certificate: Option<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let provider = provider();
    let pinned = Pinned::new(certificate, Arc::clone(&provider));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(pinned));
    let mut client = builder.with_no_client_auth();
    client.alpn_protocols = vec![HTTP1.to_vec()];
    Ok(client)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["mlp.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_needs_its_own_key() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        let new = |certificate: &str, key: &str| {
            let made = Tls::new(certificate.as_bytes(), key.as_bytes());
            made.map(drop)
        };
        assert_eq!(new(&certificate, &key), Ok(()));
        let both = format!("{key}{certificate}");
        assert_eq!(new(&both, &both), Ok(()), "one file with both");
        assert_eq!(new(&certificate, &other), Err(TlsError::Mismatch));
        assert_eq!(new("", &key), Err(TlsError::Certificate));
        assert_eq!(new(&key, &key), Err(TlsError::Certificate));
        assert_eq!(new(&certificate, ""), Err(TlsError::Key));
        assert_eq!(new(&certificate, &certificate), Err(TlsError::Key));
        let locked = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(new(&certificate, &locked), Err(TlsError::Key));
        let garbled = certificate.replacen("MII", "AAA", 1);
        assert_eq!(new(&garbled, &key), Err(TlsError::Certificate));
        let cut = &certificate[..certificate.len() / 2];
        assert_eq!(new(cut, &key), Err(TlsError::Certificate));
    }
}
