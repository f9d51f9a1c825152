//! Messages on a real Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use match_list_processor::client::{CallError, HealthStatus};
use match_list_processor::config::Secret;
use match_list_processor::delivery::{Redis, RedisSettings};
use match_list_processor::telemetry::labels::ErrorKind;
use match_list_processor::telemetry::metrics::Metrics;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::redis::RedisServer;
use crate::support::wire::{serve, unused_address};

const CHANNEL: &str = "fogis:matches:updates";
const BODY: &str = "{\"note\":\"Åby \\u00e5 – \u{26bd}\",\n\"n\":1.10}";

fn settings(url: &str) -> RedisSettings {
    RedisSettings {
        url: Secret::new(url.to_owned()),
        authorities: None,
        require_subscriber: true,
    }
}

fn redis(url: &str) -> Redis {
    Redis::new(&settings(url), Arc::new(Metrics::new())).unwrap()
}

/// One that does not care who listens.
fn careless(url: &str) -> Redis {
    let settings = RedisSettings {
        require_subscriber: false,
        ..settings(url)
    };
    Redis::new(&settings, Arc::new(Metrics::new())).unwrap()
}

async fn failure(redis: &Redis) -> CallError {
    let error = redis.publish(CHANNEL, BODY).await.unwrap_err();
    assert!(!error.is_permanent(), "{error}");
    error
}

#[tokio::test]
async fn a_message_reaches_its_subscribers_as_it_is() {
    let server = RedisServer::start();
    let redis = redis(&server.url());
    let mut subscriber = server.subscriber(&format!("SUBSCRIBE {CHANNEL}"));
    redis.publish(CHANNEL, BODY).await.unwrap();
    assert_eq!(subscriber.next(), ["message", CHANNEL, BODY]);
}

#[tokio::test]
async fn a_message_that_nobody_receives_waits() {
    let server = RedisServer::start();
    let redis = redis(&server.url());
    let error = failure(&redis).await;
    assert_eq!(error.kind, ErrorKind::NoReceiver);
    assert!(error.message.contains(CHANNEL), "{error}");
    let health = redis.probe(Some(CHANNEL)).await;
    assert_eq!(health.status, HealthStatus::Degraded);
    assert_eq!(health.error, Some(error.message));
    assert_eq!(redis.probe(None).await.status, HealthStatus::Healthy);
    careless(&server.url())
        .publish(CHANNEL, BODY)
        .await
        .unwrap();
    for command in ["SUBSCRIBE fogis:matches:updates", "PSUBSCRIBE fogis:*"] {
        let _subscriber = server.subscriber(command);
        redis.publish(CHANNEL, BODY).await.unwrap();
        let health = redis.probe(Some(CHANNEL)).await;
        assert_eq!(health.status, HealthStatus::Healthy, "{command}");
    }
}

#[tokio::test]
async fn a_stream_keeps_what_nobody_read_yet() {
    let server = RedisServer::start();
    let redis = redis(&server.url());
    redis
        .append("fogis:log", 100, "delivery-1-2", BODY)
        .await
        .unwrap();
    let mut client = server.client();
    let kept = client.ask("XRANGE fogis:log - +");
    assert_eq!(kept[1..], ["id", "delivery-1-2", "message", BODY]);
    for number in 0..500 {
        let id = format!("delivery-{number}");
        redis.append("fogis:log", 100, &id, "{}").await.unwrap();
    }
    let length: u32 = client.ask("XLEN fogis:log")[0].parse().unwrap();
    assert!((100..300).contains(&length), "{length}");
    client.ask("SET fogis:text x");
    let error = redis.append("fogis:text", 1, "x", "x").await.unwrap_err();
    assert!(
        error.message.contains("something else than a stream"),
        "{error}"
    );
    assert!(!error.is_permanent());
}

#[tokio::test]
async fn a_restart_between_two_messages_goes_unnoticed() {
    let mut server = RedisServer::start();
    let redis = careless(&server.url());
    redis.publish(CHANNEL, BODY).await.unwrap();
    server.kill();
    server.again();
    redis.publish(CHANNEL, BODY).await.unwrap();
    assert_eq!(redis.probe(None).await.status, HealthStatus::Healthy);
}

