use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::*;

fn load<const N: usize>(pairs: [(&str, &str); N]) -> Result<Config, ConfigErrors> {
    Config::load(&Source::of(pairs))
}

#[test]
fn without_settings_the_documented_defaults_hold() {
    let config = load([]).unwrap();
    assert_eq!(config.mode.mode, ProcessorMode::Unified);
    assert_eq!(config.mode.run, RunMode::Oneshot);
    assert_eq!(config.mode.interval, Some(Duration::from_mins(5)));
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:8000");
    assert_eq!(config.admin.listen.unwrap().to_string(), "127.0.0.1:8001");
    assert_eq!(config.store.queue_capacity, 10_000);
    assert_eq!(config.store.history_limit, 100);
    assert_eq!(config.assets.min_referees, 2);
    assert_eq!(config.assets.folder_base, "WhatsApp_Group_Assets");
    assert_eq!(config.cycle.hold_confirm, Duration::from_mins(1));
    assert!(config.otel.exporter.is_none());
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn every_mistake_is_reported_at_once_with_a_way_out() {
    let errors = load([
        ("PORT", "eight"),
        ("TZ", "Mars/Olympus"),
        ("API_BASE_URL", "fogis:8080"),
        ("QUEUE_CAPACITY", "0"),
        ("REDIS_ENABLED", "maybe"),
        ("PREVIOUS_MATCHES_FILE", "../secret.json"),
        ("CHANGE_PRIORITY_SAME_DAY", "urgent"),
        ("ADMIN_LISTEN", "0.0.0.0:8001"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("LOG_LEVEL", "LOUD"),
    ])
    .unwrap_err();
    let names: Vec<_> = errors
        .0
        .iter()
        .map(|mistake| mistake.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "PORT",
            "ADMIN_LISTEN",
            "PREVIOUS_MATCHES_FILE",
            "QUEUE_CAPACITY",
            "API_BASE_URL",
            "CHANGE_PRIORITY_SAME_DAY",
            "TZ",
            "LOG_LEVEL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "REDIS_ENABLED",
        ]
    );
    let text = errors.to_string();
    assert!(text.starts_with("10 mistakes"), "{text}");
    for mistake in &errors.0 {
        assert!(
            !mistake.expected.is_empty() && !mistake.example.is_empty(),
            "{mistake:?}"
        );
    }
}

#[test]
fn mistakes_in_both_templates_are_told_with_variable_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (broken, fine) = (file("a.txt", "x\n{{ hoem }}"), file("b.txt", "{{ home }}!"));
    let absent = folder.path().join("c.txt").to_string_lossy().into_owned();
    let errors = load([
        ("DESCRIPTION_TEMPLATE", &*broken),
        ("GROUP_INFO_TEMPLATE", &*absent),
    ])
    .unwrap_err();
    let [first, second] = errors.0.as_slice() else {
        panic!("{errors}");
    };
    let found = [&*first.name, &*second.name];
    assert_eq!(found, ["DESCRIPTION_TEMPLATE", "GROUP_INFO_TEMPLATE"]);
    let start = format!("{broken}: template group_description, line 2: unknown variable `hoem`");
    assert!(first.problem.starts_with(&start), "{errors}");
    let start = format!("{absent} cannot be read: ");
    assert!(second.problem.starts_with(&start), "{errors}");

    let config = load([("DESCRIPTION_TEMPLATE", &*fine)]).unwrap();
    let kept = config.assets.description_template;
    assert_eq!(kept.as_deref(), Some("{{ home }}!"));
}

