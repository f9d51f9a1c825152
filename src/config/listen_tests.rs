use super::*;

fn load<const N: usize>(pairs: [(&str, &str); N]) -> Result<Config, ConfigErrors> {
    Config::load(&Source::of(pairs))
}

/// The names of the settings that are wrong, and the message.
fn mistakes<const N: usize>(pairs: [(&str, &str); N]) -> (Vec<String>, String) {
    let errors = load(pairs).unwrap_err();
    let names = errors.0.iter().map(|mistake| mistake.name.clone());
    (names.collect(), errors.to_string())
}

#[test]
fn listeners_can_be_unix_sockets() {
    let config = load([
        ("LISTEN", "unix:/run/mlp/public.sock"),
        ("ADMIN_LISTEN", "unix:/run/mlp/admin.sock"),
        ("METRICS_LISTEN", "unix:/run/mlp/metrics.sock"),
        ("SOCKET_MODE", "600"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.http.listen.to_string(), "unix:/run/mlp/public.sock");
    assert_eq!(config.http.socket_mode, 0o600);
    assert_eq!(load([]).unwrap().http.socket_mode, 0o660);
    let config = load([("LISTEN", "[::1]:8002")]).unwrap();
    assert_eq!(config.http.listen.to_string(), "[::1]:8002");
}

#[test]
fn a_public_unix_socket_is_no_open_door() {
    let daemon = ("PROCESSOR_MODE", "event-driven");
    let open = |listen| load([daemon, ("LISTEN", listen)]).unwrap().is_open();
    assert!(open("0.0.0.0:8000"));
    assert!(!open("127.0.0.1:8000"));
    assert!(!open("unix:/run/mlp.sock"));
    let (names, _) = mistakes([("ADMIN_LISTEN", "0.0.0.0:8001")]);
    assert_eq!(names, ["ADMIN_LISTEN"]);
    assert!(load([("ADMIN_LISTEN", "unix:/run/mlp.sock")]).is_ok());
}

#[test]
fn listeners_that_cannot_be_are_mistakes() {
    let path = "unix:/run/mlp.sock";
    for (name, value) in [
        ("LISTEN", "unix:mlp.sock"),
        ("LISTEN", "off"),
        ("ADMIN_LISTEN", "unix:"),
        ("METRICS_LISTEN", "/run/mlp.sock"),
        ("SOCKET_MODE", "0888"),
        ("SOCKET_MODE", "1777"),
        ("SOCKET_MODE", "rw-rw----"),
        ("SOCKET_MODE", "+660"),
        ("SOCKET_MODE", "6"),
    ] {
        let (names, told) = mistakes([(name, value)]);
        assert_eq!(names, [name], "{value}");
        assert!(told.contains(value), "{told}");
    }
    let (names, told) = mistakes([("LISTEN", path), ("HOST", "0.0.0.0"), ("PORT", "80")]);
    assert_eq!(names, ["HOST", "PORT"], "{told}");
    let (names, told) = mistakes([("LISTEN", path), ("METRICS_LISTEN", path)]);
    assert_eq!(names, ["METRICS_LISTEN"]);
    assert!(told.contains("same path as LISTEN"), "{told}");
    let (_, told) = mistakes([("LISTEN", "127.0.0.1:8001")]);
    assert!(told.contains("same port as LISTEN"), "{told}");
}

#[test]
fn a_certificate_and_its_key_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["mlp.example".to_owned()]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = write("tls.crt", &made.cert.pem());
    let key = write("tls.key", &made.signing_key.serialize_pem());
    let foreign = write("other.key", &other.serialize_pem());
    let missing = folder.path().join("none").display().to_string();
    let (crt, of_key) = ("TLS_CERT_FILE", "TLS_KEY_FILE");
    let config = load([(crt, &certificate), (of_key, &key)]).unwrap();
    assert!(config.http.tls.is_some());
    assert_eq!(config.files().len(), 2);
    assert!(load([]).unwrap().http.tls.is_none());
    for (name, pairs, problem) in [
        (
            of_key,
            [(crt, &*certificate), (of_key, "")],
            "is not set, and TLS_CERT_FILE is",
        ),
        (
            crt,
            [(crt, ""), (of_key, &*key)],
            "is not set, and TLS_KEY_FILE is",
        ),
        (
            of_key,
            [(crt, &certificate), (of_key, &foreign)],
            "does not belong",
        ),
        (
            of_key,
            [(crt, &certificate), (of_key, &certificate)],
            "no private key",
        ),
        (crt, [(crt, &key), (of_key, &key)], "no certificate"),
        (crt, [(crt, &missing), (of_key, &key)], "cannot be read"),
    ] {
        let (names, told) = mistakes(pairs);
        assert_eq!(names, [name], "{told}");
        assert!(told.contains(problem), "{told}");
        assert!(!told.contains("BEGIN"), "{told}");
    }
}

#[test]
fn a_renewed_certificate_is_a_change_that_needs_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let config = || {
        let made = rcgen::generate_simple_self_signed(["mlp.example".to_owned()]).unwrap();
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        load([("TLS_CERT_FILE", &certificate), ("TLS_KEY_FILE", &key)]).unwrap()
    };
    let changes = config().changes(&config());
    assert_eq!(changes, ["TLS_CERT_FILE", "TLS_KEY_FILE"]);
    assert!(changes.iter().all(|name| Config::is_live(name)));
    assert!(config().fixed_changes(&config()).is_empty());
    // Whether there is TLS at all is another matter.
    let plain = load([]).unwrap();
    for changes in [
        config().fixed_changes(&plain),
        plain.fixed_changes(&config()),
    ] {
        assert_eq!(changes, ["TLS_CERT_FILE", "TLS_KEY_FILE"]);
    }
}
