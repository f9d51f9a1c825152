//! Files in a bucket, of a server that speaks S3.

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use futures_util::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::{Attribute, ObjectStore, ObjectStoreExt};

use crate::process::Folder;
use crate::support::binary::Daemon;
use crate::support::matches::{list, matches};

const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_REGION", "eu-north-1"),
    ("AWS_ACCESS_KEY_ID", "an-invented-id"),
    ("AWS_SECRET_ACCESS_KEY", "an-invented-secret"),
];

/// A running `moto_server`, which keeps buckets in memory.
struct Buckets {
    child: Child,
    port: u16,
}

impl Buckets {
    fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::start_at(port)
    }

    fn start_at(port: u16) -> Self {
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server is not installed: run these tests through `bash tests/run.sh`");
        Daemon::await_until("the server of buckets", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { child, port }
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn create(&self) {
        let bucket = format!("{}/files", self.endpoint());
        let answer = reqwest::Client::new().put(bucket).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// By name: content type and content.
    async fn files(&self) -> BTreeMap<String, (String, Vec<u8>)> {
        let [(_, region), (_, id), (_, secret)] = CREDENTIALS;
        let bucket = AmazonS3Builder::new()
            .with_endpoint(self.endpoint())
            .with_allow_http(true)
            .with_bucket_name("files")
            .with_region(region)
            .with_access_key_id(id)
            .with_secret_access_key(secret)
            .build()
            .unwrap();
        let listed: Vec<_> = bucket.list(None).try_collect().await.unwrap();
        let mut files = BTreeMap::new();
        for file in listed {
            let got = bucket.get(&file.location).await.unwrap();
            let kind = got.attributes.get(&Attribute::ContentType).unwrap();
            let kind = kind.to_string();
            let content = got.bytes().await.unwrap().to_vec();
            files.insert(file.location.to_string(), (kind, content));
        }
        files
    }
}

impl Drop for Buckets {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_to_a_bucket_and_wait_while_it_is_gone() {
    let buckets = Buckets::start();
    buckets.create().await;
    let folder = Folder::new();
    folder.list(&list(&matches(1..3)));
    let endpoint = buckets.endpoint();
    let mut command = folder.command(&[
        ("PROCESSOR_MODE", "event-driven"),
        ("PROBE_INTERVAL_SECONDS", "1"),
        ("ASSET_STORE_URL", "s3://files/of/matches"),
        ("AWS_ENDPOINT", &endpoint),
        ("AWS_ALLOW_HTTP", "true"),
    ]);
    command.envs(CREDENTIALS);
    let daemon = Daemon::of(command);
    assert_eq!(daemon.process("")["changes"]["new"], 2);
    daemon.await_deliveries();
    let files = buckets.files().await;
    assert_eq!(files.len(), 6, "{:?}", files.keys());
    for (name, (kind, content)) in &files {
        assert!(
            name.starts_with("of/matches/WhatsApp_Group_Assets/"),
            "{name}"
        );
        if let Some((_, "png")) = name.rsplit_once('.') {
            assert_eq!(kind, "image/png");
            assert!(content.starts_with(b"\x89PNG\r\n"), "{name}");
        } else {
            assert_eq!(kind, "text/plain; charset=utf-8");
            assert!(String::from_utf8(content.clone()).is_ok_and(|text| text.len() > 20));
        }
    }

    // The server goes away and comes back without the bucket.
    let port = buckets.port;
    drop(buckets);
    folder.list(&list(&matches(1..4)));
    assert_eq!(daemon.process("")["changes"]["new"], 1);
    daemon.await_count("dependency_up{dependency=\"storage_service\"}", 0.0);
    let buckets = Buckets::start_at(port);
    buckets.create().await;
    daemon.await_deliveries();
    let files = buckets.files().await;
    assert_eq!(files.len(), 3, "{:?}", files.keys());
    assert!(files.keys().all(|name| name.contains("match_3")));
    let (log, _) = daemon.stop();
    assert!(log.contains("attempt"), "{log}");
    assert!(!log.contains("an-invented"), "a credential was logged");
}
