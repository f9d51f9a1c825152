//! Mail by a real mail server.

use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;
use std::time::Instant;

use match_list_processor::client::{CallError, HealthStatus};
use match_list_processor::clock::Clock;
use match_list_processor::config::{Secret, Security, SmtpConfig};
use match_list_processor::delivery::Mail;
use match_list_processor::domain::notify::{Calendar, MailContent, Method};
use match_list_processor::telemetry::labels::ErrorKind;
use match_list_processor::telemetry::metrics::Metrics;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::support::smtp::SmtpServer;
use crate::support::wire::{serve, unused_address};

const TO: &str = "domare@example.com";
const ICS: &str = "BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nSUMMARY:Hemma – Borta på Ängen\r\n \
                   och en rad till\r\nEND:VCALENDAR\r\n";

fn settings(port: u16) -> SmtpConfig {
    SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::None,
        authorities: None,
        login: None,
        from: "Domaråd <noreply@mlp.example>".to_owned(),
    }
}

fn mail_with(settings: SmtpConfig) -> Mail {
    Mail::new(settings, Clock::system(), Arc::new(Metrics::new())).unwrap()
}

fn mail(server: &SmtpServer) -> Mail {
    mail_with(settings(server.port))
}

fn content() -> MailContent {
    MailContent {
        subject: "Ny avspark 18:30: Hemma – Borta".to_owned(),
        text: "Avspark 18:30\n.\nPå Ängen\n".to_owned(),
        html: format!("<p>Avspark 18:30</p><p>{}</p>", "å".repeat(2000)),
        calendar: Some(Calendar {
            method: Method::Publish,
            text: ICS.to_owned(),
        }),
    }
}

async fn failure(mail: &Mail, to: &str) -> CallError {
    let error = mail.send("delivery-1-2", to, &content()).await.unwrap_err();
    assert!(!error.message.contains('@'), "{error}");
    error
}

fn header<'a>(told: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = told["headers"].as_array().unwrap();
    let found = headers.iter().filter(|header| header[0] == name);
    found.map(|header| header[1].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    let mut server = SmtpServer::start(&[]);
    mail(&server)
        .send("delivery-1-2", TO, &content())
        .await
        .unwrap();
    let told = server.next();
    assert_eq!(told["from"], "noreply@mlp.example");
    assert_eq!(told["to"], json!([TO]));
    assert_eq!(
        header(&told, "Subject"),
        ["Ny avspark 18:30: Hemma – Borta"]
    );
    assert_eq!(header(&told, "From"), ["Domaråd <noreply@mlp.example>"]);
    assert_eq!(header(&told, "To"), [TO]);
    assert_eq!(header(&told, "Auto-Submitted"), ["auto-generated"]);
    assert_eq!(header(&told, "Date").len(), 1);
    assert_eq!(
        told["kinds"],
        json!([
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "text/html",
            "text/calendar"
        ])
    );
    let parts = &told["parts"];
    let text = parts[0]["content"].as_str().unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), content().text.trim_end());
    let html = parts[1]["content"].as_str().unwrap().replace("\r\n", "\n");
    assert_eq!(html.trim_end(), content().html);
    let calendar = json!({
        "type": "text/calendar", "method": "PUBLISH", "file": "match.ics", "content": ICS,
    });
    assert_eq!(parts[2], calendar);
    assert!(told["longest"].as_u64().unwrap() <= 78, "{told}");
    assert_eq!(told["ascii"], true);
    let plain = MailContent {
        calendar: None,
        ..content()
    };
    mail(&server)
        .send("delivery-1-2", TO, &plain)
        .await
        .unwrap();
    assert_eq!(server.next()["kinds"][0], "multipart/alternative");
}

