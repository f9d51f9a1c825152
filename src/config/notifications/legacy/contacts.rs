//! From the addresses of stakeholders to channels.

use url::Url;

use super::super::channels::{ChannelConfig, Way, is_out_of_reach};
use super::super::values::{DISCORD_WEBHOOK, http_url, may_be_discord_webhook};
use crate::domain::notify::Language;
use crate::domain::routing::{Channel, ChannelKind};

/// Channels that the document knows, and those that addresses lead to. An address that several
/// stakeholders have is one channel, so that what goes there goes once.
pub(super) struct Contacts<'a> {
    known: &'a [Channel],
    urls: Vec<Url>,
    pub channels: Vec<(Channel, ChannelConfig)>,
}

impl<'a> Contacts<'a> {
    pub fn new(known: &'a [Channel]) -> Self {
        let (urls, channels) = (Vec::new(), Vec::new());
        Self {
            known,
            urls,
            channels,
        }
    }

    /// The name of the channel to which the address of a stakeholder leads; without an address the
    /// only one of its kind.
    ///
    /// # Errors
    /// Why there is none. Never holds the address.
    pub fn channel(
        &mut self,
        kind: ChannelKind,
        address: &str,
        id: &str,
        language: Language,
    ) -> Result<String, String> {
        if address.is_empty() {
            return self.only(kind);
        }
        let expected = format!("the address for {kind} must be an http or https URL");
        let url = http_url(address).ok_or(expected)?;
        if kind == ChannelKind::Discord && !may_be_discord_webhook(&url) {
            return Err(format!(
                "the address for discord is a link of Discord's and no webhook; it must be {DISCORD_WEBHOOK}"
            ));
        }
        if kind == ChannelKind::Webhook && is_out_of_reach(&url) {
            let problem = "the address for webhook is none of the public internet, which is never \
                           called; if it is meant, leave it empty here and add a [[channel]] with it \
                           and allow_private = true to NOTIFICATIONS";
            return Err(problem.to_owned());
        }
        let same = self.urls.iter().zip(&self.channels);
        let mut same = same.filter(|(other, (channel, _))| **other == url && channel.kind == kind);
        if let Some((_, (channel, _))) = same.next() {
            return Ok(channel.name.clone());
        }
        self.urls.push(url.clone());
        let name = format!("{id}.{kind}");
        let way = match kind {
            ChannelKind::Discord => Way::Discord { url },
            _ => Way::Webhook {
                url,
                keys: Vec::new(),
                allow_private: false,
            },
        };
        let channel = Channel {
            name: name.clone(),
            kind,
            language,
        };
        let config = ChannelConfig {
            name: name.clone(),
            way,
        };
        self.channels.push((channel, config));
        Ok(name)
    }

    fn only(&self, kind: ChannelKind) -> Result<String, String> {
        let mut known = self.known.iter().filter(|channel| channel.kind == kind);
        match (known.next(), known.next()) {
            (Some(one), None) => Ok(one.name.clone()),
            (None, _) => Err(format!(
                "is told by {kind} without an address; add a [[channel]] of kind {kind} to \
                 NOTIFICATIONS"
            )),
            (Some(_), Some(_)) => Err(format!(
                "is told by {kind} without an address, and NOTIFICATIONS has several of kind {kind}"
            )),
        }
    }
}
