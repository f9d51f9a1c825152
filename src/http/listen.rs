//! Accepting connections, bounded in number and time.

use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::arrival::{self, First};
use super::io::Guarded;
use super::peer::Peer;
use super::proxied;
use super::route::Site;
use super::stream::{Listener, Stream};
use super::talk::Talk;
use super::{MAX_HEADERS, Request};
use crate::shutdown::raised;
use crate::socket::Socket;
use crate::telemetry::labels::Closed;
use crate::tls::Tls;

/// Bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;
/// Pause after a failed accept, for instance while no descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// After a stop, for a client to begin its first request, where the next process would have answered
/// it had this one not taken the connection just before.
const GRACE: Duration = Duration::from_secs(1);

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more are closed at once.
    pub connections: usize,
    /// For the head of a request, also on an idle connection.
    pub header_timeout: Duration,
    /// For a client to take an answer.
    pub write_timeout: Duration,
}

/// How long a connection stays.
struct Life {
    /// Set when it should end.
    stop: watch::Receiver<bool>,
    /// Or one, and no more.
    many_requests: bool,
    /// Whether a client that is silent at the stop gets [`GRACE`].
    is_kept: bool,
}

impl Life {
    /// Of a connection that comes now.
    fn of(stop: &watch::Receiver<bool>, end: &watch::Receiver<bool>, is_kept: bool) -> Self {
        let stopping = *stop.borrow();
        Self {
            stop: if stopping { end } else { stop }.clone(),
            many_requests: !stopping,
            is_kept,
        }
    }

    /// Waits for the end of one on which no request has begun.
    async fn over(&mut self) {
        raised(&mut self.stop).await;
        if self.is_kept {
            // Boxed, so that those that wait for nothing carry no timer.
            Box::pin(tokio::time::sleep(GRACE)).await;
        }
    }
}

/// One listener and what it serves.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    site: Arc<Site>,
    limits: Limits,
}

impl Server {
    /// A server on a bound socket. Must be called inside the runtime that is to run it.
    ///
    /// # Errors
    /// When the system cannot watch the socket.
    pub fn new(socket: Socket, site: Arc<Site>, limits: Limits) -> std::io::Result<Self> {
        Ok(Self {
            listener: Listener::of(socket)?,
            site,
            limits,
        })
    }

