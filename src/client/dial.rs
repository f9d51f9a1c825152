//! Connections for protocols that are not HTTP.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::error::{BARRED, CallError, of_connecting, unconnected};
use super::guard::Reach;
use crate::telemetry::labels::ErrorKind;

/// Connects to a host by the first of its addresses that works. `host` is a name or an address
/// without brackets.
///
/// # Errors
/// When none works within `patience`.
pub async fn dial(host: &str, port: u16, patience: Duration) -> Result<TcpStream, CallError> {
    dial_within(Reach::Any, host, port, patience).await
}

/// The same, among those of its addresses to which `reach` extends.
///
/// # Errors
/// Those of [`dial`], and when there is no such address.
pub async fn dial_within(
    reach: Reach,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<TcpStream, CallError> {
    let connecting = async {
        let Ok(addresses) = lookup_host((host, port)).await else {
            return Err(unconnected(&place(host, port), "its name is not known"));
        };
        let addresses: Vec<_> = addresses
            .filter(|address| reach.holds(address.ip()))
            .collect();
        if addresses.is_empty() {
            return Err(unconnected(&place(host, port), BARRED));
        }
        let connected = TcpStream::connect(&*addresses).await;
        let stream = connected.map_err(|error| of_connecting(&error, &place(host, port)))?;
        // Commands are small, and somebody waits for each answer.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    };
    within(patience, connecting).await
}

/// Speaks TLS on a connection to this host.
///
/// # Errors
/// When the two do not agree within `patience`, or the host is not whom it should be.
pub async fn secure(
    stream: TcpStream,
    host: &str,
    config: Arc<ClientConfig>,
    patience: Duration,
) -> Result<TlsStream<TcpStream>, CallError> {
    let port = stream.peer_addr().map_or(0, |address| address.port());
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| unconnected(&place(host, port), "no certificate can be for its name"))?;
    let agreeing = async {
        let agreed = TlsConnector::from(config).connect(name, stream).await;
        agreed.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => unconnected(
                &place(host, port),
                "it closed the connection: does it speak TLS there?",
            ),
            _ => of_connecting(&error, &place(host, port)),
        })
    };
    within(patience, agreeing).await
}

async fn within<T>(
    patience: Duration,
    connecting: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::time::timeout(patience, connecting)
        .await
        .unwrap_or_else(|_| Err(CallError::of(ErrorKind::Timeout, "no connection in time")))
}

fn place(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}
