//! Receivers of messages over HTTP, on a thread of their own each.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What came when.
pub type Arrivals = Arc<Mutex<Vec<Instant>>>;

/// Takes what is posted to it and answers at once, or never.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    /// When each message had come whole.
    pub arrivals: Arrivals,
    hangs: Arc<AtomicBool>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    body: &'static str,
    arrivals: Arrivals,
    hangs: Arc<AtomicBool>,
}

impl Receiver {
    /// Answers every request like this, until the process ends.
    pub fn start(status: StatusCode, body: &'static str) -> Self {
        let (arrivals, hangs) = (Arrivals::default(), Arc::<AtomicBool>::default());
        let answer = Answer {
            status,
            body,
            arrivals: Arc::clone(&arrivals),
            hangs: Arc::clone(&hangs),
        };
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let listener = super::server::listener().await;
                let _ = tell.send(listener.local_addr().expect("a bound listener"));
                loop {
                    if let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(serve(stream, answer.clone()));
                    }
                }
            });
        });
        Self {
            address: told.recv().expect("the receiver starts"),
            arrivals,
            hangs,
        }
    }

    /// Whether it reads requests and answers none from now on.
    pub fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::Relaxed);
    }
}

async fn serve(stream: TcpStream, answer: Answer) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let is_message = request.method() == Method::POST;
            let _ = request.into_body().collect().await;
            if answer.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if is_message {
                let mut arrivals = answer
                    .arrivals
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                arrivals.push(Instant::now());
            }
            let mut response = Response::new(Full::new(Bytes::from_static(answer.body.as_bytes())));
            *response.status_mut() = answer.status;
            Ok::<_, Infallible>(response)
        }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
