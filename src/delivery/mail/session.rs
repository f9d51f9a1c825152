//! A conversation with a mail server, and what its answers mean. What it says beside its codes is
//! never kept: it likes to repeat addresses.

use std::error::Error as _;
use std::time::Duration;
use std::{io, iter};

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::Noop;
use lettre::transport::smtp::extension::ClientId;
use std::sync::Arc;

use super::bounded::bounded;
use crate::client::{CallError, dial, of_connecting, secure};
use crate::config::{Security as Protection, SmtpConfig};
use crate::telemetry::labels::ErrorKind;
use crate::tls::trusting_client;
use tokio_rustls::rustls::ClientConfig;

/// For a connection, and again for TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// For saying good-bye to a server that has taken the mail.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where mail is handed in.
pub(super) struct Server {
    host: String,
    port: u16,
    tls: Security,
    credentials: Option<Credentials>,
    /// What this side calls itself.
    hello: ClientId,
}

enum Security {
    Plain,
    AskedFor(TlsParameters),
    FromTheStart(Arc<ClientConfig>),
}

impl Server {
    pub(super) fn new(settings: SmtpConfig, domain: String) -> Result<Self, String> {
        let tls = match settings.security {
            Protection::None => Security::Plain,
            Protection::Starttls => Security::AskedFor(parameters(&settings)?),
            Protection::Tls => Security::FromTheStart(Arc::new(believing(&settings)?)),
        };
        let credentials = settings.login.map(|(user, password)| {
            Credentials::new(user.expose().to_owned(), password.expose().to_owned())
        });
        Ok(Self {
            host: settings.host,
            port: settings.port,
            tls,
            credentials,
            hello: ClientId::Domain(domain),
        })
    }

    /// The server's name or address, and the port.
    pub(super) fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// A connection on which both sides have introduced themselves, with TLS if it is asked for.
    pub(super) async fn open(&self) -> Result<AsyncSmtpConnection, CallError> {
        let stream = dial(&self.host, self.port, CONNECT).await?;
        let stream: Box<dyn AsyncTokioStream> = match &self.tls {
            Security::FromTheStart(config) => {
                let config = Arc::clone(config);
                Box::new(bounded(secure(stream, &self.host, config, CONNECT).await?))
            }
            _ => Box::new(bounded(stream)),
        };
        let greeted = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await;
        let mut session = greeted.map_err(|error| self.failure(&error))?;
        if let Security::AskedFor(parameters) = &self.tls {
            if !session.can_starttls() {
                let message = "the mail server offers no STARTTLS, so it is not spoken to";
                return Err(CallError::of(ErrorKind::Refused, message));
            }
            let secured = session.starttls(parameters.clone(), &self.hello).await;
            secured.map_err(|error| self.failure(&error))?;
        }
        Ok(session)
    }

    pub(super) async fn log_in(&self, session: &mut AsyncSmtpConnection) -> Result<(), CallError> {
        let Some(credentials) = &self.credentials else {
            return Ok(());
        };
        let done = session.auth(DEFAULT_MECHANISMS, credentials).await;
        done.map(drop).map_err(|error| {
            if error.is_permanent() {
                return refused_login();
            }
            if error.is_client() {
                let message = "the mail server offers no login that is known here (without TLS?)";
                return CallError::of(ErrorKind::Unauthorized, message);
            }
            self.failure(&error)
        })
    }

    /// Before there is a mail: no code means that one can never be sent.
    fn failure(&self, error: &Error) -> CallError {
        if let Some(code) = error.status() {
            let message = format!("the mail server lets nobody in now (code {code})");
            return CallError::of(ErrorKind::Refused, &message);
        }
        let mut causes = iter::successors(error.source(), |&cause| cause.source());
        let cause = causes.find_map(|cause| cause.downcast_ref::<io::Error>());
        match cause {
            Some(cause) if is_unconnected(error) && !error.is_timeout() => {
                of_connecting(cause, &format!("{}:{}", self.host, self.port))
            }
            _ => failure(error),
        }
    }
}

fn believing(settings: &SmtpConfig) -> Result<ClientConfig, String> {
    trusting_client(settings.authorities.as_deref()).map_err(|_| unreadable())
}

fn parameters(settings: &SmtpConfig) -> Result<TlsParameters, String> {
    // The library takes a file without any certificate.
    believing(settings)?;
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(pem) = &settings.authorities {
        let authority = Certificate::from_pem(pem).map_err(|_| unreadable())?;
        builder = builder
            .certificate_store(CertificateStore::None)
            .add_root_certificate(authority);
    }
    builder.build().map_err(|_| unreadable())
}

fn unreadable() -> String {
    "its file of authorities holds no certificate that can be read".to_owned()
}

fn refused_login() -> CallError {
    CallError::of(
        ErrorKind::Unauthorized,
        "the mail server refuses the login (are user and password right?)",
    )
}

/// Hands the mail in, and says good-bye.
pub(super) async fn send(
    session: &mut AsyncSmtpConnection,
    mail: &Message,
) -> Result<(), CallError> {
    let sent = session.send(mail.envelope(), &mail.formatted()).await;
    sent.map_err(|error| failure(&error))?;
    // It has the mail, whatever becomes of the connection.
    let _ = tokio::time::timeout(GOODBYE, session.quit()).await;
    Ok(())
}

/// Asks for nothing.
pub(super) async fn ask(session: &mut AsyncSmtpConnection) -> Result<(), CallError> {
    let answered = session.command(Noop).await;
    answered.map_err(|error| failure(&error))?;
    let _ = tokio::time::timeout(GOODBYE, session.quit()).await;
    Ok(())
}

/// What an error of the library says, in our terms.
fn failure(error: &Error) -> CallError {
    let Some(code) = error.status().map(u16::from) else {
        return match error {
            error if error.is_timeout() => {
                CallError::of(ErrorKind::Timeout, "no answer of the mail server in time")
            }
            error if error.is_response() => CallError::of(
                ErrorKind::Invalid,
                "the mail server's answer cannot be understood",
            ),
            error if error.is_client() => CallError::of(
                ErrorKind::Rejected,
                "the mail server cannot take an address with such letters",
            ),
            _ => CallError::of(
                ErrorKind::Reset,
                "the connection to the mail server broke before it had taken the mail",
            ),
        };
    };
    match code {
        530 | 534 | 535 | 538 => refused_login(),
        500.. => CallError::of(
            ErrorKind::Rejected,
            &format!("the mail server refuses the mail for good (code {code})"),
        ),
        _ => CallError::of(
            ErrorKind::Refused,
            &format!("the mail server does not take the mail now (code {code})"),
        ),
    }
}

/// Whether no connection or no TLS came about; what breaks later is a matter of the network. The
/// library tells its kinds apart by their text only.
fn is_unconnected(error: &Error) -> bool {
    error.to_string().starts_with("Connection error")
}
