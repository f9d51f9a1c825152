//! The rules that this version comes with.

use std::collections::BTreeSet;

/// Each file of rules in `alerts/`.
const FILES: &[(&str, &str)] = &[
    (
        "match-list-processor.rules.yml",
        include_str!("../../../alerts/match-list-processor.rules.yml"),
    ),
    (
        "match-list-processor.slo.rules.yml",
        include_str!("../../../alerts/match-list-processor.slo.rules.yml"),
    ),
];

/// A file and the names of its rules.
pub struct File {
    /// Its name in `alerts/`.
    pub name: &'static str,
    /// Alerts, and what is recorded.
    pub rules: BTreeSet<&'static str>,
}

/// All files.
pub fn files() -> impl Iterator<Item = File> {
    FILES.iter().map(|&(name, text)| File {
        name,
        rules: text.lines().filter_map(name_of).collect(),
    })
}

/// The alerts that call somebody.
pub fn critical() -> impl Iterator<Item = &'static str> {
    let lines = FILES.iter().flat_map(|(_, text)| text.lines());
    let mut last = "";
    lines.filter_map(move |line| {
        last = name_of(line).unwrap_or(last);
        (line.trim() == "severity: critical").then_some(last)
    })
}

/// The name of the rule that begins on this line, if one does.
fn name_of(line: &'static str) -> Option<&'static str> {
    let line = line.trim().trim_start_matches("- ");
    let name = ["alert: ", "record: "]
        .iter()
        .find_map(|key| line.strip_prefix(key))?;
    Some(name.trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_of_rules_is_forgotten() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/alerts");
        let there = std::fs::read_dir(folder).unwrap();
        let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let there: BTreeSet<String> = there.filter(|name| name.ends_with(".rules.yml")).collect();
        let known: BTreeSet<String> = files().map(|file| file.name.to_owned()).collect();
        assert_eq!(known, there);
    }

    #[test]
    fn every_rule_has_its_name() {
        for file in files() {
            assert!(file.rules.len() > 5, "{}", file.name);
            let (_, text) = FILES.iter().find(|(name, _)| *name == file.name).unwrap();
            let expressions = text.lines().filter(|line| line.trim().starts_with("expr:"));
            let named = text.lines().filter_map(name_of).count();
            assert_eq!(named, expressions.count(), "{}", file.name);
        }
        let critical: Vec<_> = critical().collect();
        let severities = FILES
            .iter()
            .map(|(_, text)| text.matches("severity: critical").count());
        assert_eq!(critical.len(), severities.sum::<usize>());
        assert!(critical.contains(&"MatchListProcessorNoSuccessfulCycle"));
        assert!(!critical.contains(&super::super::alertmanager::WATCHDOG));
        let all: BTreeSet<_> = files().flat_map(|file| file.rules).collect();
        assert!(all.contains(super::super::alertmanager::WATCHDOG));
    }
}
