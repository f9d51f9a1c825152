//! One connection of the corpus on a real socket, and whether it went as it must.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::answer::{self, Answer};
use super::case::{Case, End, Outcome, Sending, Then};

/// A connection must be over after the daemon's deadlines for head, body and answer, of three seconds
/// each, and what a busy machine adds.
const DEADLINE: Duration = Duration::from_secs(30);

/// Between two bytes of a client that drips.
const DRIP: Duration = Duration::from_millis(150);

/// How the daemon ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Closed,
    Reset,
    /// The client went away without looking.
    Unseen,
}

/// What came of a connection that went as it must.
#[derive(Clone, Copy, Debug)]
pub struct Went {
    /// A trigger was acknowledged.
    pub stored: bool,
    /// An answer was given, and the connection reset behind it.
    pub reset: bool,
}

/// Sends the case and holds what comes back against what is right.
///
/// # Errors
/// What is not as it must be.
pub async fn run(case: &Case, address: SocketAddr) -> Result<Went, String> {
    let seen = tokio::time::timeout(DEADLINE, exchange(case, address)).await;
    let (bytes, ended) = seen
        .map_err(|_| format!("it is not over after {DEADLINE:?}"))?
        .map_err(|error| format!("no connection: {error}"))?;
    if ended == Ended::Unseen {
        return Ok(Went {
            stored: false,
            reset: false,
        });
    }
    let is_head = |nth| case.is_head && nth == case.before;
    let told = || String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
    let answers = answer::read(&bytes, is_head, case.continues)
        .map_err(|error| format!("not well-formed: {error}\n{}", told()))?;
    let rest = judge(case, &answers).map_err(|error| format!("{error}, {ended:?}\n{}", told()))?;
    let stored = case.is_trigger() && rest.first().is_some_and(|first| first.status == 200);
    Ok(Went {
        stored,
        reset: ended == Ended::Reset && !answers.is_empty(),
    })
}

fn judge<'a>(case: &Case, answers: &'a [Answer]) -> Result<&'a [Answer], String> {
    let canary = |answer: &Answer| answer.status == 200 && answer.body == case.site.canary_body();
    // Who says that nothing more comes may be taken for gone, and what is under way be given up.
    let gone = matches!(case.sending, Sending::Cut(_, End::HalfClose));
    if gone && answers.len() < case.before && answers.iter().all(canary) {
        return Ok(&[]);
    }
    let (before, rest) = answers.split_at_checked(case.before).ok_or_else(|| {
        format!(
            "{} answers to {} requests before",
            answers.len(),
            case.before
        )
    })?;
    if !before.iter().all(|one| canary(one) && !one.closes) {
        return Err("a request before it was not answered as it must".to_owned());
    }
    let is_right = |right: &Outcome| match (right.status, rest) {
        (None, []) => true,
        (Some(status), [first]) => {
            first.status == status && matches!(right.then, Then::Closed | Then::Either)
        }
        (Some(status), [first, second]) => {
            first.status == status
                && match right.then {
                    Then::Closed => false,
                    Then::Canary | Then::Either => canary(second),
                    Then::Refused => second.status == 400 && second.closes,
                }
        }
        _ => false,
    };
    if case.right.iter().any(is_right) {
        return Ok(rest);
    }
    let codes: Vec<u16> = rest.iter().map(|one| one.status).collect();
    Err(format!(
        "answered {codes:?}; right would be one of {:?}",
        case.right
    ))
}

async fn exchange(case: &Case, address: SocketAddr) -> io::Result<(Vec<u8>, Ended)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let bytes = case.bytes();
    if let Sending::Cut(at, end @ (End::Close | End::Reset)) = case.sending {
        if end == End::Reset {
            stream.set_zero_linger()?;
        }
        let mut stream = stream;
        let _ = stream.write_all(&bytes[..at]).await;
        return Ok((Vec::new(), Ended::Unseen));
    }
    let (reads, writes) = stream.into_split();
    let mut answers = Vec::new();
    // The other half is kept: dropping it would tell the daemon that nothing more comes.
    let (_writes, ended) = tokio::join!(
        send(case.sending, &bytes, writes),
        receive(reads, &mut answers)
    );
    Ok((answers, ended))
}

async fn receive(mut stream: OwnedReadHalf, into: &mut Vec<u8>) -> Ended {
    match stream.read_to_end(into).await {
        Ok(_) => Ended::Closed,
        Err(_) => Ended::Reset,
    }
}

/// What cannot be sent any more is not sent: the daemon may have had enough.
async fn send(how: Sending, bytes: &[u8], mut stream: OwnedWriteHalf) -> OwnedWriteHalf {
    let _ = match how {
        Sending::Whole => stream.write_all(bytes).await,
        Sending::Pieces(count) => pieces(&mut stream, bytes, bytes.len().div_ceil(count)).await,
        Sending::Bytewise => pieces(&mut stream, bytes, 1).await,
        Sending::Cut(at, _) => match stream.write_all(&bytes[..at]).await {
            Ok(()) => stream.shutdown().await,
            failed => failed,
        },
        Sending::Drip(from) => drip(&mut stream, bytes, from).await,
    };
    stream
}

async fn pieces(stream: &mut OwnedWriteHalf, bytes: &[u8], length: usize) -> io::Result<()> {
    for piece in bytes.chunks(length.max(1)) {
        stream.write_all(piece).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// All but the last byte, so that it never ends.
async fn drip(stream: &mut OwnedWriteHalf, bytes: &[u8], from: usize) -> io::Result<()> {
    stream.write_all(&bytes[..from]).await?;
    for byte in &bytes[from..bytes.len() - 1] {
        tokio::time::sleep(DRIP).await;
        stream.write_all(std::slice::from_ref(byte)).await?;
    }
    Ok(())
}
