//! A server for a list, and the bare server that stores nothing.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

/// What the bare server answers: as long as the daemon's answer.
const BARE: &str = r#"{"status":"success","message":"Match processing triggered","processing_count":12345,"queued":false,"trigger_id":"trg-123456-0a1b2c3d"}"#;

/// A list behind `/matches`, whole and with its length.
pub struct ListServer {
    /// Where it listens.
    pub address: SocketAddr,
    list: Arc<Mutex<Bytes>>,
}

impl ListServer {
    /// Serves on a thread of its own until the process ends.
    pub fn start() -> Self {
        let list = Arc::new(Mutex::new(Bytes::new()));
        let (tell, told) = mpsc::channel();
        let shared = Arc::clone(&list);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let listener = listener().await;
                let _ = tell.send(listener.local_addr().expect("a bound listener"));
                loop {
                    if let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(serve_list(stream, Arc::clone(&shared)));
                    }
                }
            });
        });
        let address = told.recv().expect("the server starts");
        Self { address, list }
    }

    /// Serves this list from now on.
    pub fn set(&self, list: &Bytes) {
        *self.list.lock().unwrap_or_else(PoisonError::into_inner) = list.clone();
    }
}

pub(super) async fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a free port")
}

async fn serve_list(stream: TcpStream, list: Arc<Mutex<Bytes>>) {
    let service = service_fn(|_: Request<Incoming>| {
        let body = list.lock().unwrap_or_else(PoisonError::into_inner).clone();
        async move { Ok::<_, Infallible>(Response::new(Full::new(body))) }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The same HTTP settings and threads as the daemon's listener, and nothing behind them. Prints its
/// port and serves until the process is killed.
pub fn bare() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let listener = listener().await;
        println!(
            "{}",
            listener.local_addr().expect("a bound listener").port()
        );
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve_bare(stream));
            }
        }
    });
}

async fn serve_bare(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| async move {
        let _ = request.into_body().collect().await;
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("cache-control", "no-store")
            .body(Full::new(Bytes::from_static(BARE.as_bytes())));
        Ok::<_, Infallible>(response.expect("a constant answer"))
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .max_buf_size(16 * 1024)
        .max_headers(100)
        .half_close(false);
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