#[test]
fn each_single_mistake_is_found() {
    for (name, value) in [
        ("PORT", "70000"),
        ("HOST", "not a host"),
        ("ADMIN_LISTEN", "8001"),
        ("ADMIN_LISTEN", "127.0.0.1:8000"),
        ("METRICS_LISTEN", "0.0.0.0:8001"),
        ("API_BASE_URL", "ftp://example.org"),
        ("WHATSAPP_AVATAR_SERVICE_URL", "drawn"),
        ("GOOGLE_DRIVE_SERVICE_URL", "drive"),
        ("ASSET_STORE_URL", "s3:bucket"),
        ("MIN_REFEREES_FOR_WHATSAPP", "-1"),
        ("GDRIVE_FOLDER_BASE", "a/../../b"),
        ("PREVIOUS_MATCHES_FILE", "match-list-processor.db"),
        ("PREVIOUS_MATCHES_FILE", "match-list-processor.db-wal"),
        ("PREVIOUS_MATCHES_FILE", ".lock"),
        ("DESCRIPTION_TEMPLATE", "/nowhere/template"),
        ("HOLD_CONFIRM_SECONDS", "1.5"),
        ("SHUTDOWN_DEADLINE_SECONDS", "0"),
        ("HISTORY_LIMIT", "0"),
        ("LOG_FORMAT", "xml"),
        ("REDIS_URL", "http://redis"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost"),
    ] {
        let errors = load([(name, value)]).expect_err(name);
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert_eq!(errors.0[0].name, name);
    }
}

#[test]
fn credentials_of_a_bucket_are_whole_and_in_the_environment() {
    let bucket = ("ASSET_STORE_URL", "s3://bucket/prefix");
    let id = ("AWS_ACCESS_KEY_ID", "id");
    let secret = ("AWS_SECRET_ACCESS_KEY", "secret");
    let mistake = |pairs| load(pairs).unwrap_err().0[0].name.clone();
    assert_eq!(mistake([bucket, id]), "AWS_SECRET_ACCESS_KEY");
    assert_eq!(mistake([bucket, secret]), "AWS_ACCESS_KEY_ID");
    let warnings = |pairs: &[(&str, &str)]| {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let nowhere = std::path::Path::new("/nowhere/.env");
        let source = Source::layered(pairs.iter().map(own), nowhere);
        Config::load(&source).unwrap().warnings.len()
    };
    let role = [
        ("AWS_ROLE_ARN", "arn"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
    ];
    let container = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x");
    assert_eq!(
        warnings(&[bucket]),
        1,
        "a machine may have a role of its own"
    );
    assert_eq!(warnings(&[bucket, role[0]]), 1);
    assert_eq!(warnings(&[bucket, id, secret]), 0);
    assert_eq!(warnings(&[bucket, role[0], role[1]]), 0);
    assert_eq!(warnings(&[bucket, container]), 0);
    assert_eq!(warnings(&[bucket, ("AWS_SKIP_SIGNATURE", "true")]), 0);
    assert_eq!(warnings(&[id]), 0, "not for this program");
    let folder = tempfile::tempdir().unwrap();
    let dot_env = folder.path().join(".env");
    std::fs::write(
        &dot_env,
        "AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY=canary",
    )
    .unwrap();
    let config = Config::load(&Source::layered([bucket], &dot_env)).unwrap();
    let told = config.warnings.join("\n");
    assert!(
        told.contains("AWS_SECRET_ACCESS_KEY is set in .env"),
        "{told}"
    );
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn unknown_modes_fall_back_with_a_warning() {
    let config = load([("PROCESSOR_MODE", "turbo"), ("RUN_MODE", "forever")]).unwrap();
    assert_eq!(
        (config.mode.mode, config.mode.run),
        (ProcessorMode::Unified, RunMode::Oneshot)
    );
    assert!(config.mode.fell_back());
    assert_eq!(config.warnings.len(), 2);
    let config = load([("PROCESSOR_MODE", "event_driven")]).unwrap();
    assert_eq!(config.mode.mode, ProcessorMode::EventDriven);
    assert!(!config.mode.fell_back());
    assert_eq!(config.mode.interval, None);
}

#[test]
fn a_service_without_an_interval_is_refused() {
    let pairs = [("RUN_MODE", "service"), ("SERVICE_INTERVAL", "0")];
    assert_eq!(load(pairs).unwrap_err().0[0].name, "SERVICE_INTERVAL");
    let pairs = [
        ("PROCESSOR_MODE", "event-driven"),
        ("SERVICE_INTERVAL", "0"),
    ];
    assert_eq!(load(pairs).unwrap().mode.interval, None);
}

#[test]
fn no_secret_is_ever_shown() {
    let config = load([
        ("ADMIN_TOKEN", "canary-canary-token"),
        ("REDIS_URL", "redis://user:canary-redis@host"),
        (
            "API_BASE_URL",
            "http://user:canary-api@host/?key=canary-query",
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://user:canary-otlp@host",
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=canary-header"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key=canary-own"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "team=referees,API_Key=canary-key,db.password=canary=,x=http://u:canary-x@h/?canary",
        ),
        ("OTEL_TRACES_SAMPLER", "http://u:canary-sampler@host"),
        ("OTEL_PROPAGATORS", "http://u:canary-propagator@host"),
        ("ASSET_STORE_URL", "s3://id:canary-s3@bucket/prefix?canary"),
        (
            "WHATSAPP_AVATAR_SERVICE_URL",
            "http://a/?token=canary-avatar",
        ),
    ])
    .unwrap();
    let shown = config.effective_table();
    let kept = ["ADMIN_TOKEN", "team=referees,API_Key=***,db.password=***,"];
    assert!(kept.iter().all(|part| shown.contains(part)), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(
        !config.warnings.join(" ").contains("canary"),
        "{:?}",
        config.warnings
    );
    assert!(
        !format!(
            "{:?} {:?} {:?}",
            config.admin, config.services.redis, config.otel
        )
        .contains("canary")
    );
    let errors = load([
        ("ADMIN_TOKEN", "canary"),
        ("ADMIN_TOKEN_FILE", "/x"),
        ("PORT", "x"),
    ]);
    assert!(!errors.unwrap_err().to_string().contains("canary"));
    for (name, url) in [
        ("API_BASE_URL", "ftp://user:canary@host"),
        ("API_BASE_URL", "http//user:canary@host:8080"),
        ("API_BASE_URL", "user:canary@host"),
        ("ASSET_STORE_URL", "ftp//user:can@ary@host/a"),
        ("GOOGLE_DRIVE_SERVICE_URL", "http:user:canary@"),
        ("WHATSAPP_AVATAR_SERVICE_URL", "htp://canary@host"),
        ("METRICS_LISTEN", "user:canary@127.0.0.1:9100"),
    ] {
        let errors = load([(name, url)]).map(|config| config.effective_table());
        let told = errors.unwrap_or_else(|errors| errors.to_string());
        assert!(!told.contains("can"), "{url}: {told}");
    }
}

#[test]
fn a_file_that_cannot_be_read_hides_no_other_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let (file, dot_env) = (folder.path().join("s.toml"), folder.path().join(".env"));
    std::fs::write(&file, "port = 1\nPORT = 2").unwrap();
    std::fs::write(&dot_env, "ADMIN_TOKEN=\"canary").unwrap();
    let environment = [
        ("CONFIG_FILE".into(), file.clone().into_os_string()),
        ("TZ".into(), "Mars/Olympus".into()),
        ("DATA_FOLDER".into(), OsString::from_vec(vec![b'/', 0xff])),
        ("NOT_OURS".into(), OsString::from_vec(vec![0xff])),
    ];
    let errors = Config::load(&Source::layered(environment, &dot_env)).unwrap_err();
    let names: Vec<_> = errors.0.iter().map(|one| one.name.as_str()).collect();
    let dot_env = dot_env.display().to_string();
    assert_eq!(
        names,
        [&dot_env, "CONFIG_FILE", "DATA_FOLDER", "TZ"],
        "{errors}"
    );
    assert!(errors.to_string().contains("port is set twice"), "{errors}");
    assert!(!errors.to_string().contains("canary"), "{errors}");
}

#[test]
fn a_value_in_dot_env_needs_no_quotes_for_its_spaces() {
    let folder = tempfile::tempdir().unwrap();
    let dot_env = folder.path().join(".env");
    std::fs::write(
        &dot_env,
        "GDRIVE_FOLDER_BASE=Grupper Åby IF\nWEBHOOK_SECRET=two words that are long\nWEBHOOK_AUTH=github\n",
    )
    .unwrap();
    let config = Config::load(&Source::layered([("HOME", "/root")], &dot_env)).unwrap();
    assert_eq!(config.assets.folder_base, "Grupper Åby IF");
    assert_eq!(config.auth.keys.len(), 1);
}

#[test]
fn a_secret_can_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "an-invented-token\n").unwrap();
    let config = load([("ADMIN_TOKEN_FILE", path.to_str().unwrap())]).unwrap();
    assert_eq!(config.admin.token.unwrap().expose(), "an-invented-token");
    for broken in ["/nowhere/token", folder.path().to_str().unwrap()] {
        assert!(load([("ADMIN_TOKEN_FILE", broken)]).is_err());
    }
}

#[test]
fn a_secret_that_can_be_guessed_is_refused_with_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret").display().to_string();
    std::fs::write(&path, "canary\n").unwrap();
    let told = |pairs: [(&'static str, &str); 2]| {
        let errors = load(pairs).unwrap_err();
        let [mistake] = &errors.0[..] else {
            panic!("{errors}")
        };
        let Mistake {
            name,
            problem,
            example,
            ..
        } = mistake.clone();
        assert!(!errors.to_string().contains("canary"), "{errors}");
        (name, problem, example)
    };
    let utc = ("TZ", "UTC");
    let random = "$(head -c 32 /dev/urandom | base64)";
    let bytes = "has 6 bytes where 16 to 1024 are wanted";
    assert_eq!(
        told([("ADMIN_TOKEN", "canary"), utc]),
        ("ADMIN_TOKEN".into(), bytes.into(), random.into())
    );
    let file = format!("ADMIN_TOKEN_FILE ({path})");
    let made = format!("echo \"{random}\" > {path}");
    assert_eq!(
        told([("ADMIN_TOKEN_FILE", &path), utc]),
        (file, bytes.into(), made)
    );
    let scheme = ("WEBHOOK_AUTH", "standard-webhooks");
    let file = format!("WEBHOOK_SECRET_FILE ({path})");
    let made = format!("echo \"whsec_{random}\" > {path}");
    let problem = "does not begin with whsec_".into();
    assert_eq!(
        told([("WEBHOOK_SECRET_FILE", &path), scheme]),
        (file, problem, made)
    );
    std::fs::write(&path, "\n").unwrap();
    let (name, problem, example) = told([("WEBHOOK_SECRET_FILE", &path), scheme]);
    assert_eq!(
        (name, problem),
        ("WEBHOOK_SECRET_FILE".into(), format!("{path} is empty"))
    );
    assert!(example.contains("head -c 32"), "{example}");
}

#[test]
fn no_file_that_a_setting_names_can_hang_the_start_or_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, large) = (folder.path().join("pipe"), folder.path().join("large"));
    let mut mkfifo = std::process::Command::new("mkfifo");
    assert!(mkfifo.arg(&pipe).status().unwrap().success());
    std::fs::File::create(&large)
        .unwrap()
        .set_len(2 << 20)
        .unwrap();
    let problems = [
        (&*pipe, "it is no regular file"),
        (std::path::Path::new("/dev/zero"), "it is no regular file"),
        (folder.path(), "it is no regular file"),
        (&*large, "it has more than 1048576 bytes"),
    ];
    for (path, problem) in problems {
        let names = [
            "CONFIG_FILE",
            "ADMIN_TOKEN_FILE",
            "REDIS_URL_FILE",
            "OTEL_EXPORTER_OTLP_HEADERS_FILE",
            "DESCRIPTION_TEMPLATE",
            "GROUP_INFO_TEMPLATE",
        ];
        let pairs = names.map(|name| (name.to_owned(), path.display().to_string()));
        let errors = Config::load(&Source::layered(pairs, path)).unwrap_err();
        let mut found: Vec<_> = errors.0.iter().map(|one| one.name.as_str()).collect();
        let dot_env = path.display().to_string();
        let mut expected = [&names[..], &[&*dot_env]].concat();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{errors}");
        assert_eq!(errors.to_string().matches(problem).count(), 7, "{errors}");
    }
}

