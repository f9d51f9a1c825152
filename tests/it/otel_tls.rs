//! Receivers of OTLP behind TLS: whoever is vouched for is told, and nobody else.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use fake_opentelemetry_collector::FakeCollectorServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::binary::{Daemon, ListService};
use crate::support::otlp::Receiver;

const INBOUND: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A certificate for `localhost` and this protocol, and who vouches for it, as PEM.
fn certificate(protocol: &str) -> (ServerConfig, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let chain = vec![params.signed_by(&key, &issuer).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    server.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    (server, issuer.pem())
}

/// Takes TLS away from what goes to `receiver`; the port at which.
async fn before(receiver: String, server: ServerConfig) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, receiver) = (acceptor.clone(), receiver.clone());
            tokio::spawn(async move {
                let mut plain = TcpStream::connect(receiver).await.unwrap();
                if let Ok(mut secured) = acceptor.accept(stream).await {
                    let _ = copy_bidirectional(&mut secured, &mut plain).await;
                }
            });
        }
    });
    port
}

/// A daemon that has looked once, and tells a receiver over TLS what came of it.
fn daemon(port: u16, settings: &[(&str, &str)]) -> Daemon {
    let endpoint = format!("https://localhost:{port}");
    let fixed = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
    ];
    let daemon = Daemon::start(&ListService::start(), &[&fixed, settings].concat());
    assert_eq!(daemon.process(INBOUND)["status"], "success");
    daemon
}

const FAILURES: &str = "match_list_processor_tracing_export_failures_total";

/// Believes only whom this file names, as the system or for receivers of OTLP alone.
const TRUST: [&str; 2] = ["SSL_CERT_FILE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];

fn refuses_strangers(port: u16, protocol: &str, stranger: &str) {
    for trust in TRUST {
        let settings = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), (trust, stranger)];
        let daemon = daemon(port, &settings);
        daemon.await_metric(FAILURES, "a certificate of a stranger's", 0.0);
        daemon.stop();
    }
}

fn believes(port: u16, protocol: &str, issuer: &str) {
    for trust in TRUST {
        let settings = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), (trust, issuer)];
        let daemon = daemon(port, &settings);
        daemon.await_deliveries();
        let (_, metrics) = daemon.stop();
        let none = format!("\n{FAILURES} 0\n");
        assert!(metrics.contains(&none), "{trust}: {metrics}");
    }
}

/// Writes the texts to files; their paths.
fn files<const N: usize>(folder: &tempfile::TempDir, texts: [&str; N]) -> [String; N] {
    let mut number = 0;
    texts.map(|text| {
        number += 1;
        let path = folder.path().join(format!("{number}.pem"));
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    })
}

#[test]
fn a_receiver_of_grpc_behind_tls_is_told_if_it_is_vouched_for() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let collector = runtime.block_on(FakeCollectorServer::start()).unwrap();
    let (server, issuer) = certificate("h2");
    let (_, stranger) = certificate("h2");
    let port = runtime.block_on(before(collector.address().to_string(), server));
    let folder = tempfile::tempdir().unwrap();
    let [issuer, stranger] = files(&folder, [&issuer, &stranger]);
    refuses_strangers(port, "grpc", &stranger);
    believes(port, "grpc", &issuer);
    let (spans, lines) = runtime.block_on(told(collector));
    let cycles = spans.iter().filter(|name| *name == "process triggers");
    assert_eq!(cycles.count(), TRUST.len(), "{spans:?}");
    assert!(lines > 0, "log lines came, too");
}

/// The names of the spans that came of two daemons, and how many log lines.
async fn told(mut collector: FakeCollectorServer) -> (Vec<String>, usize) {
    let patience = Duration::from_secs(10);
    let spans = collector.exported_spans(22, patience).await;
    let lines = collector.exported_logs(1, patience).await;
    let names = spans.into_iter().map(|span| span.name);
    (names.collect(), lines.len())
}

#[test]
fn a_receiver_of_http_behind_tls_is_told_if_it_is_vouched_for() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = Receiver::start();
    let (server, issuer) = certificate("http/1.1");
    let (_, stranger) = certificate("http/1.1");
    let address = receiver.endpoint().replace("http://", "");
    let port = runtime.block_on(before(address, server));
    let folder = tempfile::tempdir().unwrap();
    let [issuer, stranger] = files(&folder, [&issuer, &stranger]);
    refuses_strangers(port, "http/protobuf", &stranger);
    assert!(receiver.bodies("/v1/traces").is_empty());
    believes(port, "http/protobuf", &issuer);
    let bodies = receiver.bodies("/v1/traces").concat();
    let cycles = bodies
        .windows(16)
        .filter(|bytes| bytes == b"process triggers");
    assert_eq!(cycles.count(), TRUST.len());
    assert!(!receiver.bodies("/v1/logs").is_empty());
}

#[test]
fn a_receiver_that_cannot_be_believed_is_a_mistake_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let [path] = files(&folder, ["no certificate"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_match-list-processor"));
    command.arg("check-config").env_clear().envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", &path),
    ]);
    let output = command.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{told}");
    let problem = "OTEL_EXPORTER_OTLP_CERTIFICATE: names a file without certificates";
    assert!(told.contains(problem), "{told}");
}
