//! Receivers of OTLP behind TLS: whoever is vouched for is told, and nobody else.

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

const INBOUND: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A certificate for `localhost`, and who vouches for it, as PEM.
fn certificate() -> (ServerConfig, String) {
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
    server.alpn_protocols = vec![b"h2".to_vec()];
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

#[test]
fn a_receiver_of_grpc_behind_tls_is_told_if_the_system_trusts_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let collector = runtime.block_on(FakeCollectorServer::start()).unwrap();
    let receiver = collector.address().to_string();
    let (server, issuer) = certificate();
    let (_, stranger) = certificate();
    let port = runtime.block_on(before(receiver, server));
    let folder = tempfile::tempdir().unwrap();
    let started = |authorities: &str| {
        let path = folder.path().join("authorities.pem");
        std::fs::write(&path, authorities).unwrap();
        let (path, endpoint) = (
            path.display().to_string(),
            format!("https://localhost:{port}"),
        );
        let list = ListService::start();
        let settings = [
            ("SSL_CERT_FILE", path.as_str()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ];
        let daemon = Daemon::start(&list, &settings);
        assert_eq!(daemon.process(INBOUND)["status"], "success");
        daemon
    };
    let daemon = started(&stranger);
    let failures = "match_list_processor_tracing_export_failures_total";
    daemon.await_metric(failures, "a certificate of a stranger's", 0.0);
    daemon.stop();

    let daemon = started(&issuer);
    daemon.await_deliveries();
    let (_, metrics) = daemon.stop();
    assert!(metrics.contains(&format!("\n{failures} 0\n")), "{metrics}");
    let (spans, lines) = runtime.block_on(told(collector));
    assert!(
        spans.iter().any(|name| name == "process triggers"),
        "{spans:?}"
    );
    assert!(lines > 0, "log lines came, too");
}

/// The names of the spans that came, and how many log lines.
async fn told(mut collector: FakeCollectorServer) -> (Vec<String>, usize) {
    let patience = Duration::from_secs(10);
    let spans = collector.exported_spans(11, patience).await;
    let lines = collector.exported_logs(1, patience).await;
    (spans.into_iter().map(|span| span.name).collect(), lines.len())
}
