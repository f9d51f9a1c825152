//! Single values, wherever they stand.

use url::{Host, Url};

/// The longest address that mail servers carry.
const LONGEST_ADDRESS: usize = 254;

/// Characters of a value that a mistake shows. Whatever gets into the wrong place by a slip, it should
/// not be a token.
const SHOWN: usize = 20;

/// A value as a mistake may show it: a short word or time, nothing that could be a name, an address,
/// a URL or a secret.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+/:,.".contains(c);
    let is_shown = text.len() <= SHOWN && text.chars().all(is_plain) && !text.contains("//");
    match is_shown {
        true => format!("{text:?}"),
        false => "something else".to_owned(),
    }
}

/// Several values as a sentence has them: `a, b or c`.
pub(super) fn choice<T: std::fmt::Display>(all: &[T]) -> String {
    let told: Vec<String> = all.iter().map(ToString::to_string).collect();
    match told.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => told.concat(),
    }
}

/// Whether mail can be sent there: `user@host` as nearly all addresses are, without quotes and
/// comments.
pub(super) fn is_address(text: &str) -> bool {
    let Some((user, host)) = text.rsplit_once('@') else {
        return false;
    };
    let is_atom = |atom: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
        !atom.is_empty() && atom.bytes().all(allowed)
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name in letters beyond ASCII has another form for servers.
    let Ok(Host::Domain(host)) = Host::parse(host) else {
        return false;
    };
    text.len() <= LONGEST_ADDRESS
        && user.len() <= 64
        && user.split('.').all(is_atom)
        && host.split('.').all(is_label)
}

/// Whether this names a sender: an address, or `Name <address>`.
pub(super) fn is_mailbox(text: &str) -> bool {
    let Some((name, address)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) else {
        return is_address(text);
    };
    let is_plain = |c: char| !c.is_control() && !"\"\\,;:<>@()[]".contains(c);
    is_address(address) && name.ends_with(' ') && name.chars().all(is_plain)
}

/// A URL that HTTP can be spoken to.
pub(super) fn http_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_http = matches!(url.scheme(), "http" | "https");
    (is_http && url.has_host()).then_some(url)
}

/// What a URL of Discord's must be, if it is none; the links that people share lead to a channel.
pub(super) const DISCORD_WEBHOOK: &str = "https://discord.com/api/webhooks/NUMBER/TOKEN, as the channel's \
    settings show it under Integrations";

/// Whether Discord takes messages there. Whatever is not Discord's own may be a proxy of it.
pub(super) fn may_be_discord_webhook(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let is_of = |domain: &str| {
        let rest = host.strip_suffix(domain);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if !is_of("discord.com") && !is_of("discordapp.com") && !is_of("discord.gg") {
        return true;
    }
    let segments: Vec<&str> = url.path().trim_start_matches('/').split('/').collect();
    let rest = match segments.as_slice() {
        ["api", version, rest @ ..] if version.strip_prefix('v').is_some_and(is_number) => rest,
        ["api", rest @ ..] => rest,
        _ => return false,
    };
    let is_webhook = matches!(rest, ["webhooks", id, token] if is_number(id) && !token.is_empty());
    is_webhook && url.scheme() == "https"
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_is_none() {
        for good in [
            "anna@example.org",
            "a.b+c_d@sub.example.org",
            "anna@localhost",
            "anna@åby.example",
            "o'brien@example.org",
        ] {
            assert!(is_address(good), "{good}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        let longer = format!("a@{}.org", ["a"; 130].join("."));
        for bad in [
            "",
            "anna",
            "@example.org",
            "anna@",
            "anna@@example.org",
            "an na@example.org",
            "anna@example..org",
            ".anna@example.org",
            "anna.@example.org",
            "anna@-example.org",
            "anna@127.0.0.1",
            "anna@[::1]",
            "anna@example.org\r\nBcc: all@example.org",
            "Anna <anna@example.org>",
            "ånna@example.org",
            "anna@example.org, bo@example.org",
            &long,
            &longer,
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_sender_may_have_a_name() {
        for good in ["news@example.org", "Matchnytt Åby <news@example.org>"] {
            assert!(is_mailbox(good), "{good}");
        }
        for bad in [
            "Matchnytt",
            "Matchnytt<news@example.org>",
            "Match\nnytt <news@example.org>",
            "a, b <news@example.org>",
            "\"a\" <news@example.org>",
            "Matchnytt <news>",
        ] {
            assert!(!is_mailbox(bad), "{bad}");
        }
    }

    #[test]
    fn a_link_of_discord_is_told_from_a_webhook() {
        let may_be = |text: &str| may_be_discord_webhook(&Url::parse(text).unwrap());
        for good in [
            "https://discord.com/api/webhooks/123/a-b_c",
            "https://discord.com/api/v10/webhooks/123/abc",
            "https://canary.discord.com/api/webhooks/123/abc?thread_id=4",
            "https://discordapp.com/api/webhooks/123/abc",
            "http://127.0.0.1:8080/hook",
            "https://notdiscord.com/channels/1/2",
        ] {
            assert!(may_be(good), "{good}");
        }
        for bad in [
            "https://discord.com/channels/123/456",
            "https://discord.gg/abc",
            "https://discord.com/",
            "https://discord.com/webhooks/123/abc",
            "https://discord.com/api/webhooks/123",
            "https://discord.com/api/webhooks/123/",
            "https://discord.com/api/webhooks/abc/def",
            "https://discord.com/api/webhooks/123/abc/slack",
            "http://discord.com/api/webhooks/123/abc",
        ] {
            assert!(!may_be(bad), "{bad}");
        }
    }

    #[test]
    fn a_mistake_shows_no_address_and_no_url() {
        assert_eq!(quoted("judge"), "\"judge\"");
        assert_eq!(quoted("Europe/Stokholm"), "\"Europe/Stokholm\"");
        for hidden in [
            "a@example.org",
            "//x.example/secret",
            "Anna Kanarievinge",
            &"x".repeat(21),
        ] {
            assert_eq!(quoted(hidden), "something else");
        }
        assert_eq!(choice(&["a", "b", "c"]), "a, b or c");
        assert_eq!(choice(&["a"]), "a");
    }
}
