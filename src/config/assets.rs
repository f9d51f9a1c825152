//! The files that are made for matches.

use std::path::Path;

use url::Url;

use super::reader::{Form, Reader};
use super::upstream::http_url;
use crate::domain::texts::{TemplateError, Texts};
use crate::file;

/// The files that are made for matches.
#[derive(Clone, Debug)]
pub struct AssetsConfig {
    /// `WHATSAPP_AVATAR_SERVICE_URL`.
    pub avatar: AvatarSource,
    /// `ASSET_STORE_URL`, or `GOOGLE_DRIVE_SERVICE_URL`.
    pub store: AssetStore,
    /// `MIN_REFEREES_FOR_WHATSAPP`.
    pub min_referees: usize,
    /// `GDRIVE_FOLDER_BASE`.
    pub folder_base: String,
    /// What is in the file that `DESCRIPTION_TEMPLATE` names; it compiles.
    pub description_template: Option<String>,
    /// What is in the file that `GROUP_INFO_TEMPLATE` names; it compiles.
    pub group_info_template: Option<String>,
}

/// Where avatars come from.
#[derive(Clone, Debug)]
pub enum AvatarSource {
    /// Drawn in the process.
    Embedded,
    /// Asked for.
    Service(Url),
}

/// Where files go.
#[derive(Clone, Debug)]
pub enum AssetStore {
    /// The Drive service.
    Drive(Url),
    /// A folder or a bucket.
    Object(Url),
}

impl AssetsConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Self {
        let default = "http://whatsapp-avatar-service:5002";
        let form = Form {
            expected: "an http or https URL, or embedded",
            example: default,
        };
        let parse = |text: &str| match text.eq_ignore_ascii_case("embedded") {
            true => Some(AvatarSource::Embedded),
            false => http_url(text).map(AvatarSource::Service),
        };
        let name = "WHATSAPP_AVATAR_SERVICE_URL";
        let avatar = from.value(name, default, form, parse, AvatarSource::Embedded);
        let form = Form {
            expected: "a whole number from 0 to 20",
            example: "2",
        };
        let min_referees = from.number("MIN_REFEREES_FOR_WHATSAPP", 2, 0..=20, form);
        let description_template = template(from, "DESCRIPTION_TEMPLATE", |source| {
            Texts::new(Some(source), None)
        });
        let group_info_template = template(from, "GROUP_INFO_TEMPLATE", |source| {
            Texts::new(None, Some(source))
        });
        let form = Form {
            expected: "a folder without `..`",
            example: "WhatsApp_Group_Assets",
        };
        let default = "WhatsApp_Group_Assets";
        let inside = |text: &str| {
            let stays = text.split('/').all(|part| part != "." && part != "..");
            (stays && !text.contains(char::is_control)).then(|| text.to_owned())
        };
        let folder_base = from.value("GDRIVE_FOLDER_BASE", default, form, inside, default.into());
        Self {
            avatar,
            store: store(from),
            min_referees: usize::try_from(min_referees).unwrap_or(2),
            folder_base,
            description_template,
            group_info_template,
        }
    }
}

/// The template in the file that `name` names, once `compile` has accepted it.
fn template(
    from: &mut Reader<'_>,
    name: &str,
    compile: impl Fn(String) -> Result<Texts, TemplateError>,
) -> Option<String> {
    let form = Form {
        expected: "the path of a readable Jinja template",
        example: "/etc/match-list-processor/info.txt",
    };
    let path = from.optional(name, form, |text| Some(text.to_owned()))?;
    let source = file::read_text(Path::new(&path), file::SMALL)
        .map_err(|error| format!("{path} cannot be read: {error}"))
        .and_then(|source| match compile(source.clone()) {
            Ok(_) => Ok(source),
            Err(error) => Err(format!("{path}: {error}")),
        });
    source
        .map_err(|problem| from.mistake(name, &problem, form))
        .ok()
}

fn store(from: &mut Reader<'_>) -> AssetStore {
    let default = "http://google-drive-service:5000";
    let form = Form {
        expected: "an http or https URL",
        example: default,
    };
    let none = Url::parse(default).expect("a constant URL");
    let drive = from.value("GOOGLE_DRIVE_SERVICE_URL", default, form, http_url, none);
    let form = Form {
        expected: "file:///folder, s3://bucket/prefix, or the http URL of a Drive service",
        example: "file:///data/assets",
    };
    let parse = |text: &str| {
        let url = Url::parse(text).ok()?;
        match url.scheme() {
            "file" => url.to_file_path().ok().map(|_| AssetStore::Object(url)),
            "s3" => url.has_host().then_some(AssetStore::Object(url)),
            _ => http_url(text).map(AssetStore::Drive),
        }
    };
    let store = from.optional("ASSET_STORE_URL", form, parse);
    if matches!(&store, Some(AssetStore::Object(url)) if url.scheme() == "s3") {
        super::aws::check(from);
    }
    store.unwrap_or(AssetStore::Drive(drive))
}
