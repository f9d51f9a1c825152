//! A daemon whose public listener speaks TLS, with certificates of an issuer of the test's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use super::binary::Daemon;
use super::matches::{a_match, list};
use crate::process::Folder;

/// The name in every certificate.
pub const NAME: &str = "mlp.example";

/// A connection on which both sides agreed.
pub type Secured = StreamOwned<ClientConnection, TcpStream>;

/// The daemon's folder, its issuer, and what settings it has beside the usual ones.
pub struct Secure {
    pub folder: Folder,
    pub issuer: CertifiedIssuer<'static, KeyPair>,
    settings: Vec<(String, String)>,
}

impl Secure {
    pub fn new(settings: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        folder.list(&list(&[a_match(1)]));
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let settings = settings.iter();
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let new = Self {
            folder,
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
            settings: settings.collect(),
        };
        new.write(&new.pair());
        new
    }

    /// A new certificate and its key, as PEM.
    pub fn pair(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Puts them where the daemon reads them.
    pub fn write(&self, (certificate, key): &(String, String)) {
        std::fs::write(self.folder.path("tls.crt"), certificate).unwrap();
        std::fs::write(self.folder.path("tls.key"), key).unwrap();
    }

    fn metrics(&self) -> PathBuf {
        self.folder.path("metrics.sock")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let path = |name| self.folder.path(name).display().to_string();
        let own = [
            ("PROCESSOR_MODE", "event-driven".to_owned()),
            ("TLS_CERT_FILE", path("tls.crt")),
            ("TLS_KEY_FILE", path("tls.key")),
            (
                "METRICS_LISTEN",
                format!("unix:{}", self.metrics().display()),
            ),
        ];
        let mut command = self.folder.command(&[]);
        command.envs(own).envs(self.settings.iter().cloned());
        command.args(arguments);
        command
    }

    pub fn start(&self) -> Daemon {
        Daemon::of(self.command(&[]))
    }

    /// The value of a series, asked of the listener that has no TLS.
    pub fn counted(&self, series: &str) -> f64 {
        let mut stream = UnixStream::connect(self.metrics()).unwrap();
        let request = "GET /metrics/prom HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let series = format!("match_list_processor_{series} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series}"))
            .parse()
            .unwrap()
    }

    /// Connections that ended for this reason.
    pub fn closed(&self, reason: &str) -> f64 {
        self.counted(&format!(
            "http_connections_closed_total{{reason=\"{reason}\"}}"
        ))
    }

    pub fn await_count(&self, series: &str, value: f64) {
        Daemon::await_until(&format!("{series} to be {value}"), || {
            self.counted(series) == value
        });
    }

    /// A client that trusts the issuer.
    pub fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// A connection of TLS 1.3 after its handshake.
    pub fn connect(&self, daemon: &Daemon) -> std::io::Result<Secured> {
        secure(daemon, self.client(&TLS13))
    }

    /// The same of TLS 1.2.
    pub fn connect_old(&self, daemon: &Daemon) -> std::io::Result<Secured> {
        secure(daemon, self.client(&TLS12))
    }

    /// The certificate that a new connection is shown, as DER.
    pub fn shown(&self, daemon: &Daemon) -> Vec<u8> {
        shown(&self.connect(daemon).unwrap())
    }
}

/// A connection after a handshake with this client.
pub fn secure(daemon: &Daemon, client: ClientConfig) -> std::io::Result<Secured> {
    let stream = plain(daemon);
    let name = ServerName::try_from(NAME).unwrap();
    let client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut secured = StreamOwned::new(client, stream);
    while secured.conn.is_handshaking() {
        secured.conn.complete_io(&mut secured.sock)?;
    }
    Ok(secured)
}

/// A connection without a handshake.
pub fn plain(daemon: &Daemon) -> TcpStream {
    let stream = TcpStream::connect(daemon.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// The certificate that a connection was shown, as DER.
pub fn shown(stream: &Secured) -> Vec<u8> {
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

/// Asks on a connection that stays open; the status.
pub fn ask(stream: &mut Secured, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{answer}");
        answer.push(byte[0].into());
    }
    let length = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let length = name.eq_ignore_ascii_case("content-length");
        length.then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}
