//! Public vectors, and every way in which a header can be wrong.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

/// The vector of the Standard Webhooks specification and its libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SENT: &str = "1614265330";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const NOW: f64 = 1_614_265_330.0;

/// The vector of GitHub's documentation.
const HUB_SECRET: &str = "It's a Secret to Everybody";
const HUB_BODY: &[u8] = b"Hello, World!";
const HUB: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

const OTHER: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

type Case<'a> = (Scheme, &'a str, Vec<(&'a str, &'a str)>, &'a [u8]);
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn headers(pairs: Pairs) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn key(scheme: Scheme, label: &str, text: &str) -> Key {
    Key::new(scheme, label, text, Validity::default()).unwrap()
}

fn auth(scheme: Scheme, secrets: &[&str]) -> Auth {
    let keys = secrets.iter().enumerate();
    Auth {
        scheme,
        keys: keys
            .map(|(n, text)| key(scheme, &n.to_string(), text))
            .collect(),
        ..Auth::open()
    }
}

/// The label of the secret that was shown, or the reason.
fn judge(auth: &Auth, pairs: Pairs, body: &[u8], now: f64) -> Result<String, &'static str> {
    let claim = auth.claim(&headers(pairs), now);
    let mut claim = claim.map_err(Refusal::label)?;
    // In pieces, as a connection brings it.
    for piece in body.chunks(3) {
        claim.update(piece);
    }
    let label = claim.verify().map_err(Refusal::label)?;
    Ok(label.as_deref().unwrap_or_default().to_owned())
}

fn standard<'a>(id: &'a str, sent: &'a str, signature: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("webhook-id", id),
        ("webhook-timestamp", sent),
        ("webhook-signature", signature),
    ]
}

#[test]
fn the_public_vectors_are_accepted() {
    let signed = standard(ID, SENT, SIGNATURE);
    let one = auth(Scheme::StandardWebhooks, &[SECRET]);
    assert_eq!(judge(&one, &signed, BODY, NOW), Ok("0".to_owned()));
    let two = auth(Scheme::StandardWebhooks, &[OTHER, SECRET]);
    assert_eq!(judge(&two, &signed, BODY, NOW), Ok("1".to_owned()));
    let hub = auth(Scheme::Github, &[HUB_SECRET]);
    let given = [("x-hub-signature-256", HUB)];
    assert_eq!(judge(&hub, &given, HUB_BODY, NOW), Ok("0".to_owned()));
    let token = auth(Scheme::Bearer, &["0123456789abcdef"]);
    for value in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef "] {
        let given = [("authorization", value)];
        assert_eq!(
            judge(&token, &given, b"x", NOW),
            Ok("0".to_owned()),
            "{value}"
        );
    }
    // RFC 7617, section 2, with a longer password.
    let basic = auth(Scheme::Basic, &["Aladdin:open sesame"]);
    let given = [("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")];
    assert_eq!(judge(&basic, &given, b"", NOW), Ok("0".to_owned()));
    assert_eq!(judge(&Auth::open(), &[], b"", NOW), Ok(String::new()));
}

#[test]
fn one_of_several_signatures_is_enough() {
    let auth = auth(Scheme::StandardWebhooks, &[SECRET]);
    let wrong = "v1,AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for (signature, accepted) in [
        (format!("{wrong} {SIGNATURE}"), true),
        (format!("{SIGNATURE} {wrong}"), true),
        (format!("v1a,whatever {SIGNATURE}"), true),
        (format!("{wrong} {wrong}"), false),
        (SIGNATURE.replace("v1,", "v2,"), false),
        (format!("{SIGNATURE},"), false),
        (vec![SIGNATURE; 16].join(" "), true),
        (vec![SIGNATURE; 17].join(" "), false),
    ] {
        let judged = judge(&auth, &standard(ID, SENT, &signature), BODY, NOW);
        assert_eq!(judged.is_ok(), accepted, "{signature}");
    }
}

#[test]
fn a_time_outside_the_tolerance_is_refused() {
    let auth = auth(Scheme::StandardWebhooks, &[SECRET]);
    let signed = standard(ID, SENT, SIGNATURE);
    for (offset, expected) in [
        (0.0, None),
        (300.0, None),
        (-300.0, None),
        (300.1, Some("stale")),
        (-300.1, Some("future")),
        (1e9, Some("stale")),
    ] {
        let judged = judge(&auth, &signed, BODY, NOW + offset);
        assert_eq!(judged.err(), expected, "{offset}");
    }
    for sent in [
        "",
        " ",
        "+1614265330",
        "01614265330",
        "-5",
        "1614265330.0",
        "0x5",
        "99999999999999999999",
    ] {
        let judged = judge(&auth, &standard(ID, sent, SIGNATURE), BODY, NOW);
        let expected = if sent.trim().is_empty() {
            "missing"
        } else {
            "malformed"
        };
        assert_eq!(judged, Err(expected), "{sent:?}");
    }
}