#[tokio::test]
async fn redis_is_gone_and_back() {
    let mut server = RedisServer::start();
    let redis = careless(&server.url());
    redis.publish(CHANNEL, BODY).await.unwrap();
    server.kill();
    for _ in 0..2 {
        let error = failure(&redis).await;
        assert_eq!(error.kind, ErrorKind::Connect, "{error}");
        let place = server.address().to_string();
        assert!(error.message.contains(&place), "{error}");
        assert!(error.message.contains("does it run?"), "{error}");
        assert_eq!(redis.probe(None).await.status, HealthStatus::Unhealthy);
    }
    server.again();
    redis.publish(CHANNEL, BODY).await.unwrap();
}

#[tokio::test]
async fn a_server_that_stands_still_costs_its_time_and_no_more() {
    let server = RedisServer::start();
    let redis = careless(&server.url());
    let new = careless(&server.url());
    redis.publish(CHANNEL, BODY).await.unwrap();
    server.freeze();
    let begun = Instant::now();
    let (kept, fresh) = tokio::join!(failure(&redis), failure(&new));
    let took = begun.elapsed();
    server.thaw();
    assert_eq!(kept.kind, ErrorKind::Timeout, "{kept}");
    assert_eq!(fresh.kind, ErrorKind::Timeout, "{fresh}");
    assert!(took < Duration::from_secs(18), "{took:?}");
    redis.publish(CHANNEL, BODY).await.unwrap();
    new.publish(CHANNEL, BODY).await.unwrap();
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_from_a_server_that_is_down() {
    let server = RedisServer::with(|_, _| {
        let lines = [
            "--user default off",
            "--user mlp on >vägen+1 &fogis:matches:* +publish +ping",
            "--user dumb on >vägen+1 &fogis:* +ping",
        ];
        let words = lines.iter().flat_map(|line| line.split(' '));
        words.map(str::to_owned).collect()
    });
    let at = |login: &str| careless(&format!("redis://{login}{}", server.address()));
    let encoded = "v%C3%A4gen%2B1";
    let right = at(&format!("mlp:{encoded}@"));
    right.publish(CHANNEL, BODY).await.unwrap();
    assert_eq!(
        right.probe(Some(CHANNEL)).await.status,
        HealthStatus::Healthy
    );
    let other = right.publish("fogis:elsewhere", BODY).await.unwrap_err();
    let cases = [
        (failure(&at("mlp:wrong@")).await, "refuses the login"),
        (failure(&at("")).await, "refuses the login"),
        (failure(&at("nobody:wrong@")).await, "refuses the login"),
        (other, "ACL"),
        (failure(&at(&format!("dumb:{encoded}@"))).await, "ACL"),
    ];
    for (error, expected) in cases {
        assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
        assert!(error.message.contains(expected), "{error}");
        for secret in ["mlp", "dumb", "wrong", "gen", "elsewhere"] {
            assert!(!error.message.contains(secret), "{error}");
        }
    }
    let health = at("mlp:wrong@").probe(Some(CHANNEL)).await;
    assert_eq!(health.status, HealthStatus::Unhealthy);
    assert!(!format!("{right:?}").contains("mlp"), "{right:?}");
}

#[tokio::test]
async fn a_right_that_comes_later_is_used_at_once() {
    let server = RedisServer::start();
    let mut admin = server.client();
    admin.ask("ACL SETUSER mlp on >invented-1 +ping resetchannels");
    let redis = careless(&format!("redis://mlp:invented-1@{}", server.address()));
    assert_eq!(failure(&redis).await.kind, ErrorKind::Unauthorized);
    admin.ask("ACL SETUSER mlp +publish allchannels");
    redis.publish(CHANNEL, BODY).await.unwrap();
    admin.ask("ACL SETUSER mlp resetpass >invented-2");
    admin.ask("CLIENT KILL USER mlp");
    let error = failure(&redis).await;
    assert_eq!(error.kind, ErrorKind::Unauthorized, "{error}");
}

#[tokio::test]
async fn tls_is_spoken_with_whom_an_authority_vouches_for() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
    let port = unused_address().port();
    let server = RedisServer::with(|_, folder| {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(format!("{folder}/tls.crt"), certificate.pem()).unwrap();
        std::fs::write(format!("{folder}/tls.key"), key.serialize_pem()).unwrap();
        let line = format!(
            "--tls-port {port} --tls-cert-file {folder}/tls.crt --tls-key-file {folder}/tls.key \
             --tls-auth-clients no --tls-ca-cert-file {folder}/tls.crt"
        );
        line.split(' ').map(str::to_owned).collect()
    });
    let mut subscriber = server.subscriber(&format!("SUBSCRIBE {CHANNEL}"));
    let at = |host: &str, authorities| {
        let settings = RedisSettings {
            authorities,
            ..settings(&format!("rediss://{host}:{port}"))
        };
        Redis::new(&settings, Arc::new(Metrics::new())).unwrap()
    };
    let pem = Some(issuer.pem().into_bytes());
    at("localhost", pem.clone())
        .publish(CHANNEL, BODY)
        .await
        .unwrap();
    assert_eq!(subscriber.next(), ["message", CHANNEL, BODY]);
    for stranger in [at("localhost", None), at("127.0.0.1", pem)] {
        let error = failure(&stranger).await;
        assert_eq!(error.kind, ErrorKind::Connect, "{error}");
        assert!(error.message.contains("certificate"), "{error}");
    }
    let plain = failure(&redis(&format!("redis://127.0.0.1:{port}"))).await;
    assert!(
        matches!(plain.kind, ErrorKind::Reset | ErrorKind::Invalid),
        "{plain:?}"
    );
    let garbled = RedisSettings {
        authorities: Some(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
        ),
        ..settings("rediss://localhost")
    };
    assert!(Redis::new(&garbled, Arc::new(Metrics::new())).is_err());
}