#[test]
fn the_environment_wins_over_dot_env_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let text = "port = 1\nqueue_capacity = 3\nhistory_limit = 4\n[redis]\nenabled = true\n";
    std::fs::write(&file, text).unwrap();
    let dot_env = folder.path().join(".env");
    let text = format!("CONFIG_FILE={}\nPORT=2\nQUEUE_CAPACITY=5\n", file.display());
    std::fs::write(&dot_env, text).unwrap();
    let environment = [
        ("PORT".to_owned(), "6".to_owned()),
        ("HISTORY_LIMIT".into(), "  ".into()),
    ];
    let source = Source::layered(environment, &dot_env);
    let config = Config::load(&source).unwrap();
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:6");
    assert_eq!(config.store.queue_capacity, 5);
    assert_eq!(config.store.history_limit, 4);
    assert!(config.services.redis.enabled);
    let origin = |name: &str| {
        config
            .effective()
            .into_iter()
            .find(|s| s.name == name)
            .map(|s| s.origin.label())
    };
    assert_eq!(origin("PORT"), Some("environment"));
    assert_eq!(origin("QUEUE_CAPACITY"), Some(".env"));
    assert_eq!(origin("HISTORY_LIMIT"), Some("file"));
    assert_eq!(origin("DATA_FOLDER"), Some("default"));
}