#[test]
fn each_header_missing_empty_doubled_or_garbled_is_refused() {
    let long = "x".repeat(257);
    let cases: [Case; 4] = [
        (
            Scheme::StandardWebhooks,
            SECRET,
            standard(ID, SENT, SIGNATURE).to_vec(),
            BODY,
        ),
        (
            Scheme::Github,
            HUB_SECRET,
            vec![("x-hub-signature-256", HUB)],
            HUB_BODY,
        ),
        (
            Scheme::Bearer,
            "0123456789abcdef",
            vec![("authorization", "Bearer 0123456789abcdef")],
            b"",
        ),
        (
            Scheme::Basic,
            "Aladdin:open sesame",
            vec![("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")],
            b"",
        ),
    ];
    for (scheme, secret, right, body) in cases {
        let auth = auth(scheme, &[secret]);
        assert!(judge(&auth, &right, body, NOW).is_ok(), "{scheme}");
        for n in 0..right.len() {
            let name = right[n].0;
            let mut missing = right.clone();
            missing.remove(n);
            assert_eq!(
                judge(&auth, &missing, body, NOW),
                Err("missing"),
                "{scheme} {name}"
            );
            let mut doubled = right.clone();
            doubled.push(right[n]);
            assert_eq!(
                judge(&auth, &doubled, body, NOW),
                Err("repeated"),
                "{scheme} {name}"
            );
            for (value, expected) in [
                ("", "missing"),
                ("  ", "missing"),
                ("ö", "malformed"),
                (long.as_str(), "malformed"),
            ] {
                let mut other = right.clone();
                other[n].1 = value;
                let judged = judge(&auth, &other, body, NOW);
                assert_eq!(judged, Err(expected), "{scheme} {name} {value:?}");
            }
        }
    }
}

#[test]
fn a_signature_off_by_any_one_bit_is_refused() {
    let hub = auth(Scheme::Github, &[HUB_SECRET]);
    let mut right = [0; 32];
    hex::decode_to_slice(&HUB[7..], &mut right).unwrap();
    let one = auth(Scheme::StandardWebhooks, &[SECRET]);
    let standard_tag = {
        use base64::Engine;
        let decoded = base64::engine::general_purpose::STANDARD.decode(&SIGNATURE[3..]);
        <[u8; 32]>::try_from(decoded.unwrap()).unwrap()
    };
    for bit in 0..256 {
        let flip = |tag: [u8; 32]| {
            let mut tag = tag;
            tag[bit / 8] ^= 1 << (bit % 8);
            tag
        };
        let value = format!("sha256={}", hex::encode(flip(right)));
        let judged = judge(&hub, &[("x-hub-signature-256", &value)], HUB_BODY, NOW);
        assert_eq!(judged, Err("mismatch"), "bit {bit}");
        let value = {
            use base64::Engine;
            let text = base64::engine::general_purpose::STANDARD.encode(flip(standard_tag));
            format!("v1,{text}")
        };
        let judged = judge(&one, &standard(ID, SENT, &value), BODY, NOW);
        assert_eq!(judged, Err("mismatch"), "bit {bit}");
    }
}

#[test]
fn what_was_signed_is_what_came() {
    let one = auth(Scheme::StandardWebhooks, &[SECRET]);
    let judged = |id, sent, body: &[u8]| judge(&one, &standard(id, sent, SIGNATURE), body, NOW);
    assert!(judged(ID, SENT, BODY).is_ok());
    assert_eq!(judged("msg_other", SENT, BODY), Err("mismatch"));
    assert_eq!(judged("msg.other", SENT, BODY), Err("malformed"));
    assert_eq!(judged(ID, "1614265331", BODY), Err("mismatch"));
    assert_eq!(judged(ID, SENT, &BODY[..BODY.len() - 1]), Err("mismatch"));
    assert_eq!(judged(ID, SENT, b""), Err("mismatch"));
    let shorter = &SIGNATURE[..SIGNATURE.len() - 4];
    let judged = judge(&one, &standard(ID, SENT, shorter), BODY, NOW);
    assert_eq!(judged, Err("malformed"));
    let hub = auth(Scheme::Github, &[HUB_SECRET]);
    for value in [
        &HUB[..70],
        &HUB[7..],
        &HUB.replace("256=", "1="),
        "sha256=",
        "sha256=zz",
    ] {
        let judged = judge(&hub, &[("x-hub-signature-256", value)], HUB_BODY, NOW);
        assert_eq!(judged, Err("malformed"), "{value}");
    }
}