#[tokio::test]
async fn a_unix_socket_is_as_good() {
    let server = RedisServer::with(|_, folder| {
        vec!["--unixsocket".to_owned(), format!("{folder}/redis.sock")]
    });
    let path = server.folder.path().join("redis.sock");
    for url in [
        format!("unix:{}", path.display()),
        format!("unix://{}", path.display()),
    ] {
        let mut subscriber = server.subscriber(&format!("SUBSCRIBE {CHANNEL}"));
        redis(&url).publish(CHANNEL, BODY).await.unwrap();
        assert_eq!(subscriber.next(), ["message", CHANNEL, BODY]);
    }
    let error = failure(&redis("unix:/nowhere/redis.sock")).await;
    assert_eq!(error.kind, ErrorKind::Connect, "{error}");
}

#[tokio::test]
async fn what_is_no_redis_is_no_trap() {
    let unknown = failure(&redis("redis://nosuch.invalid")).await;
    assert!(
        unknown.message.contains("its name is not known"),
        "{unknown}"
    );
    let web = serve(|stream| {
        use std::io::{Read, Write};
        let _ = (&stream).read(&mut [0; 512]);
        let _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let error = failure(&redis(&format!("redis://{web}"))).await;
    assert_eq!(error.kind, ErrorKind::Invalid, "{error}");
    let endless = serve(|stream| {
        use std::io::Write;
        while (&stream).write_all(b"$9999999999\r\nxxxxxxxxxxxx").is_ok() {}
    });
    let begun = Instant::now();
    let error = failure(&redis(&format!("redis://{endless}"))).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "it is not read to its end"
    );
    assert_eq!(error.kind, ErrorKind::TooLarge, "{error}");
    for wrong in ["http://localhost", "redis://", "redis://localhost/x", "x"] {
        let error = Redis::new(&settings(wrong), Arc::new(Metrics::new())).unwrap_err();
        assert_eq!(error, "is no URL of a Redis server", "{wrong}");
    }
}
