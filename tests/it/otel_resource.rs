//! Who a receiver of OTLP is told that the daemon is.

use crate::support::binary::{Daemon, ListService};
use crate::support::otlp::Receiver;

const INBOUND: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The resource that spans and log lines come with.
fn resource(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let receiver = Receiver::start();
    let list = ListService::start();
    let endpoint = receiver.endpoint();
    let fixed = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ];
    let daemon = Daemon::start(&list, &[&fixed, settings].concat());
    assert_eq!(daemon.process(INBOUND)["status"], "success");
    daemon.stop();
    let spans = receiver.resource("/v1/traces");
    assert_eq!(spans, receiver.resource("/v1/logs"), "{settings:?}");
    spans
}

fn value<'a>(resource: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = resource.iter().filter(|(key, _)| key == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert_eq!(found.next(), None, "{name} comes once");
    value
}

#[test]
fn what_the_settings_say_wins_over_what_the_daemon_makes_up() {
    let said = "service.name=mine,service.instance.id=pod-7,deployment.environment=a%20b";
    let said = ("OTEL_RESOURCE_ATTRIBUTES", said);
    for (settings, name, instance) in [
        (vec![said], "mine", Some("pod-7")),
        (
            vec![said, ("OTEL_SERVICE_NAME", "other")],
            "other",
            Some("pod-7"),
        ),
        (vec![("OTEL_SERVICE_NAME", "other")], "other", None),
        (vec![], "match-list-processor", None),
        // One value that cannot be understood, and by the specification none counts.
        (
            vec![("OTEL_RESOURCE_ATTRIBUTES", "service.name=mine,a=%zz")],
            "match-list-processor",
            None,
        ),
    ] {
        let told = resource(&settings);
        assert_eq!(value(&told, "service.name"), Some(name), "{told:?}");
        let version = value(&told, "service.version");
        assert_eq!(version, Some(env!("CARGO_PKG_VERSION")), "{told:?}");
        let id = value(&told, "service.instance.id").expect("an id");
        match instance {
            Some(instance) => assert_eq!(id, instance),
            None => assert_eq!(id.len(), 32, "made up: {told:?}"),
        }
        let environment = instance.map(|_| "a b");
        assert_eq!(value(&told, "deployment.environment"), environment);
    }
}