#[test]
fn an_unknown_key_of_the_file_is_named_with_the_nearest_setting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "prot = 8000\nqueue_capacity = \"x\"").unwrap();
    let environment = [("CONFIG_FILE".to_owned(), file.display().to_string())];
    let source = Source::layered(environment, &folder.path().join(".env"));
    let errors = Config::load(&source).unwrap_err();
    assert_eq!(errors.0.len(), 2, "{errors}");
    assert!(
        errors.to_string().contains("did you mean port?"),
        "{errors}"
    );
    std::fs::write(&file, "port = \n").unwrap();
    let environment = [("CONFIG_FILE".to_owned(), file.display().to_string())];
    let source = Source::layered(environment, &folder.path().join(".env"));
    let error = Config::load(&source).unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn python_habits_are_understood() {
    let config = load([
        ("LOG_LEVEL", "critical"),
        ("LOG_FORMAT", "%(asctime)s %(message)s"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.log.level, tracing::level_filters::LevelFilter::ERROR);
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.warnings.len(), 1);
    let config = load([("FOGIS_API_CLIENT_URL", "http://old:1")]).unwrap();
    assert!(matches!(&config.upstream.base_url, UpstreamUrl::Http(url) if url.port() == Some(1)));
    let pairs = [
        ("FOGIS_API_CLIENT_URL", "http://old:1"),
        ("API_BASE_URL", "file:///tmp/x.json"),
    ];
    let config = load(pairs).unwrap();
    assert!(matches!(config.upstream.base_url, UpstreamUrl::File(_)));
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn the_otlp_endpoint_follows_the_specification() {
    let endpoint = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let source = Source::layered(pairs, std::path::Path::new("/nowhere"));
        Config::load(&source)
            .unwrap()
            .otel
            .exporter
            .map(|exporter| exporter.endpoint)
    };
    let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/base/");
    assert_eq!(
        endpoint(&[general]).as_deref(),
        Some("http://c:4318/base/v1/traces")
    );
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://d:4318/own");
    assert_eq!(
        endpoint(&[general, own]).as_deref(),
        Some("http://d:4318/own")
    );
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_eq!(
        endpoint(&[general, grpc]).as_deref(),
        Some("http://c:4318/base/")
    );
    assert_eq!(endpoint(&[general, ("OTEL_SDK_DISABLED", "true")]), None);
    assert_eq!(endpoint(&[general, ("OTEL_TRACES_EXPORTER", "none")]), None);
    assert_eq!(endpoint(&[]), None);
}

#[test]
fn the_readme_names_every_setting() {
    let readme = include_str!("../../README.md");
    let pairs = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://x"),
        ("ADMIN_TOKEN", "an-invented-token"),
    ];
    for setting in load(pairs).unwrap().effective() {
        let known = readme.contains(&format!("`{}`", setting.name));
        assert!(
            known || setting.name.ends_with("_HEADERS"),
            "{} is missing",
            setting.name
        );
    }
}