    /// Serves until `stop` is set; then closes the connections that are idle and answers one
    /// request on each that is new, so that whoever asks is told of the stop. Takes none any more
    /// once `end` is set, and returns when the last request is answered.
    pub async fn run(self, stop: watch::Receiver<bool>, end: watch::Receiver<bool>) {
        let permits = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        // On a socket that is kept, nobody needs to be told of the stop: the next process answers.
        let mut ending = match self.listener.is_kept() {
            true => stop.clone(),
            false => end.clone(),
        };
        loop {
            tokio::select! {
                biased;
                () = raised(&mut ending) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => match Arc::clone(&permits).try_acquire_owned() {
                        Ok(permit) => {
                            let life = Life::of(&stop, &end, self.listener.is_kept());
                            connections.spawn(self.connection(stream, peer, permit, life));
                        }
                        Err(_) => self.closed(Closed::Limit),
                    },
                    Err(error) => {
                        tracing::warn!(error = %error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }

    fn closed(&self, reason: Closed) {
        self.site.metrics.http_connections_closed.inc((reason,));
    }

    fn connection(
        &self,
        mut stream: Stream,
        peer: Peer,
        permit: OwnedSemaphorePermit,
        mut life: Life,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (site, limits) = (Arc::clone(&self.site), self.limits);
        async move {
            let _open = site.metrics.http_connections.guard(());
            let patience = limits.header_timeout;
            let whose = proxied::whose(&mut stream, peer, &site, patience, &mut life.stop).await;
            let reason = match whose {
                Ok(peer) => serve(stream, peer, &site, limits, life).await,
                Err(closed) => closed,
            };
            site.metrics.http_connections_closed.inc((reason,));
            drop(permit);
        }
    }
}

/// From the connection's start to its end. Before its first request it holds next to nothing.
async fn serve(
    stream: Stream,
    peer: Peer,
    site: &Arc<Site>,
    limits: Limits,
    mut life: Life,
) -> Closed {
    let tls = site.tls();
    let until = Instant::now() + limits.header_timeout;
    let first = tls.as_ref().map_or(First::Head, |_| First::Hello);
    if let Err(closed) = beginning(&stream, first, until, &mut life).await {
        return closed;
    }
    life.many_requests &= !*life.stop.borrow();
    let Some(tls) = tls else {
        return Box::pin(answer(stream, peer, site, limits, life)).await;
    };
    // Whoever only looks whether somebody listens has nothing to shake hands on.
    if !arrival::begun(&stream) {
        return Closed::Normal;
    }
    let secured = async {
        match handshake(stream, tls, until, &mut life).await {
            Ok(stream) => answer(stream, peer, site, limits, life).await,
            Err(closed) => closed,
        }
    };
    Box::pin(secured).await
}

/// Waits for what a connection begins with; at a stop only for the rest of a head: a handshake is
/// no request yet.
async fn beginning(
    stream: &Stream,
    first: First,
    until: Instant,
    life: &mut Life,
) -> Result<(), Closed> {
    let begun = tokio::time::timeout_at(until, arrival::awaited(stream, first));
    let mut begun = std::pin::pin!(begun);
    let came = tokio::select! {
        came = begun.as_mut() => came,
        () = life.over() => match first == First::Head && arrival::begun(stream) {
            true => begun.await,
            false => return Err(Closed::Shutdown),
        },
    };
    match came {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Closed::Reset),
        Err(_) => Err(Closed::HeaderTimeout),
    }
}

/// Agrees with the client on TLS.
async fn handshake(
    stream: Stream,
    tls: Tls,
    until: Instant,
    life: &mut Life,
) -> Result<TlsStream<Stream>, Closed> {
    let accepted = TlsAcceptor::from(tls.server()).accept(stream);
    tokio::select! {
        // A client that is ready has its request answered.
        biased;
        accepted = tokio::time::timeout_at(until, accepted) => match accepted {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(_)) => Err(Closed::Tls),
            Err(_) => Err(Closed::HeaderTimeout),
        },
        () = life.over() => Err(Closed::Shutdown),
    }
}

/// Answers what comes on a connection until it ends or `stop` is set.
///
/// That is what [`Server::run`] does with each connection once its first head is there; `stream`
/// may be anything else that carries bytes both ways.
pub async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: Peer,
    site: &Arc<Site>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> Closed {
    let life = Life {
        stop,
        many_requests: true,
        is_kept: false,
    };
    answer(stream, peer, site, limits, life).await
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: Peer,
    site: &Arc<Site>,
    limits: Limits,
    mut life: Life,
) -> Closed {
    let talk = Talk::default();
    let io = TokioIo::new(Guarded::new(stream, limits.write_timeout, talk.clone()));
    let service = service_fn(|mut request: Request| {
        request.extensions_mut().insert(peer);
        let (site, talk) = (Arc::clone(site), talk.clone());
        talk.heard();
        // Boxed, so that a connection on which nothing is asked does not carry all that answering
        // may need.
        Box::pin(async move {
            let response = site.handle(request, &talk).await;
            talk.answered();
            Ok::<_, std::convert::Infallible>(response)
        })
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(MAX_HEAD)
        // The buffer may be larger than was asked for.
        .max_header_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .keep_alive(life.many_requests)
        // It reads on while a request is answered, so that a connection that breaks ends the work for
        // it. Clients that only stop sending are `Guarded`'s.
        .half_close(false);
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    let result = tokio::select! {
        // Without a head it would be idle, and closed; so it takes that first.
        biased;
        result = connection.as_mut() => result,
        () = raised(&mut life.stop) => {
            connection.as_mut().graceful_shutdown();
            return match connection.await {
                Ok(()) => Closed::Shutdown,
                Err(error) => reason(&error),
            };
        }
    };
    match result {
        Ok(()) => Closed::Normal,
        Err(error) => reason(&error),
    }
}

fn reason(error: &hyper::Error) -> Closed {
    if error.is_timeout() {
        return Closed::HeaderTimeout;
    }
    if error.is_parse() {
        return Closed::Malformed;
    }
    let io = std::error::Error::source(error).and_then(|e| e.downcast_ref::<std::io::Error>());
    match io.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::TimedOut) => Closed::WriteTimeout,
        _ => Closed::Reset,
    }
}
