//! Finds those whom a match concerns without asking everybody.

use std::collections::HashMap;

use super::parts::{Role, Stakeholder};
use crate::domain::matchlist::{Referee, Team};

/// Stakeholders by what the match list calls them. The values are indices.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    referee_ids: HashMap<i64, Vec<usize>>,
    person_ids: HashMap<i64, Vec<usize>>,
    referee_numbers: HashMap<String, Vec<usize>>,
    club_ids: HashMap<i64, Vec<usize>>,
    team_ids: HashMap<i64, Vec<usize>>,
    coordinators: Vec<usize>,
    operators: Vec<usize>,
}

impl Index {
    pub fn of<'a>(stakeholders: impl Iterator<Item = &'a Stakeholder>) -> Self {
        let mut index = Self::default();
        for (n, stakeholder) in stakeholders.enumerate() {
            let identity = &stakeholder.identity;
            match stakeholder.role {
                Role::Referee => {
                    put(&mut index.referee_ids, identity.referee_id, n);
                    put(&mut index.person_ids, identity.person_id, n);
                    put(
                        &mut index.referee_numbers,
                        identity.referee_number.clone(),
                        n,
                    );
                }
                Role::Team => {
                    put(&mut index.club_ids, identity.club_id, n);
                    put(&mut index.team_ids, identity.team_id, n);
                }
                Role::Coordinator => index.coordinators.push(n),
                Role::Operator => index.operators.push(n),
            }
        }
        index
    }

    /// The stakeholders of role referee who are this referee.
    pub fn referee<'a>(&'a self, referee: &Referee) -> impl Iterator<Item = usize> + use<'a> {
        let found = [
            referee.referee_id.and_then(|id| self.referee_ids.get(&id)),
            referee.person_id.and_then(|id| self.person_ids.get(&id)),
            referee
                .number
                .as_ref()
                .and_then(|number| self.referee_numbers.get(number)),
        ];
        found.into_iter().flatten().flatten().copied()
    }

    /// The stakeholders of role team who are this team, or of its club.
    pub fn team<'a>(&'a self, team: &Team) -> impl Iterator<Item = usize> + use<'a> {
        let found = [
            team.club_id.and_then(|id| self.club_ids.get(&id)),
            team.team_id.and_then(|id| self.team_ids.get(&id)),
        ];
        found.into_iter().flatten().flatten().copied()
    }

    /// All of role coordinator.
    pub fn coordinators(&self) -> &[usize] {
        &self.coordinators
    }

    /// All of role operator.
    pub fn operators(&self) -> &[usize] {
        &self.operators
    }
}

fn put<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<usize>>, key: Option<K>, n: usize) {
    if let Some(key) = key {
        map.entry(key).or_default().push(n);
    }
}