#[test]
fn paces_that_contradict_one_another_are_refused() {
    let config = load([]).unwrap().pace;
    assert_eq!(config.debounce, Duration::ZERO);
    assert_eq!(config.debounce_max, Duration::from_mins(1));
    assert_eq!(config.min_interval, Duration::ZERO);
    let told = |pairs: [(&'static str, &str); 3]| {
        let errors = load(pairs).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        errors.0[0].name.clone()
    };
    let event_driven = ("PROCESSOR_MODE", "event-driven");
    let debounce = ("DEBOUNCE_SECONDS", "61");
    assert_eq!(
        told([event_driven, debounce, ("TZ", "UTC")]),
        "DEBOUNCE_MAX_SECONDS"
    );
    let max = ("DEBOUNCE_MAX_SECONDS", "61");
    assert!(load([event_driven, debounce, max]).is_ok());
    for (name, value) in [
        ("DEBOUNCE_SECONDS", "0.5"),
        ("DEBOUNCE_MAX_SECONDS", "-1"),
        ("MIN_CYCLE_INTERVAL_SECONDS", "86401"),
    ] {
        assert_eq!(told([event_driven, (name, value), ("TZ", "UTC")]), name);
    }
    let (service, apart) = (
        ("RUN_MODE", "service"),
        ("MIN_CYCLE_INTERVAL_SECONDS", "301"),
    );
    assert_eq!(
        told([service, apart, ("TZ", "UTC")]),
        "MIN_CYCLE_INTERVAL_SECONDS"
    );
    assert!(load([service, apart, ("SERVICE_INTERVAL", "301")]).is_ok());
    assert!(load([apart]).is_ok(), "one cycle is far from any other");
}

#[test]
fn schedules_that_cannot_be_kept_are_refused() {
    let event_driven = ("PROCESSOR_MODE", "event-driven");
    let daily = ("SCHEDULE", "0 6 * * *");
    let config = load([event_driven, daily, ("SCHEDULE_TZ", "Asia/Tokyo")]).unwrap();
    let noon: jiff::Timestamp = "2027-05-01T12:00:00Z".parse().unwrap();
    let next = config.schedule.schedule.unwrap().next(noon).unwrap();
    assert_eq!(next.to_string(), "2027-05-01T21:00:00Z");
    let config = load([event_driven, daily, ("TZ", "UTC")]).unwrap();
    let next = config.schedule.schedule.unwrap().next(noon).unwrap();
    assert_eq!(next.to_string(), "2027-05-02T06:00:00Z");
    let night = ("QUIET_HOURS", "23:00-07:00");
    for (name, pairs) in [
        ("SCHEDULE", [event_driven, ("SCHEDULE", "often")]),
        ("SCHEDULE", [event_driven, ("SCHEDULE", "0 0 30 2 *")]),
        ("SCHEDULE", [("RUN_MODE", "service"), daily]),
        ("SCHEDULE", [("RUN_MODE", "oneshot"), daily]),
        ("QUIET_HOURS", [event_driven, ("QUIET_HOURS", "night")]),
        (
            "SCHEDULE_TZ",
            [event_driven, ("SCHEDULE_TZ", "Mars/Olympus")],
        ),
    ] {
        let errors = load(pairs).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert_eq!(errors.0[0].name, name, "{errors}");
    }
    let never = load([event_driven, daily, night]).unwrap_err();
    assert!(never.to_string().contains("within QUIET_HOURS"), "{never}");
    let both = load([event_driven, daily, ("SERVICE_INTERVAL", "60")]).unwrap_err();
    assert!(
        both.to_string().contains("so is SERVICE_INTERVAL"),
        "{both}"
    );
    assert_eq!(load([event_driven, night]).unwrap().warnings.len(), 2);
    assert!(load([night]).unwrap().warnings.is_empty());
}

#[test]
fn mistakes_about_access_are_told() {
    for (name, value) in [
        ("RATE_LIMIT_PER_CLIENT", "60"),
        ("RATE_LIMIT_TOTAL", "many"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("ALLOWED_NETWORKS", "10.0.0.0/40"),
        ("PROXY_PROTOCOL", "v1"),
    ] {
        let errors = load([(name, value)]).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert_eq!(errors.0[0].name, name, "{errors}");
    }
    let alone = load([("PROXY_PROTOCOL", "v2")]).unwrap_err();
    assert_eq!(alone.0[0].name, "TRUSTED_PROXIES", "{alone}");
    let warnings = |pairs: [(&'static str, &str); 2]| load(pairs).unwrap().warnings;
    let (one, all) = ("RATE_LIMIT_PER_CLIENT", "RATE_LIMIT_TOTAL");
    assert!(warnings([(one, "10/min"), (all, "60/min")]).is_empty());
    assert_eq!(warnings([(one, "2/s"), (all, "60/min")]).len(), 1);
    assert_eq!(
        warnings([(one, "60/min burst 99"), (all, "60/min")]).len(),
        1
    );
    let everybody = warnings([("TRUSTED_PROXIES", "::/0"), ("TZ", "UTC")]);
    assert!(everybody[0].contains("everybody"), "{everybody:?}");
}