#[tokio::test]
async fn a_mail_that_is_sent_again_is_the_same_mail() {
    let mut server = SmtpServer::start(&[]);
    let mail = mail(&server);
    let mut ids = Vec::new();
    for key in ["delivery-1-2", "delivery-1-2", "delivery-2-2"] {
        mail.send(key, TO, &content()).await.unwrap();
        let told = server.next();
        ids.push(header(&told, "Message-ID")[0].to_owned());
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert!(ids[0].ends_with("@mlp.example>"), "{}", ids[0]);
}

#[tokio::test]
async fn no_text_becomes_a_header_or_a_recipient() {
    let mut server = SmtpServer::start(&[]);
    let hostile = [
        "x\r\nBcc: other@example.com",
        "x\nBcc: other@example.com\n\nbody",
        "x\rBcc: other@example.com",
        "å\r\n\r\n<script>",
        "x\u{0}\u{85}\u{2028}Bcc: other@example.com",
        "=?utf-8?q?x=0D=0ABcc:_other=40example.com?=",
        &"Å\r\nBcc: other@example.com ".repeat(40),
    ];
    for subject in hostile {
        let content = MailContent {
            subject: subject.to_owned(),
            text: format!("{subject}\r\n.\r\nMAIL FROM:<x@example.com>\r\n"),
            ..content()
        };
        mail(&server).send("x", TO, &content).await.unwrap();
        let told = server.next();
        assert_eq!(told["to"], json!([TO]), "{subject:?}");
        assert!(header(&told, "Bcc").is_empty(), "{subject:?}");
        let names: Vec<&Value> = told["headers"].as_array().unwrap().iter().collect();
        assert_eq!(names.len(), 8, "{subject:?}: {names:?}");
        let text = told["parts"][0]["content"].as_str().unwrap();
        assert!(text.contains("MAIL FROM"), "{text}");
    }
    for to in [
        "domare@example.com\r\nBcc: other@example.com",
        "domare@example.com>\r\nRCPT TO:<other@example.com",
        "domare@example.com, other@example.com",
        "Namn <domare@example.com>",
        "domare",
        "",
    ] {
        let error = failure(&mail(&server), to).await;
        assert!(error.is_permanent(), "{to:?}");
    }
}

#[tokio::test]
async fn a_refusal_for_now_is_told_from_one_for_good() {
    let mut server = SmtpServer::start(&[]);
    let mail = mail(&server);
    for (to, kind, code) in [
        ("later@example.com", ErrorKind::Refused, "451"),
        ("busy@example.com", ErrorKind::Refused, "421"),
        ("never@example.com", ErrorKind::Rejected, "550"),
        ("spam@example.com", ErrorKind::Rejected, "554"),
    ] {
        let error = failure(&mail, to).await;
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(error.is_permanent(), kind == ErrorKind::Rejected);
        assert!(error.message.contains(code), "{error}");
    }
    // Others have their mail all the same.
    mail.send("x", TO, &content()).await.unwrap();
    assert_eq!(server.next()["to"], json!([TO]));
}

struct Certified {
    folder: tempfile::TempDir,
    authority: Vec<u8>,
}

fn certified() -> Certified {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tls.crt"), certificate.pem()).unwrap();
    std::fs::write(folder.path().join("tls.key"), key.serialize_pem()).unwrap();
    Certified {
        folder,
        authority: issuer.pem().into_bytes(),
    }
}

#[tokio::test]
async fn tls_is_spoken_with_whom_an_authority_vouches_for() {
    let certified = certified();
    let path = |name| certified.folder.path().join(name).display().to_string();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let pair = ["--cert", &certificate, "--key", &key];
    for (security, arguments) in [
        (Security::Starttls, pair.to_vec()),
        (Security::Tls, [&pair[..], &["--tls"]].concat()),
    ] {
        let mut server = SmtpServer::start(&arguments);
        let at = |host: &str, authorities: Option<Vec<u8>>| {
            mail_with(SmtpConfig {
                host: host.to_owned(),
                security,
                authorities,
                ..settings(server.port)
            })
        };
        let known = at("localhost", Some(certified.authority.clone()));
        let strangers = [
            at("localhost", None),
            at("127.0.0.1", Some(certified.authority.clone())),
        ];
        for stranger in strangers {
            let error = failure(&stranger, TO).await;
            assert_eq!(error.kind, ErrorKind::Connect, "{error}");
            assert!(error.message.contains("certificate"), "{error}");
            assert_eq!(stranger.probe().await.status, HealthStatus::Unhealthy);
        }
        known.send("x", TO, &content()).await.unwrap();
        assert_eq!(known.probe().await.status, HealthStatus::Healthy);
        let told = server.next();
        assert_eq!(told["tls"], true, "{security}");
        assert_eq!(header(&told, "Message-ID").len(), 1, "the first that came");
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_said() {
    let server = SmtpServer::start(&["--login", "mlp:invented"]);
    let mail = mail_with(SmtpConfig {
        security: Security::Starttls,
        login: Some((Secret::new("mlp".into()), Secret::new("invented".into()))),
        ..settings(server.port)
    });
    let error = failure(&mail, TO).await;
    assert!(error.message.contains("no STARTTLS"), "{error}");
    assert!(!error.is_permanent());
    let plain = mail_with(SmtpConfig {
        security: Security::Tls,
        ..settings(server.port)
    });
    let error = failure(&plain, TO).await;
    assert_eq!(error.kind, ErrorKind::Connect, "{error}");
    assert!(error.message.contains("speaks no TLS"), "{error}");
}

#[tokio::test]
async fn a_login_that_is_refused_waits_for_a_person() {
    let mut server = SmtpServer::start(&["--login", "mlp:lösen ord"]);
    let with = |login: Option<(&str, &str)>| {
        let login = login.map(|(user, password)| {
            (
                Secret::new(user.to_owned()),
                Secret::new(password.to_owned()),
            )
        });
        mail_with(SmtpConfig {
            login,
            ..settings(server.port)
        })
    };
    let right = with(Some(("mlp", "lösen ord")));
    let wrong = [with(Some(("mlp", "wrong"))), with(None)];
    for mail in wrong {
        let error = failure(&mail, TO).await;
        assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
        assert!(error.message.contains("refuses the login"), "{error}");
        assert!(!error.is_permanent());
        assert!(!error.message.contains("wrong"));
        assert!(!format!("{mail:?}").contains("wrong"));
        assert_eq!(mail.probe().await.status, HealthStatus::Healthy);
    }
    right.send("x", TO, &content()).await.unwrap();
    assert_eq!(server.next()["login"], true);
    let open = SmtpServer::start(&[]);
    let asks = mail_with(SmtpConfig {
        login: Some((Secret::new("mlp".into()), Secret::new("x".into()))),
        ..settings(open.port)
    });
    let error = failure(&asks, TO).await;
    assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
    assert!(error.message.contains("offers no login"), "{error}");
}

#[tokio::test]
async fn a_server_is_gone_and_back() {
    let mut server = SmtpServer::start(&[]);
    let mail = mail(&server);
    mail.send("x", TO, &content()).await.unwrap();
    server.kill();
    let error = failure(&mail, TO).await;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert!(error.message.contains("does it run?"), "{error}");
    assert_eq!(mail.probe().await.status, HealthStatus::Unhealthy);
    server.again();
    mail.send("x", TO, &content()).await.unwrap();
    assert_eq!(server.next()["to"], json!([TO]));
    assert_eq!(mail.probe().await.status, HealthStatus::Healthy);
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_time_and_no_more() {
    let mut server = SmtpServer::start(&[]);
    let mail = mail(&server);
    let sending = tokio::spawn(async move { failure(&mail, "hangs@example.com").await });
    let told = tokio::task::spawn_blocking(move || (server.next(), server));
    let (told, _server) = told.await.unwrap();
    assert_eq!(told["hangs"], true);
    // From here on only time can pass.
    tokio::time::pause();
    let begun = Instant::now();
    let error = sending.await.unwrap();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert!(begun.elapsed().as_secs() < 20);
}

/// A server of few words: what it says to each line that it reads, first of all without one.
fn curt(answers: &'static [&'static str]) -> Mail {
    let address = serve(move |stream| {
        let mut lines = BufReader::new(&stream).lines();
        for answer in answers {
            let _ = (&stream).write_all(answer.as_bytes());
            if lines.next().is_none() {
                return;
            }
        }
    });
    mail_with(settings(address.port()))
}

#[tokio::test]
async fn what_is_no_mail_server_is_no_trap() {
    let refuses = curt(&["554 no\r\n"]);
    let error = failure(&refuses, TO).await;
    assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    assert!(error.message.contains("554"), "{error}");
    for answers in [
        &["HTTP/1.1 400 Bad Request\r\n\r\n"][..],
        &["220 hello\r\n"],
        &["220 hello\r\n", "250 hello\r\n", "250 OK\r\n", "250 OK\r\n"],
        &["220 hello\r\n", "999 what\r\n"],
    ] {
        let error = failure(&curt(answers), TO).await;
        let kinds = [ErrorKind::Invalid, ErrorKind::Reset];
        assert!(kinds.contains(&error.kind), "{answers:?}: {error:?}");
        assert!(!error.is_permanent(), "{answers:?}");
    }
    let endless = serve(|stream| while (&stream).write_all(&[b'2'; 4096]).is_ok() {});
    let begun = Instant::now();
    let error = failure(&mail_with(settings(endless.port())), TO).await;
    assert!(!error.is_permanent(), "{error}");
    assert!(
        begun.elapsed().as_secs() < 10,
        "what it says is not read to its end"
    );
    let unknown = mail_with(SmtpConfig {
        host: "nosuch.invalid".to_owned(),
        ..settings(unused_address().port())
    });
    let error = failure(&unknown, TO).await;
    assert!(error.message.contains("its name is not known"), "{error}");
    let new = |settings| Mail::new(settings, Clock::system(), Arc::new(Metrics::new()));
    let wrong = SmtpConfig {
        from: "nobody".to_owned(),
        ..settings(25)
    };
    assert_eq!(new(wrong).unwrap_err(), "the sender is no mail address");
    let wrong = SmtpConfig {
        security: Security::Tls,
        authorities: Some(b"nonsense".to_vec()),
        ..settings(25)
    };
    assert!(new(wrong).unwrap_err().contains("no certificate"));
}
