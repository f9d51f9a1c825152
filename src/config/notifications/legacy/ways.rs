//! How a stakeholder of the file is told.

use super::super::Defaults;
use super::super::values::{is_address, quoted};
use super::contacts::Contacts;
use super::entry::Entry;
use crate::domain::routing::{ChannelKind, MAIL};

impl Entry<'_> {
    /// As the service writes them: `[{"channel", "address", "active"}]`.
    pub fn written_contacts(
        &mut self,
        id: &str,
        defaults: &Defaults,
        contacts: &mut Contacts<'_>,
    ) -> (Option<String>, Vec<String>) {
        let enabled = self.texts(&self.preferences["enabled_channels"], "enabled_channels");
        let enabled = enabled.unwrap_or_else(|| vec!["email"]);
        let list = self.json["contact_info"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let (mut mail, mut channels) = (None, Vec::new());
        for contact in list
            .iter()
            .filter(|one| one["active"].as_bool().unwrap_or(true))
        {
            let kind = self
                .text(&contact["channel"], "channel")
                .unwrap_or_default();
            let address = self
                .text(&contact["address"], "address")
                .unwrap_or_default();
            if !enabled.contains(&kind) {
                continue;
            }
            let channel = match kind {
                "email" => Some(self.mail(address, &mut mail)),
                kind => self.other(kind, (address, id), defaults, contacts),
            };
            channels.extend(channel.filter(|name| !channels.contains(name)));
        }
        (mail, channels)
    }

    /// As the template has them: an `email`, and names of channels that all share.
    pub fn template_contacts(
        &mut self,
        id: &str,
        defaults: &Defaults,
        contacts: &mut Contacts<'_>,
    ) -> (Option<String>, Vec<String>) {
        let enabled = self.texts(&self.preferences["channels"], "channels");
        let address = self.text(&self.json["email"], "email").unwrap_or_default();
        let (mut mail, mut channels) = (None, Vec::new());
        for kind in enabled.unwrap_or_else(|| vec!["email"]) {
            let channel = match kind {
                "email" if address.is_empty() => None,
                "email" => Some(self.mail(address, &mut mail)),
                kind => self.other(kind, ("", id), defaults, contacts),
            };
            channels.extend(channel.filter(|name| !channels.contains(name)));
        }
        (mail, channels)
    }

    fn mail(&mut self, address: &str, mail: &mut Option<String>) -> String {
        if !is_address(address) {
            self.problem("the address for email must be one, such as anna@example.org");
        }
        *mail = Some(address.to_owned());
        MAIL.to_owned()
    }

    fn other(
        &mut self,
        kind: &str,
        (address, id): (&str, &str),
        defaults: &Defaults,
        contacts: &mut Contacts<'_>,
    ) -> Option<String> {
        let kind = match kind {
            "discord" => ChannelKind::Discord,
            "webhook" => ChannelKind::Webhook,
            other => {
                let place = &self.place;
                let odd = format!(
                    "{place}: cannot be told by {}; this is left out",
                    quoted(other)
                );
                self.found.warnings.push(odd);
                return None;
            }
        };
        let channel = contacts.channel(kind, address, id, defaults.language);
        channel.map_err(|problem| self.problem(&problem)).ok()
    }
}
