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