#[test]
fn another_scheme_than_the_one_in_use_counts_for_nothing() {
    let every: Vec<_> = standard(ID, SENT, SIGNATURE)
        .into_iter()
        .chain([
            ("x-hub-signature-256", HUB),
            ("authorization", "Bearer 0123456789abcdef"),
        ])
        .collect();
    for (scheme, secret, expected) in [
        (Scheme::StandardWebhooks, OTHER, "mismatch"),
        (Scheme::Github, "another secret of sixteen", "mismatch"),
        (Scheme::Bearer, "another-secret-of-sixteen", "mismatch"),
        (Scheme::Basic, "Aladdin:open sesame", "malformed"),
    ] {
        let judged = judge(&auth(scheme, &[secret]), &every, BODY, NOW);
        assert_eq!(judged, Err(expected), "{scheme}");
    }
}

#[test]
fn a_secret_counts_from_its_time_and_until_its_time() {
    let with = |scheme, secret: &str, from: Option<f64>, until: Option<f64>| Auth {
        scheme,
        keys: vec![Key::new(scheme, "timed", secret, Validity { from, until }).unwrap()],
        ..Auth::open()
    };
    for (from, until, expected) in [
        (None, None, None),
        (Some(NOW), None, None),
        (Some(NOW + 1.0), None, Some("expired")),
        (None, Some(NOW + 1.0), None),
        (None, Some(NOW), Some("expired")),
    ] {
        let hub = with(Scheme::Github, HUB_SECRET, from, until);
        let judged = judge(&hub, &[("x-hub-signature-256", HUB)], HUB_BODY, NOW);
        assert_eq!(judged.err(), expected, "{from:?} {until:?}");
        let token = with(Scheme::Bearer, "0123456789abcdef", from, until);
        let given = [("authorization", "Bearer 0123456789abcdef")];
        assert_eq!(judge(&token, &given, b"", NOW).err(), expected);
    }
    // One that has run out does not hide one that counts.
    let mut both = with(Scheme::Github, HUB_SECRET, None, Some(NOW));
    both.keys.push(key(Scheme::Github, "new", HUB_SECRET));
    let judged = judge(&both, &[("x-hub-signature-256", HUB)], HUB_BODY, NOW);
    assert_eq!(judged, Ok("new".to_owned()));
}

#[test]
fn a_secret_that_cannot_be_one_is_refused_at_the_start() {
    let short = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=";
    let long = format!("whsec_{}", "A".repeat(88));
    for (scheme, text, told) in [
        (Scheme::StandardWebhooks, &SECRET[6..], "whsec_"),
        (Scheme::StandardWebhooks, "whsec_!", "Base64"),
        (Scheme::StandardWebhooks, short, "23 bytes"),
        (Scheme::StandardWebhooks, &long, "66 bytes"),
        (Scheme::Github, "short", "5 bytes"),
        (Scheme::Bearer, "", "0 bytes"),
        (Scheme::Bearer, "with a space in the middle", "header"),
        (Scheme::Basic, "nobody", "user:password"),
        (Scheme::Basic, ":nobody-here", "user:password"),
        (Scheme::Basic, "user:short", "5 bytes"),
        (Scheme::Basic, "user:long enough\n", "header"),
    ] {
        let error = Key::new(scheme, "x", text, Validity::default()).unwrap_err();
        assert!(error.to_string().contains(told), "{text}: {error}");
        assert!(
            text.len() < 6 || !error.to_string().contains(text),
            "{error}"
        );
    }
}

#[test]
fn what_is_signed_here_is_accepted_here() {
    for (scheme, secret) in [
        (Scheme::StandardWebhooks, SECRET),
        (Scheme::Github, HUB_SECRET),
        (Scheme::Bearer, "0123456789abcdef"),
        (Scheme::Basic, "Aladdin:open sesame"),
    ] {
        let auth = auth(scheme, &[secret]);
        let signed = sign(&auth, "msg_1", BODY, NOW).unwrap();
        let pairs: Vec<_> = signed
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            judge(&auth, &pairs, BODY, NOW),
            Ok("0".to_owned()),
            "{scheme}"
        );
    }
    let signed = sign(&auth(Scheme::StandardWebhooks, &[SECRET]), ID, BODY, NOW).unwrap();
    assert_eq!(signed[2].1, SIGNATURE);
    let signed = sign(&auth(Scheme::Github, &[HUB_SECRET]), "", HUB_BODY, NOW).unwrap();
    assert_eq!(signed[0].1, HUB);
    let mut late = auth(Scheme::Github, &[HUB_SECRET]);
    late.keys[0].validity.until = Some(NOW);
    assert_eq!(sign(&late, "", HUB_BODY, NOW), None);
}

#[test]
fn no_secret_is_shown() {
    let shown = format!("{:?}", auth(Scheme::Github, &[HUB_SECRET]));
    assert!(!shown.contains("Secret"), "{shown}");
}
