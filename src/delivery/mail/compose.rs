//! A mail from its parts, as RFC 5322 and MIME have it.

use std::time::SystemTime;

use jiff::Timestamp;
use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart};

use crate::client::CallError;
use crate::delivery::message_id;
use crate::domain::notify::MailContent;
use crate::telemetry::labels::ErrorKind;

/// What the calendar file is called.
const CALENDAR: &str = "match.ics";

/// A mail to one recipient.
///
/// # Errors
/// When `to` is no address, or the mail cannot be made of its parts. No attempt will change that.
pub(super) fn compose(
    from: &Mailbox,
    to: &str,
    id: &str,
    content: &MailContent,
    now: Timestamp,
) -> Result<Message, CallError> {
    let rejected = |message| CallError::of(ErrorKind::Rejected, message);
    let to = to
        .trim()
        .parse()
        .map_err(|_| rejected("the recipient's address is no mail address"))?;
    let message_id = format!("<{}@{}>", message_id(id), from.email.domain());
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(one_line(&content.subject))
        .message_id(Some(message_id))
        .date(SystemTime::try_from(now).unwrap_or(SystemTime::UNIX_EPOCH))
        // So that nobody's out-of-office note answers (RFC 3834).
        .raw_header(automatic())
        .multipart(parts(content)?)
        .map_err(|_| rejected("the mail cannot be made of its parts"))
}

fn automatic() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

fn parts(content: &MailContent) -> Result<MultiPart, CallError> {
    let told = MultiPart::alternative_plain_html(content.text.clone(), content.html.clone());
    let Some(calendar) = &content.calendar else {
        return Ok(told);
    };
    let kind = format!(
        "text/calendar; charset=utf-8; method={}",
        calendar.method.label()
    );
    let kind = ContentType::parse(&kind)
        .map_err(|_| CallError::of(ErrorKind::Internal, "the calendar file has no type"))?;
    // As bytes: of a text the line ends would be made anew.
    let file = Attachment::new(CALENDAR.to_owned()).body(calendar.text.clone().into_bytes(), kind);
    Ok(MultiPart::mixed().multipart(told).singlepart(file))
}

/// Whatever breaks a line would begin another header.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
