//! The running daemon, asked over HTTP.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use tokio::runtime::Runtime;

use super::place::Place;
use super::refusal::refused;
use crate::app::Failure;
use crate::client::{self, Body, CallError, Timeouts, of_reqwest};
use crate::config::{Config, Secret};
use crate::telemetry::labels::ErrorKind;

/// Bytes of an answer: far more than a page of changes has.
const LARGEST_ANSWER: usize = 64 << 20;

/// What all commands that ask the daemon have in common.
#[derive(Debug, Args)]
pub struct Asking {
    /// Print the daemon's JSON, one object per line, instead of text
    #[arg(long)]
    pub json: bool,
    /// How long to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
}

impl Asking {
    /// How long an answer may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Where the public listener is.
#[derive(Debug, Args)]
pub struct PublicListener {
    /// The daemon's public listener [default: as the settings say]
    #[arg(long, value_name = "URL", value_parser = Place::parse)]
    url: Option<Place>,
}

/// Where the administration listener is.
#[derive(Debug, Args)]
pub struct AdminListener {
    /// The daemon's administration listener [default: as the settings say]
    #[arg(long, value_name = "URL", value_parser = Place::parse)]
    admin_url: Option<Place>,
}

/// One of the daemon's listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// For those who trigger and look.
    Public,
    /// For operators.
    Admin,
}

impl Listener {
    /// The option that says where it is.
    pub fn option(self) -> &'static str {
        match self {
            Self::Public => "--url",
            Self::Admin => "--admin-url",
        }
    }
}

/// A listener of the running daemon.
pub struct Remote {
    /// Which one.
    pub listener: Listener,
    place: Place,
    token: Option<Secret>,
    connection: Connection,
}

/// A client for one place, and where it works.
pub struct Connection {
    /// The client.
    pub client: reqwest::Client,
    /// A runtime of its own.
    pub runtime: Runtime,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// When to come back, in seconds, if it says so.
    pub retry_after: Option<u64>,
    /// Its body.
    pub body: String,
}

impl PublicListener {
    /// The listener that is meant, which may take `patience` for an answer.
    pub fn open(&self, config: &Config, patience: Duration) -> Result<Remote, Failure> {
        let (listen, tls) = (&config.http.listen, config.http.tls.as_ref());
        let known = Place::of(listen, tls);
        let place = found(self.url.as_ref(), known, "PORT", Listener::Public)?;
        Remote::new(Listener::Public, place, None, patience)
    }
}

impl AdminListener {
    /// The listener that is meant, which may take `patience` for an answer.
    pub fn open(&self, config: &Config, patience: Duration) -> Result<Remote, Failure> {
        let listen = config.admin.listen.as_ref();
        let known = listen.and_then(|address| Place::of(address, None));
        let place = found(
            self.admin_url.as_ref(),
            known,
            "ADMIN_LISTEN",
            Listener::Admin,
        )?;
        Remote::new(Listener::Admin, place, config.admin.token.clone(), patience)
    }
}

impl Connection {
    /// A client that gives everything at most `patience`.
    pub fn new(place: &Place, patience: Duration) -> Result<Self, Failure> {
        let timeouts = Timeouts {
            connect: patience,
            read: patience,
            total: patience,
        };
        let mut builder = client::builder(&place.base, timeouts);
        if let Some(path) = &place.socket {
            builder = builder.unix_socket(path.clone());
        }
        if let Some(tls) = &place.tls {
            let config = tls.client().context("cannot prepare TLS")?;
            builder = builder.tls_backend_preconfigured(config);
        }
        let client = builder.build().context("cannot prepare the client")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the client")?;
        Ok(Self { client, runtime })
    }
}

impl Remote {
    fn new(
        listener: Listener,
        place: Place,
        token: Option<Secret>,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let connection = Connection::new(&place, patience)?;
        Ok(Self {
            listener,
            place,
            token,
            connection,
        })
    }

    /// Where it is, without a password.
    pub fn place(&self) -> String {
        self.place.to_string()
    }

    /// Whether it is told a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// A request for a path below the listener's address, with a query if there is one.
    pub fn request(&self, method: Method, path: &str, query: Option<&str>) -> RequestBuilder {
        let mut url = client::endpoint(&self.place.base, path);
        url.set_query(query);
        let request = self.connection.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// Whatever is answered.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when nothing is, or not in time.
    pub fn ask(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let answered = self.connection.runtime.block_on(receive(request));
        answered.map_err(|error| {
            let hint = match error.kind {
                ErrorKind::Timeout => "--timeout gives it longer".to_owned(),
                _ => format!("{} names another address", self.listener.option()),
            };
            Failure::Unavailable(format!("{}: {}; {hint}", self.place(), error.message))
        })
    }

    /// The body of an answer that must be 200.
    ///
    /// # Errors
    /// What the answer says otherwise.
    pub fn fetch(&self, request: RequestBuilder) -> Result<String, Failure> {
        let answer = self.ask(request)?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            _ => Err(refused(self, &answer)),
        }
    }

    /// Reads JSON of the daemon's.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when somebody else seems to have answered.
    pub fn parse<'a, T: serde::Deserialize<'a>>(&self, body: &'a str) -> Result<T, Failure> {
        serde_json::from_str(body).map_err(|_| {
            Failure::Unavailable(format!(
                "{}: the answer is not that of a match-list-processor; {} names another address",
                self.place(),
                self.listener.option()
            ))
        })
    }
}

/// Whatever is answered, read to its end.
pub async fn receive(request: RequestBuilder) -> Result<Answer, CallError> {
    let response = request.send().await.map_err(|error| of_reqwest(&error))?;
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = Body::new(response, LARGEST_ANSWER)?.whole().await?;
    Ok(Answer {
        status,
        retry_after,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    })
}

fn found(
    named: Option<&Place>,
    known: Option<Place>,
    setting: &str,
    listener: Listener,
) -> Result<Place, Failure> {
    named.cloned().or(known).ok_or_else(|| {
        Failure::Unusable(format!(
            "{setting} does not say where the daemon listens; {} names the address",
            listener.option()
        ))
    })
}
