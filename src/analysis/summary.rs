//! Counts over all objects of a comparison.

use std::collections::BTreeMap;

use super::findings::{Change, FindingKind, ObjectDiff, Status};

/// Counts of objects by status and of findings by kind and change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of objects compared, whatever came of it.
    pub objects: usize,
    statuses: BTreeMap<Status, usize>,
    findings: BTreeMap<(FindingKind, Change), usize>,
}

impl Summary {
    /// Counts.
    pub fn of(objects: &[ObjectDiff]) -> Self {
        let mut summary = Self { objects: objects.len(), ..Self::default() };
        for object in objects {
            *summary.statuses.entry(object.status).or_default() += 1;
            for finding in &object.findings {
                *summary.findings.entry((finding.kind, finding.change)).or_default() += 1;
            }
        }
        summary
    }

    /// Number of objects with this status.
    pub fn status(&self, status: Status) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// Number of findings of this kind and change.
    pub fn findings(&self, kind: FindingKind, change: Change) -> usize {
        self.findings.get(&(kind, change)).copied().unwrap_or(0)
    }

    /// Whether anything differs: any object that is not the same.
    pub fn differs(&self) -> bool {
        self.status(Status::Same) != self.objects
    }
}
