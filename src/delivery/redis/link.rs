//! The connection to Redis: made when it is needed, replaced when it broke.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo,
    RedisError,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;
use url::Url;

use super::RedisSettings;
use super::error::failure;
use crate::client::{Allowance, CallError, Capped, dial, of_connecting, secure};
use crate::telemetry::labels::ErrorKind;
use crate::tls::trusting_client;

/// For a connection, and again for TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// For an answer.
const RESPONSE: Duration = Duration::from_secs(10);

/// Bytes that an answer may have; those that are asked for are numbers and ids.
const ANSWER: usize = 64 * 1024;

/// The way to one server.
pub(super) struct Link {
    info: ConnectionInfo,
    tls: Option<Arc<ClientConfig>>,
    /// Held while a command is under way, so that messages leave in the order in which they came.
    kept: Mutex<Option<Connection>>,
}

struct Connection {
    commands: MultiplexedConnection,
    allowance: Allowance,
    /// Reads and writes; it ends with the connection.
    #[allow(dead_code, reason = "ends what runs in it when it is dropped")]
    driver: JoinSet<()>,
}

impl Link {
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, String> {
        let wrong = || "is no URL of a Redis server".to_owned();
        let mut url = Url::parse(settings.url.expose()).map_err(|_| wrong())?;
        let is_tls = url.scheme() == "rediss";
        if is_tls {
            // The library would bring TLS of its own.
            url.set_scheme("redis").map_err(|()| wrong())?;
        }
        let info = url.into_connection_info().map_err(|_| wrong())?;
        let redis = info.redis_settings().clone().set_skip_set_lib_name();
        let authorities = settings.authorities.as_deref();
        let tls = is_tls.then(|| trusting_client(authorities)).transpose();
        let tls = tls.map_err(|error| format!("its file of authorities {error}"))?;
        Ok(Self {
            info: info.set_redis_settings(redis),
            tls: tls.map(Arc::new),
            kept: Mutex::new(None),
        })
    }

    /// The server's name or address, and the port; none for a socket in the file system.
    pub(super) fn server(&self) -> Option<(&str, u16)> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => Some((host, *port)),
            _ => None,
        }
    }

    /// Sends one command. What failed takes the connection with it: the next one is new.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CallError> {
        let mut kept = self.kept.lock().await;
        if let Some(mut connection) = kept.take() {
            match connection.ask(command).await {
                // The server may have closed it long ago. Whether it got the command is not known,
                // but a repeat has the same id.
                Err(error) if error.kind == ErrorKind::Reset => {}
                Err(error) => return Err(error),
                Ok(answer) => {
                    *kept = Some(connection);
                    return Ok(answer);
                }
            }
        }
        let mut connection = self.connect().await?;
        let answer = connection.ask(command).await?;
        *kept = Some(connection);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Connection, CallError> {
        match (self.info.addr(), &self.tls) {
            (ConnectionAddr::Tcp(host, port), None) => {
                self.log_in(dial(host, *port, CONNECT).await?).await
            }
            (ConnectionAddr::Tcp(host, port), Some(config)) => {
                let stream = dial(host, *port, CONNECT).await?;
                let stream = secure(stream, host, Arc::clone(config), CONNECT).await?;
                self.log_in(stream).await
            }
            (ConnectionAddr::Unix(path), _) => {
                let place = path.display().to_string();
                let connected = UnixStream::connect(path).await;
                let stream = connected.map_err(|error| of_connecting(&error, &place))?;
                self.log_in(stream).await
            }
            _ => Err(CallError::of(
                ErrorKind::Internal,
                "Redis cannot be reached that way",
            )),
        }
    }

    async fn log_in(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Connection, CallError> {
        let allowance = Allowance::new(ANSWER);
        let stream = Capped {
            stream,
            allowance: allowance.clone(),
        };
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(RESPONSE));
        let settings = self.info.redis_settings();
        let begun = MultiplexedConnection::new_with_config(settings, stream, config);
        let (commands, driver) = tokio::time::timeout(RESPONSE, begun)
            .await
            .map_err(|_| CallError::of(ErrorKind::Timeout, "no answer in time"))?
            .map_err(|error| of_redis(&error, &allowance))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(driver);
        Ok(Connection {
            commands,
            allowance,
            driver: tasks,
        })
    }
}

impl Connection {
    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, CallError> {
        self.allowance.renew();
        let asked = command.query_async(&mut self.commands).await;
        asked.map_err(|error| of_redis(&error, &self.allowance))
    }
}

fn of_redis(error: &RedisError, allowance: &Allowance) -> CallError {
    if allowance.is_spent() {
        return CallError::of(
            ErrorKind::TooLarge,
            "Redis's answer is larger than any that was asked for",
        );
    }
    failure(error)
}
